//! A project that is open: its route, its services, its switches.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use truststream_engines::auth::Keys;
use truststream_engines::realtime::RealtimeEngine;
use truststream_kernel::{Context, Driven, Result, Service, Stack};
use truststream_layers::{
    BreakerState, Faults, GuardLayer, MetricsLayer, Observed, RetryLayer, TraceLayer, fold,
};
use truststream_lock::Lock;
use truststream_services::auth::{Auth, AuthService};
use truststream_services::database::Database;
use truststream_services::realtime::Realtime;
use truststream_services::storage::{Storage, StorageService};
use truststream_switch::{
    ControlStore, Fleet, Gate, Held, Mirrors, Options, Route, Routes, Steering, Switcher,
};

use crate::backends::Backends;
use crate::control::SqliteStore;
use crate::feed::RoutedDatabase;
use crate::mirror::{Fallback, ToMirror};
use crate::routed::Routed;
use crate::status::Readiness;
use crate::{Config, ObservedQueries, failover, health, mirror, status};

/// The folder of a project's own state.
pub const STATE_FOLDER: &str = ".truststream";

/// A project that is open. Closing it ([`Runtime::close`]) keeps nothing unfinished.
pub struct Runtime {
    _lock: Option<Lock>,
    config: Arc<Config>,
    backends: Arc<Backends>,
    gate: Arc<Gate>,
    steering: Arc<Steering>,
    mirrors: Arc<Mirrors>,
    keys: Arc<Keys>,
    observed: Observed,
    database: Database,
    auth: Auth,
    storage: Storage,
    realtime: Realtime,
    subscriptions: Arc<Driven<RealtimeEngine>>,
    /// What runs until the project is closed, or nobody uses it any more.
    tasks: Mutex<JoinSet<()>>,
}

impl Runtime {
    /// Opens a project: connects the backend that serves and goes on with a switch that had not
    /// ended.
    ///
    /// # Errors
    /// Errors of the configuration, or of connecting the backend that serves.
    pub async fn open(config: Config) -> Result<Arc<Runtime>> {
        let config = Arc::new(config);
        let state = config.project.join(STATE_FOLDER);
        std::fs::create_dir_all(&state).map_err(|error| {
            truststream_kernel::Error::configuration(format!("{} can't be made: {error}", state.display()))
                .with_source(error)
        })?;
        let what = format!("the project in {}", state.display());
        let hint = "stop that process, or use another folder with --project";
        let lock = Lock::take(&state.join("lock"), &what, hint)?;
        let control = config.file.control.open(&config.project, &state).await?;
        let fleet = config.file.control.fleet(&config.project);
        Box::pin(Self::open_with(config, control, fleet, Some(lock))).await
    }

    /// Opens a project whose own state is in memory: the route and the switches are gone with it.
    /// Nothing is written to the disk if the providers of its backends write nothing.
    ///
    /// # Errors
    /// As [`Runtime::open`].
    pub async fn open_in_memory(config: Config) -> Result<Arc<Runtime>> {
        let control: Arc<dyn ControlStore> = Arc::new(SqliteStore::in_memory()?);
        Box::pin(Self::open_with(Arc::new(config), control, None, None)).await
    }

