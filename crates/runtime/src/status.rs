//! How a project is.

use std::sync::Arc;

use serde::Serialize;
use truststream_kernel::Service;
use truststream_layers::BreakerStatus;
use truststream_services::database::DatabaseService;
use truststream_switch::{FailoverReport, Member, MirrorStatus, Mirrors, Progress, Record, Route, Steering};

use crate::backends::Backends;
use crate::config::HealthConfig;
use crate::health;
use crate::{Backend, Config, ServiceInfo};

/// How a project is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Who serves.
    pub route: Route,
    /// The gateways that share the control store; none if there is only this one.
    pub gateways: Vec<Member>,
    /// All backends.
    pub backends: Vec<BackendStatus>,
    /// The mirror of the backend that serves.
    pub mirror: Option<MirrorShown>,
    /// The latest failover.
    pub failover: Option<FailoverReport>,
    /// The latest switch.
    pub switch: Option<Record>,
    /// How far it is, if it is or was under way since the gateway that leads was started.
    pub progress: Option<Progress>,
}

/// How a mirror stands, and what it is for.
#[derive(Clone, Debug, Serialize)]
pub struct MirrorShown {
    /// How it stands.
    #[serde(flatten)]
    pub status: MirrorStatus,
    /// Reads go there while the backend that serves does not answer.
    pub reads: bool,
    /// After how long without an answer it takes over, in milliseconds; never by itself if absent.
    pub failover_after_ms: Option<u64>,
}

/// Whether requests can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// All can.
    Ready,
    /// Reads can, from the mirror.
    Reads,
    /// None can.
    Down,
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
    /// Whether calls reach it; absent for what TrustStream runs itself on the database.
    pub breaker: Option<BreakerStatus>,
}

pub(crate) async fn read(
    config: &Config,
    backends: &Backends,
    route: &Route,
    steering: &Steering,
    mirrors: &Mirrors,
) -> Status {
    let mut found = Vec::new();
    for name in config.file.backend.keys() {
        let active = *name == route.owner;
        found.push(match backends.get(name).await {
            Ok(backend) => {
                let services = services(&backend, &config.file.health).await;
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
    let switch = steering.switcher().latest().await.ok().flatten();
    let progress = steering.progress().await;
    let failover = mirrors.failovers().await.ok().and_then(|mut failovers| failovers.pop());
    Status {
        route: route.clone(),
        gateways: steering.members(),
        backends: found,
        mirror: mirrors.status().map(|status| shown(config, status)),
        failover: failover.map(|failover| failover.report),
        switch,
        progress,
    }
}

fn shown(config: &Config, status: MirrorStatus) -> MirrorShown {
    let configured = config.mirror_of(&status.from).filter(|mirror| *mirror.to.get_ref() == status.to);
    let after = configured.and_then(|mirror| mirror.failover);
    MirrorShown {
        reads: configured.is_some_and(|mirror| mirror.reads),
        failover_after_ms: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        status,
    }
}

/// What is run by TrustStream itself is as well as the database that it keeps its state in.
async fn services(backend: &Arc<Backend>, config: &HealthConfig) -> Vec<ServiceStatus> {
    let answers = health::look(backend, config).await;
    let mut services = Vec::new();
    for info in &backend.services {
        let probed = if info.is_native() { DatabaseService::NAME } else { info.service };
        let Some(answer) = answers.iter().find(|answer| answer.service == probed) else { continue };
        let breaker = backend.probes().iter().find(|probe| probe.service() == info.service);
        services.push(ServiceStatus {
            info: info.clone(),
            healthy: answer.failure.is_none(),
            latency_ms: answer.took.as_secs_f64() * 1000.0,
            error: answer.failure.clone(),
            breaker: breaker.map(|probe| probe.breaker().status()),
        });
    }
    services
}
