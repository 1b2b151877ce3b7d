//! One backend: its providers connected, its engines on top of them.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::OnceCell;
use truststream_engines::auth::{self, AuthEngine};
use truststream_engines::database::DatabaseLayer;
use truststream_engines::storage::StorageEngine;
use truststream_kernel::{BoxFuture, Context, Driven, Error, ErrorKind, Layer, Result, Service, Stack};
use truststream_layers::{Breaker, BreakerConfig, BreakerLayer, Faults, TimeoutLayer, fold};
use truststream_services::auth::{Auth, AuthService, Settings};
use truststream_services::database::{Database, DatabaseService, Ping};
use truststream_services::objects::{Check, Objects, ObjectsService};
use truststream_services::storage::{ListBuckets, Storage, StorageService};
use truststream_switch::{Files as Kept, Side};

use crate::Config;
use crate::config::BackendConfig;
use crate::foreign::WithoutForeign;
use crate::health::Probe;
use crate::own_tables;
use crate::project_schema::own_catalog;
use crate::providers::{AUTH, DATABASES, Files, files};

/// A backend that is connected.
pub struct Backend {
    /// Its name in the configuration.
    pub name: String,
    /// What each of its services runs on.
    pub services: Vec<ServiceInfo>,
    database: Stack<DatabaseService>,
    /// The database as switches see it.
    moving: Stack<DatabaseService>,
    /// Its files as switches see them.
    kept: Kept,
    auth: Stack<AuthService>,
    storage: Stack<StorageService>,
    probes: Vec<Probe>,
    faults: Faults,
    holds_engines: bool,
    taken_over: OnceCell<()>,
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
    /// Whether TrustStream's engines can keep their tables there.
    pub(crate) holds_engines: bool,
}

impl Backend {
    /// Connects the providers of a backend.
    ///
    /// # Errors
    /// `BACKEND_001` for an unknown provider, `BACKEND_002` for wrong settings, `BACKEND_005` when
    /// one can't be reached.
    pub(crate) async fn connect(
        name: &str,
        settings: &BackendConfig,
        config: &Config,
        keys: &Arc<auth::Keys>,
        faults: &Faults,
    ) -> Result<Self> {
        let database = DATABASES.connect_driver(config, settings.database.as_ref()).await?;
        let files = files(config, settings.storage.as_ref()).await?;
        let own_auth = AUTH.connect(config, settings.auth.as_ref()).await?;
        let holds_engines = database.holds_engines;
        if !holds_engines && (own_auth.is_none() || matches!(files, Files::Objects(_))) {
            return Err(no_home(name, &database.info));
        }
        let mut layers = DriverLayers {
            backend: name.to_owned(),
            breaker: config.file.health.breaker.clone(),
            probes: Vec::new(),
            timeout: TimeoutLayer::new(config.file.layers.timeout.clone()),
            everywhere: faults.clone(),
            here: Faults::new(&settings.faults),
        };
        let mut services = vec![database.info];
        let database = layers.around(&database.stack, |stack, cx| {
            Box::pin(async move { Database::new(stack, cx).send(Ping).await })
        });
        let handle = Database::new(Arc::clone(&database), Context::system());
        let (storage, kept): (Stack<StorageService>, Kept) = match files {
            Files::Objects(objects) => {
                services.extend([objects.info, native::<StorageService>()]);
                let objects = layers.around(&objects.stack, |stack, cx| {
                    Box::pin(async move { Objects::new(stack, cx).send(Check).await })
                });
                let bytes = Objects::new(Arc::clone(&objects), Context::system());
                let settings = config.section("storage")?;
                let engine = StorageEngine::new(handle.clone(), bytes.clone(), settings, &keys.url_secret());
                (layers.around_engine(Arc::new(Driven(engine))), Kept::Store(bytes))
            }
            Files::Storage(storage) => {
                services.push(storage.info);
                let storage = layers.around(&storage.stack, |stack, cx| {
                    Box::pin(async move { Storage::new(stack, cx).send(ListBuckets).await.map(drop) })
                });
                let kept = Storage::new(Arc::clone(&storage), Context::system());
                (storage, Kept::Platform(kept))
            }
        };
        let auth = match own_auth {
            Some(auth) => {
                services.push(auth.info);
                layers.around(&auth.stack, |stack, cx| {
                    Box::pin(async move { Auth::new(stack, cx).send(Settings).await.map(drop) })
                })
            }
            None => {
                services.push(native::<AuthService>());
                let engine = AuthEngine::new(&handle, Arc::clone(keys), config.section("auth")?)?;
                layers.around_engine(Arc::new(Driven(engine)))
            }
        };
        let database = if holds_engines { DatabaseLayer.wrap(database) } else { database };
        let name = name.to_owned();
        let (probes, faults) = (layers.probes, layers.here);
        let moving = WithoutForeign { own: Arc::new(own_catalog()?) }.wrap(Arc::clone(&database));
        Ok(Backend {
            name,
            services,
            database,
            moving,
            kept,
            auth,
            storage,
            probes,
            faults,
            holds_engines,
            taken_over: OnceCell::new(),
        })
    }