    async fn open_with(
        config: Arc<Config>,
        control: Arc<dyn ControlStore>,
        fleet: Option<Fleet>,
        lock: Option<Lock>,
    ) -> Result<Arc<Runtime>> {
        let keys = Arc::new(Keys::load(&config.section("auth")?, config.development)?);
        let backends = Arc::new(Backends::new(Arc::clone(&config), Arc::clone(&keys)));
        let consumers = fleet.as_ref().map(|fleet| fleet.label.clone());
        let routes = open_routes(&config, &control, fleet, &backends).await?;
        let gate = Arc::clone(routes.gate());
        let (pairs, options) = (mirror::pairs(&config), mirror::options(&config));
        let mirrors =
            Mirrors::new(Arc::clone(&control), routes.clone(), Arc::clone(&backends) as _, pairs, options);
        failover::open_owner(&config, &gate, &backends, &mirrors).await?;
        connect_others(&gate.route(), &backends).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(health::watch(Arc::clone(&backends), config.file.health.clone()));
        let fallback: Arc<dyn Fallback> = ToMirror::new(Arc::clone(&mirrors), &config);
        let steering = Steering::new(control, routes, Arc::clone(&backends) as _);
        steering.steer_mirrors(&mirrors);
        let routed = RoutedDatabase::new(Arc::clone(&gate), Arc::clone(&backends) as _);
        let routed = Arc::new(routed.with_consumers_of(consumers).with_fallback(Arc::clone(&fallback)));
        let routed = steering.switcher().reads().over(routed);
        let observed = Observed::default();
        let database = fold(&edge_layers(routed, &config), &[&observed]);
        let database = Database::new(database, Context::system());
        let auth = Routed::<AuthService>::new(Arc::clone(&gate), Arc::clone(&backends) as _);
        let auth = edge_layers(Arc::new(auth.with_fallback(Arc::clone(&fallback))), &config);
        let storage = Routed::<StorageService>::new(Arc::clone(&gate), Arc::clone(&backends) as _);
        let storage = edge_layers(Arc::new(storage.with_fallback(fallback)), &config);
        // Realtime stands above the route: its subscriptions outlive every switch.
        let subscriptions = Arc::new(Driven(RealtimeEngine::new(database.clone())));
        let realtime = edge_layers(Arc::clone(&subscriptions) as _, &config);
        let runtime = Arc::new(Runtime {
            _lock: lock,
            config,
            backends,
            gate,
            steering,
            mirrors,
            keys,
            observed,
            database,
            auth: Auth::new(auth, Context::system()),
            storage: Storage::new(storage, Context::system()),
            realtime: Realtime::new(realtime, Context::system()),
            subscriptions,
            tasks: Mutex::new(tasks),
        });
        if let Err(error) = runtime.steering.recover().await {
            tracing::warn!(
                ?error,
                "the switch of the last run could not be taken up; `truststream switch status`"
            );
        }
        runtime.mirrors.start();
        runtime.tasks.lock().spawn(failover::watch(
            Arc::clone(&runtime.config),
            Arc::clone(&runtime.gate),
            Arc::clone(&runtime.backends),
            Arc::clone(&runtime.mirrors),
        ));
        Ok(runtime)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The database that serves, above every policy until a caller is set (`with`).
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The database of a backend, below the route; the one that serves if none is named.
    ///
    /// # Errors
    /// `BACKEND_001` if there is no such backend, or errors of connecting it.
    pub async fn database_of(&self, backend: Option<&str>) -> Result<Database> {
        match backend {
            None => Ok(self.database.clone()),
            Some(name) => Ok(self.backends.get(name).await?.database()),
        }
    }

    /// The kinds of queries that were answered since the project was opened.
    pub fn observed_queries(&self) -> ObservedQueries {
        ObservedQueries::of(&self.observed)
    }

    /// Users and sessions.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Buckets and objects.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Messages and changes.
    pub fn realtime(&self) -> &Realtime {
        &self.realtime
    }

    /// What goes wrong on purpose, on every backend. Faults of one backend only are those of its
    /// table in the configuration.
    pub fn faults(&self) -> &Faults {
        self.backends.faults()
    }

    /// The keys that access tokens are signed with.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who serves.
    pub fn route(&self) -> Arc<Route> {
        self.gate.route()
    }

    /// The switches of this project, steered wherever they are led.
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// What runs the switches that this process leads, and reads what is stored of all.
    pub fn switcher(&self) -> &Switcher {
        self.steering.switcher()
    }

    /// How switches are made unless a caller says otherwise.
    pub fn switch_options(&self) -> Options {
        let settings = &self.config.file.switch;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Options {
            chunk: settings.chunk,
            max_pause_ms: ms(settings.max_pause),
            rollback_window_ms: settings.rollback_window.map(ms),
            verify: settings.verify,
            strategy: settings.strategy,
            ..Options::default()
        }
    }

    /// What is kept in sync with the backend that serves, and takes its place when that is lost.
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// Whether requests can be answered at this moment.
    pub fn readiness(&self) -> Readiness {
        let route = self.gate.route();
        let backend = self.backends.connected(&route.owner);
        let is_down = |backend: Arc<crate::Backend>| {
            backend.database_breaker().is_some_and(|breaker| breaker.state() == BreakerState::Open)
        };
        if !backend.is_none_or(is_down) {
            return Readiness::Ready;
        }
        let reads = self.config.mirror_of(&route.owner).is_some_and(|mirror| mirror.reads);
        let fit = self.mirrors.status().is_some_and(|mirror| mirror.from == route.owner && mirror.is_fit());
        if reads && fit { Readiness::Reads } else { Readiness::Down }
    }

    /// Who serves, how every backend is, and where the latest switch stands.
    pub async fn status(&self) -> status::Status {
        let route = self.gate.route();
        status::read(&self.config, &self.backends, &route, &self.steering, &self.mirrors).await
    }

    /// Waits until no write is in flight (at most `wait`) and stops what runs in the background: what is
    /// dropped after it gives its backends back at once.
    pub async fn close(&self, wait: Duration) {
        let drained = tokio::time::timeout(wait, self.gate.drained()).await.is_ok();
        if !drained {
            tracing::warn!("closing although writes are still in flight");
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.subscriptions.0.close().await;
        self.mirrors.close().await;
        self.steering.close(drained).await;
    }
}

/// Who serves, as it is stored: by one process, or by a fleet.
async fn open_routes(
    config: &Config,
    control: &Arc<dyn ControlStore>,
    fleet: Option<Fleet>,
    backends: &Arc<Backends>,
) -> Result<Routes> {
    let held = Held { time: config.file.switch.hold, ..Held::default() };
    let first = Route::first(&config.file.active);
    match fleet {
        None => Routes::open(Arc::clone(control), first, held).await,
        Some(fleet) => Routes::join(Arc::clone(control), first, held, fleet, Arc::clone(backends) as _).await,
    }
}

/// Connects the backends besides the owner that a route leads to. Without them it serves as well.
async fn connect_others(route: &Route, backends: &Backends) {
    let before = route.handover.as_ref().map(|handover| &handover.from);
    let of_parts = route.division.as_ref().filter(|division| division.has_moved());
    for name in before.into_iter().chain(of_parts.map(|division| &division.to)) {
        if let Err(error) = backends.get(name).await {
            tracing::warn!(
                ?error,
                backend = name,
                "a backend that served, or serves a part, can't be reached"
            );
        }
    }
}

/// The layers above the route.
pub(crate) fn edge_layers<S: Service>(routed: Stack<S>, config: &Config) -> Stack<S> {
    let retry = RetryLayer::new(config.file.layers.retry.clone());
    let name = "route";
    fold(&routed, &[&TraceLayer::new(name), &MetricsLayer::new(name), &GuardLayer::new(name), &retry])
}
