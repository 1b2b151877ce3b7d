//! Giving the place of a backend that does not answer to its mirror.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truststream_kernel::{ErrorKind, Result};
use truststream_switch::{Gate, LED_ELSEWHERE, Mirrors};

use crate::Config;
use crate::backends::Backends;
use crate::health;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// How long a failover that did not succeed waits for its next attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// Connects the backend that serves. Its mirror takes its place if it does not answer, at a start as
/// later.
///
/// # Errors
/// What keeps it from being connected, if it has no mirror that may take its place.
pub(crate) async fn open_owner(
    config: &Config,
    gate: &Gate,
    backends: &Backends,
    mirrors: &Mirrors,
) -> Result<()> {
    let began = Instant::now();
    loop {
        let owner = gate.route().owner.clone();
        let error = match connect(backends, &owner).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let allowed = config.mirror_of(&owner).and_then(|mirror| mirror.failover);
        let Some(allowed) = allowed.filter(|_| error.kind() == ErrorKind::Unavailable) else {
            return Err(error);
        };
        if began.elapsed() < allowed {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let reason = format!("`{owner}` did not answer at the start: {}", error.message());
        if let Err(refused) = mirrors.fail_over(&reason, None, began.elapsed()).await {
            // Whoever leads may reach it, or have the mirror serve in a moment.
            if refused.code() == LED_ELSEWHERE && began.elapsed() < allowed * 3 {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            tracing::error!(error = ?refused, backend = owner, "its mirror can't take its place");
            return Err(error);
        }
    }
}

async fn connect(backends: &Backends, name: &str) -> Result<()> {
    backends.get(name).await?.install().await
}

/// Watches the backend that serves, and has its mirror take its place when it is lost.
pub(crate) async fn watch(
    config: Arc<Config>,
    gate: Arc<Gate>,
    backends: Arc<Backends>,
    mirrors: Arc<Mirrors>,
) {
    let mut refused: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        // One of several decides: a gateway that alone can't reach a backend must not have it replaced.
        if !mirrors.leads() || refused.is_some_and(|refused| refused.elapsed() < AGAIN) {
            continue;
        }
        let Some(lost) = lost(&config, &gate, &backends).await else { continue };
        let reason = format!("`{}` did not answer for {:.1?}: {}", lost.backend, lost.down, lost.reason);
        refused = match mirrors.fail_over(&reason, lost.answered_ms, lost.down).await {
            Ok(_) => None,
            Err(error) => {
                tracing::error!(
                    ?error,
                    backend = lost.backend,
                    "it is down, and its mirror can't take its place"
                );
                Some(Instant::now())
            }
        };
    }
}

/// A backend that has been down for as long as its configuration allows.
struct Lost {
    backend: String,
    down: Duration,
    reason: String,
    answered_ms: Option<u64>,
}

async fn lost(config: &Config, gate: &Gate, backends: &Backends) -> Option<Lost> {
    let owner = gate.route().owner.clone();
    let allowed = config.mirror_of(&owner)?.failover?;
    let backend = backends.connected(&owner)?;
    let breaker = backend.database_breaker()?;
    let down = breaker.down_for().filter(|down| *down >= allowed)?;
    // Asked once more, at the last moment.
    let answers = health::look(&backend, &config.file.health).await;
    let reason = answers.into_iter().find(|answer| answer.service == "database")?.failure?;
    Some(Lost { backend: owner, down, reason, answered_ms: breaker.status().answered_ms })
}
