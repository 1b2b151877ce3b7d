//! One backend: its providers connected, its engines on top of them.

use std::sync::Arc;

use serde::Serialize;
use toml::Spanned;
use truststream_kernel::{Context, Result, Service, Stack};
use truststream_layers::{LayersConfig, TimeoutLayer, fold};
use truststream_services::database::{Database, DatabaseService};
use truststream_services::objects::{Objects, ObjectsService};
use truststream_switch::Side;

use crate::Config;
use crate::config::BackendConfig;
use crate::providers;

/// A backend that is connected.
pub struct Backend {
    /// Its name in the configuration.
    pub name: String,
    /// What each of its services runs on.
    pub services: Vec<ServiceInfo>,
    database: Stack<DatabaseService>,
    objects: Stack<ObjectsService>,
}

/// What a service of a backend runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceInfo {
    /// The service, such as `database`.
    pub service: &'static str,
    /// The provider, such as `sqlite`.
    pub provider: String,
    /// Where it is, without secrets: a path, a host, a bucket.
    pub place: String,
}

/// A provider that is connected: the driver as an erased call, and where it is.
pub(crate) struct Connected<S: Service> {
    pub(crate) stack: Stack<S>,
    pub(crate) info: ServiceInfo,
}

impl Backend {
    /// Connects the providers of a backend.
    ///
    /// # Errors
    /// `BACKEND_001` for an unknown provider, `BACKEND_002` for wrong settings, `BACKEND_005` when
    /// one can't be reached.
    pub(crate) async fn connect(name: &str, settings: &BackendConfig, config: &Config) -> Result<Self> {
        let database = providers::database(config, settings.database.as_ref()).await?;
        let objects = providers::objects(config, settings.storage.as_ref())?;
        let services = vec![database.info.clone(), objects.info.clone()];
        Ok(Backend {
            name: name.to_owned(),
            services,
            database: driver_layers(database.stack, &config.file.layers),
            objects: driver_layers(objects.stack, &config.file.layers),
        })
    }

    /// Its database below the route, above every policy.
    pub fn database(&self) -> Database {
        Database::new(Arc::clone(&self.database), Context::system())
    }

    /// Its object store.
    pub fn objects(&self) -> Objects {
        Objects::new(Arc::clone(&self.objects), Context::system())
    }

    /// The backend as a switch sees it.
    pub(crate) fn side(&self) -> Side {
        let objects = self.services.iter().find(|info| info.service == ObjectsService::NAME);
        Side {
            name: self.name.clone(),
            database: self.database(),
            objects: self.objects(),
            objects_place: objects
                .map_or_else(String::new, |info| format!("{} {}", info.provider, info.place)),
        }
    }
}

/// The layers between a driver and the route.
fn driver_layers<S: Service>(driver: Stack<S>, config: &LayersConfig) -> Stack<S> {
    fold(&driver, &[&TimeoutLayer::new(config.timeout.clone())])
}

/// The provider a service's table names.
pub(crate) fn provider_name<'a>(
    table: Option<&'a Spanned<toml::Table>>,
    default: &'a str,
) -> Option<&'a str> {
    match table {
        None => Some(default),
        Some(table) => table.get_ref().get("provider").map_or(Some(default), toml::Value::as_str),
    }
}
