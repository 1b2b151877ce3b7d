//! How a project is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use truststream_kernel::{Context, Result};
use truststream_services::auth::{Auth, Settings};
use truststream_services::database::Ping;
use truststream_services::objects::Check;
use truststream_services::storage::{ListBuckets, Storage};
use truststream_switch::{Record, Route, Switcher};

use crate::backends::Backends;
use crate::{Backend, Config, ServiceInfo};

/// How a project is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Who serves.
    pub route: Route,
    /// All backends.
    pub backends: Vec<BackendStatus>,
    /// The latest switch.
    pub switch: Option<Record>,
}

/// How one backend is.
#[derive(Clone, Debug, Serialize)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// Whether it serves.
    pub active: bool,
    /// Its services; empty if it can't be connected.
    pub services: Vec<ServiceStatus>,
    /// Why it can't be connected.
    pub error: Option<String>,
}

/// How one service of a backend is.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStatus {
    /// What it runs on.
    #[serde(flatten)]
    pub info: ServiceInfo,
    /// Whether it answered.
    pub healthy: bool,
    /// How long the answer took, in milliseconds.
    pub latency_ms: f64,
    /// Why it did not answer.
    pub error: Option<String>,
}

pub(crate) async fn read(config: &Config, backends: &Backends, route: &Route, switcher: &Switcher) -> Status {
    let mut found = Vec::new();
    for name in config.file.backend.keys() {
        let active = *name == route.owner;
        found.push(match backends.get(name).await {
            Ok(backend) => {
                let services = probe(&backend, config.file.health.timeout).await;
                BackendStatus { name: name.clone(), active, services, error: None }
            }
            Err(error) => BackendStatus {
                name: name.clone(),
                active,
                services: Vec::new(),
                error: Some(error.message().to_owned()),
            },
        });
    }
    let switch = switcher.latest().await.ok().flatten();
    Status { route: route.clone(), backends: found, switch }
}

async fn probe(backend: &Arc<Backend>, timeout: Duration) -> Vec<ServiceStatus> {
    let cx = Context::system().within(timeout);
    let mut services = Vec::new();
    for info in &backend.services {
        let began = Instant::now();
        let answer: Result<()> = match info.service {
            "objects" => backend.objects().with(cx.clone()).send(Check).await,
            "storage" if !info.is_native() => {
                Storage::new(backend.storage(), cx.clone()).send(ListBuckets).await.map(drop)
            }
            "auth" if !info.is_native() => {
                Auth::new(backend.auth(), cx.clone()).send(Settings).await.map(drop)
            }
            // Engines keep their state in the database: they are as well as it is.
            _ => backend.database().with(cx.clone()).send(Ping).await,
        };
        services.push(ServiceStatus {
            info: info.clone(),
            healthy: answer.is_ok(),
            latency_ms: began.elapsed().as_secs_f64() * 1000.0,
            error: answer.err().map(|error| error.message().to_owned()),
        });
    }
    services
}
