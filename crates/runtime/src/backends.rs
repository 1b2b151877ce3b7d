//! The backends of a project, connected when they are first needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use truststream_engines::auth::Keys;
use truststream_kernel::{BoxFuture, Error, ErrorKind, Result, Service, Stack};
use truststream_layers::Faults;
use truststream_services::auth::AuthService;
use truststream_services::database::DatabaseService;
use truststream_services::storage::StorageService;
use truststream_switch::{Side, Sides};

use crate::routed::Stacks;
use crate::{Backend, Config};

/// All backends that the configuration names.
pub struct Backends {
    config: Arc<Config>,
    keys: Arc<Keys>,
    faults: Faults,
    connected: RwLock<BTreeMap<String, Arc<Backend>>>,
    connecting: tokio::sync::Mutex<()>,
}

impl Backends {
    pub(crate) fn new(config: Arc<Config>, keys: Arc<Keys>) -> Self {
        let faults = Faults::new(&config.file.layers.faults);
        let connecting = tokio::sync::Mutex::default();
        Backends { config, keys, faults, connected: RwLock::default(), connecting }
    }

    /// A backend, connected now if it is not yet.
    ///
    /// # Errors
    /// `BACKEND_001` when the configuration names no such backend, or what keeps it from being
    /// connected.
    pub async fn get(&self, name: &str) -> Result<Arc<Backend>> {
        if let Some(backend) = self.connected(name) {
            return Ok(backend);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(backend) = self.connected(name) {
            return Ok(backend);
        }
        let settings = self.config.file.backend.get(name).ok_or_else(|| self.unknown(name))?;
        let backend = Backend::connect(name, settings, &self.config, &self.keys, &self.faults).await?;
        self.config.file.control.check_backend(name, &backend.services)?;
        let backend = Arc::new(backend);
        self.connected.write().insert(name.to_owned(), Arc::clone(&backend));
        Ok(backend)
    }

    /// A backend that is connected already.
    pub fn connected(&self, name: &str) -> Option<Arc<Backend>> {
        self.connected.read().get(name).cloned()
    }

    /// All backends that are connected.
    pub(crate) fn all_connected(&self) -> Vec<Arc<Backend>> {
        self.connected.read().values().cloned().collect()
    }

    /// What goes wrong on purpose on every backend.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    fn stack_of<S: Service>(&self, name: &str, of: impl Fn(&Backend) -> Stack<S>) -> Result<Stack<S>> {
        self.connected(name).map(|backend| of(&backend)).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = self.config.file.backend.keys().map(String::as_str).collect();
        let message = format!("there is no backend `{name}`; the configuration names {}", names.join(", "));
        Error::new(ErrorKind::NotFound, "BACKEND_001", message)
            .with_hint(format!("add [backend.{name}] to truststream.toml"))
    }
}

impl Stacks<DatabaseService> for Backends {
    fn stack(&self, backend: &str) -> Result<Stack<DatabaseService>> {
        self.stack_of(backend, |backend| Arc::clone(backend.database().stack()))
    }
}

impl Stacks<AuthService> for Backends {
    fn stack(&self, backend: &str) -> Result<Stack<AuthService>> {
        self.stack_of(backend, Backend::auth)
    }
}

impl Stacks<StorageService> for Backends {
    fn stack(&self, backend: &str) -> Result<Stack<StorageService>> {
        self.stack_of(backend, Backend::storage)
    }
}

impl Sides for Backends {
    fn side<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Side>> {
        Box::pin(async move {
            let backend = self.get(name).await?;
            backend.take_over().await?;
            Ok(backend.side())
        })
    }
}
