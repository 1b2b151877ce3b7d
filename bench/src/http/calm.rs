//! Measuring on a machine that others use too: wait for a calm moment, and take disturbed stretches again.
//!
//! What decides is only how much everything else ran, never what was measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::load::{Effort, Sample};
use super::scenario::Scenario;
use super::stand::Stand;
use crate::data::Dataset;
use crate::process::machine_cpu_seconds;

/// Requests of different attempts never share a number; none has 2^28 of them.
const NUMBERS_AN_ATTEMPT: u64 = 1 << 28;
const MOST_ATTEMPTS: u64 = 4;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(500);

/// Measures a stretch; with `limit`, the calmest of a few attempts, ending at the first that stays below it.
pub async fn measure(
    stand: &mut Stand,
    scenario: Scenario,
    data: &Arc<Dataset>,
    stretch: u64,
    effort: Effort,
    limit: Option<f64>,
) -> Result<Sample> {
    let mut calmest: Option<Sample> = None;
    for attempt in 0..MOST_ATTEMPTS {
        wait(limit).await;
        let first = (stretch * MOST_ATTEMPTS + attempt) * NUMBERS_AN_ATTEMPT;
        let sample = stand.measure(scenario, data, first, effort).await?;
        if limit.is_none_or(|limit| sample.other_cores <= limit) {
            return Ok(sample);
        }
        calmest = match calmest {
            Some(best) if best.other_cores <= sample.other_cores => Some(best),
            _ => Some(sample),
        };
    }
    // Only reached after at least one attempt.
    calmest.ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}

/// Waits until the machine, whose peers are all idle now, is nearly so itself; not at all without a `limit`.
pub async fn wait(limit: Option<f64>) {
    let Some(limit) = limit else { return };
    let until = Instant::now() + LONGEST_WAIT;
    while Instant::now() < until {
        let before = machine_cpu_seconds();
        tokio::time::sleep(GLANCE).await;
        if (machine_cpu_seconds() - before) / GLANCE.as_secs_f64() <= limit {
            return;
        }
    }
}