    /// Gives the database the tables that the engines keep their state in.
    ///
    /// # Errors
    /// `BACKEND_003` when the database refuses them.
    pub async fn install(&self) -> Result<()> {
        if self.holds_engines { own_tables::install(&self.database()).await } else { Ok(()) }
    }

    /// Takes over the engines' tables of a hosted project once: what a copy brings there goes into them.
    ///
    /// # Errors
    /// `BACKEND_003` when they lack columns. A backend that is down is found to be so by whatever is done
    /// with it.
    pub(crate) async fn take_over(&self) -> Result<()> {
        if !self.holds_engines {
            return Ok(());
        }
        let once = || async { own_tables::take_over(&self.database()).await };
        match self.taken_over.get_or_try_init(once).await {
            Err(error) if error.kind() == ErrorKind::Configuration => Err(error),
            Err(error) => {
                tracing::debug!(?error, "the tables of {} were not looked at", self.name);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Its auth, below the route.
    pub(crate) fn auth(&self) -> Stack<AuthService> {
        Arc::clone(&self.auth)
    }

    /// Its storage, below the route.
    pub(crate) fn storage(&self) -> Stack<StorageService> {
        Arc::clone(&self.storage)
    }

    /// Its database below the route, above every policy.
    pub fn database(&self) -> Database {
        Database::new(Arc::clone(&self.database), Context::system())
    }

    /// How its providers are asked whether they answer. Engines keep their state in the database: they
    /// are as well as it is.
    pub(crate) fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The breaker of its database.
    pub(crate) fn database_breaker(&self) -> Option<&Arc<Breaker>> {
        self.probes.iter().find(|probe| probe.service() == DatabaseService::NAME).map(Probe::breaker)
    }

    /// What goes wrong on purpose on this backend, beside what goes wrong on all.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The backend as a switch sees it.
    pub(crate) fn side(&self) -> Side {
        let place = |service: &str| {
            let info = self.services.iter().find(|info| info.service == service && !info.is_native())?;
            Some(match info.provider.as_str() {
                // Each backend has a memory of its own.
                "memory" => format!("memory of {}", self.name),
                provider => format!("{provider} {}", info.place),
            })
        };
        let elsewhere = [("auth", AuthService::NAME), ("storage", StorageService::NAME)];
        Side {
            name: self.name.clone(),
            database: Database::new(Arc::clone(&self.moving), Context::system()),
            whole: Arc::clone(&self.database),
            files: self.kept.clone(),
            files_place: place(ObjectsService::NAME)
                .or_else(|| place(StorageService::NAME))
                .unwrap_or_default(),
            elsewhere: elsewhere
                .into_iter()
                .filter_map(|(schema, service)| Some((schema, place(service)?)))
                .collect(),
        }
    }
}

/// Engines need tables of their own, which not every database takes.
fn no_home(backend: &str, database: &ServiceInfo) -> Error {
    let provider = &database.provider;
    Error::configuration(format!("backend.{backend}: {provider} keeps no tables for auth and storage"))
        .with_hint(format!("set `provider = \"{provider}\"` for auth and storage of this backend too"))
}

impl ServiceInfo {
    /// Whether TrustStream runs it itself, on the backend's database.
    pub(crate) fn is_native(&self) -> bool {
        self.provider == NATIVE
    }
}

/// The provider of what TrustStream runs itself.
const NATIVE: &str = "native";

/// What TrustStream runs itself on the backend's database.
fn native<S: Service>() -> ServiceInfo {
    let (provider, place) = (NATIVE.to_owned(), "its database".to_owned());
    ServiceInfo { service: S::NAME, provider, place }
}

/// Operations that drivers may answer from what they remember.
const REMEMBERED: &[&str] = &["describe"];

/// The layers between a driver and the route.
struct DriverLayers {
    backend: String,
    breaker: BreakerConfig,
    probes: Vec<Probe>,
    timeout: TimeoutLayer,
    /// Faults of the whole project.
    everywhere: Faults,
    /// Faults of this backend.
    here: Faults,
}

impl DriverLayers {
    /// The layers around a driver, below which `ask` finds out whether it answers.
    fn around<S: Service>(
        &mut self,
        driver: &Stack<S>,
        ask: impl Fn(Stack<S>, Context) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static,
    ) -> Stack<S> {
        let breaker = Arc::new(Breaker::new(&self.backend, S::NAME, self.breaker.clone()));
        let below = fold(driver, &[&self.timeout, &self.everywhere, &self.here]);
        let stack = fold(&below, &[&BreakerLayer::new(Arc::clone(&breaker), REMEMBERED)]);
        let ask = move |cx| ask(Arc::clone(&below), cx);
        self.probes.push(Probe::new(&self.backend, S::NAME, breaker, Box::new(ask)));
        stack
    }

    /// An engine's time is that of the drivers below it, which are limited one by one.
    fn around_engine<S: Service>(&self, engine: Stack<S>) -> Stack<S> {
        fold(&engine, &[&self.everywhere, &self.here])
    }
}
