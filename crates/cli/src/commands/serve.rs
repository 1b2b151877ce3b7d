//! What `dev` and `start` share: opening a project and serving it until told to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use truststream_gateway::health::{self, Metrics};
use truststream_gateway::{ApiKeys, GatewayState, Identities, Listening, Services, Settings, admin, app};
use truststream_kernel::{Error, Result, Secret};
use truststream_runtime::{Config, Runtime};

use crate::failure::Done;
use crate::gateway_file::{GatewayFile, Written};

/// How long writes in flight may take at shutdown.
const FINISH: Duration = Duration::from_secs(10);

/// A project that is open and listening, but not serving yet.
pub struct Ready {
    pub runtime: Arc<Runtime>,
    listening: Listening,
    settings: Settings,
    metrics: Metrics,
    _file: Written,
    admin_token: Secret,
}

impl Ready {
    /// Opens the project and listens.
    pub async fn open(config: Config, port: Option<u16>) -> Result<Self> {
        let settings = Settings::read(&config)?;
        let listening = Listening::bind(port.unwrap_or(settings.gateway.port)).await?;
        let metrics = Metrics::install()?;
        let runtime = Runtime::open(config).await?;
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let url = format!("http://127.0.0.1:{}", listening.port());
        let file = GatewayFile { url, admin_token: token.clone(), pid: std::process::id() };
        let file = file.write(&runtime.config().project)?;
        Ok(Ready { runtime, listening, settings, metrics, _file: file, admin_token: Secret::new(token) })
    }

    /// URL of the gateway.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listening.port())
    }

    /// Folder of the project.
    pub fn project(&self) -> &Path {
        &self.runtime.config().project
    }

    /// Announces that it is ready and serves until SIGINT or SIGTERM, finishes what is in flight, closes.
    ///
    /// Who reads the announcement may send the signal at once, so it is listened for before.
    pub async fn serve(self, announce: impl FnOnce(&Self) -> Done) -> Done {
        let stop = stop_signal()?;
        announce(&self)?;
        self.serve_until(stop).await
    }

    /// Serves until `stop` completes, finishes what is in flight, closes.
    pub async fn serve_until(self, stop: impl Future<Output = ()> + Send + 'static) -> Done {
        let Ready { runtime, listening, settings, metrics, _file, admin_token } = self;
        let app = router(&runtime, settings)?
            .merge(health::router(Arc::clone(&runtime), metrics))
            .merge(admin::router(Arc::clone(&runtime), admin_token));
        listening.serve(app, stop).await;
        runtime.close(FINISH).await;
        Ok(())
    }
}

/// All protocols on the services of a project.
fn router(runtime: &Runtime, settings: Settings) -> Result<axum::Router> {
    let services = Services {
        database: runtime.database().clone(),
        auth: runtime.auth().clone(),
        storage: runtime.storage().clone(),
        realtime: runtime.realtime().clone(),
    };
    let keys = ApiKeys {
        service_role: Some(Secret::new(runtime.keys().api_key("service_role")?)),
        ..ApiKeys::default()
    };
    let identities = Identities::new(services.auth.clone(), &settings.rest.anon_role, keys);
    Ok(app(GatewayState {
        services: Arc::new(services),
        identities: Arc::new(identities),
        settings: Arc::new(settings),
    }))
}

/// Listens for SIGINT and SIGTERM from now on, and completes with the first of them.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    let (mut interrupted, mut terminated) = {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(unheard);
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    #[cfg(windows)]
    let (mut interrupted, mut terminated) = {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        (ctrl_c().map_err(unheard)?, ctrl_close().map_err(unheard)?)
    };
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
    })
}

fn unheard(error: std::io::Error) -> Error {
    Error::internal("the signals that stop the gateway cannot be listened for").with_source(error)
}
