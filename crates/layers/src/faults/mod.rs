//! Faults on purpose: latency, errors and lost connections, by which applications and TrustStream
//! itself are tested.
//!
//! Faults come from the configuration and from code, at any time, and strike between the timeout
//! and the driver, so that everything above meets them as it would meet the provider's own. Which
//! operations are struck is decided by a seed and by how many operations a fault has met, so the
//! same run fails the same way.

mod chance;
mod fault;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use truststream_kernel::{
    BoxFuture, Call, Context, Error, Features, Layer, OpInfo, Operation, Result, Service, Stack,
};

use chance::chance;
pub use fault::{Applied, Failure, Fault};

/// `[layers.faults]` and `[backend.x.faults]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultsConfig {
    /// Faults are refused outside of development unless this says that they are meant.
    pub allow_in_production: bool,
    /// Decides which operations are struck.
    pub seed: u64,
    /// The faults.
    pub rules: Vec<Fault>,
}

/// A set of faults that can be changed at any time: add one, see how the application bears it,
/// remove it. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    seed: u64,
    next: AtomicU64,
    rules: ArcSwap<Vec<Arc<Rule>>>,
}

/// A fault that is in force, to [`Faults::remove`] it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

#[derive(Debug)]
struct Rule {
    id: FaultId,
    fault: Fault,
    met: AtomicU64,
    struck: AtomicU64,
}

impl Faults {
    /// No faults yet; those to come strike as `seed` decides.
    pub fn seeded(seed: u64) -> Self {
        Faults { shared: Arc::new(Shared { seed, ..Shared::default() }) }
    }

    /// The faults of a configuration.
    pub fn new(config: &FaultsConfig) -> Self {
        let faults = Faults::seeded(config.seed);
        for fault in &config.rules {
            faults.add(fault.clone());
        }
        faults
    }

    /// Puts a fault in force. Operations under way are not struck any more.
    pub fn add(&self, fault: Fault) -> FaultId {
        let id = FaultId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let rule = Arc::new(Rule { id, fault, met: AtomicU64::new(0), struck: AtomicU64::new(0) });
        self.shared.rules.rcu(|rules| {
            let added = rules.iter().chain(std::iter::once(&rule));
            added.map(Arc::clone).collect::<Vec<_>>()
        });
        id
    }

    /// Ends a fault and says how often it struck; `None` if it had been removed.
    pub fn remove(&self, id: FaultId) -> Option<u64> {
        let before = self.shared.rules.rcu(|rules| {
            let others = rules.iter().filter(|rule| rule.id != id);
            others.map(Arc::clone).collect::<Vec<_>>()
        });
        let removed = before.iter().find(|rule| rule.id == id)?;
        Some(removed.struck.load(Ordering::Relaxed))
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.shared.rules.store(Arc::default());
    }

    /// How often a fault that is in force has struck.
    pub fn struck(&self, id: FaultId) -> Option<u64> {
        let rules = self.shared.rules.load();
        rules.iter().find(|rule| rule.id == id).map(|rule| rule.struck.load(Ordering::Relaxed))
    }

    /// What strikes an operation.
    fn strike(&self, service: &str, info: &OpInfo) -> Option<Strike> {
        let rules = self.shared.rules.load();
        let mut struck: Option<Strike> = None;
        for rule in rules.iter().filter(|rule| rule.fault.concerns(service, info)) {
            let Some(strike) = rule.strike(self.shared.seed, info) else { continue };
            let all = struck.get_or_insert_with(Strike::default);
            all.delay += strike.delay;
            all.failure = all.failure.take().or(strike.failure);
        }
        struck
    }
}

/// What strikes one operation.
#[derive(Default)]
struct Strike {
    delay: Duration,
    /// The error, and whether the operation is carried out before it.
    failure: Option<(Error, bool)>,
}

impl Rule {
    fn strike(&self, seed: u64, info: &OpInfo) -> Option<Strike> {
        let met = self.met.fetch_add(1, Ordering::Relaxed);
        let chance = |purpose| chance([seed, self.id.0, met, purpose]);
        if chance(0) >= self.fault.rate || !self.counts() {
            return None;
        }
        let applied = match self.fault.applied {
            Applied::Never => false,
            Applied::Always => true,
            Applied::Either => chance(1) < 0.5,
        };
        let failure = self.fault.error.map(|failure| match self.fault.step {
            Some(step) => (failure.error(info).at_step(step), false),
            None => (failure.error(info), applied),
        });
        Some(Strike { delay: self.fault.delay(chance(2)), failure })
    }

    /// Counts a strike unless there were as many as there may be.
    fn counts(&self) -> bool {
        let most = self.fault.times.unwrap_or(u64::MAX);
        let more = |struck| (struck < most).then_some(struck + 1);
        self.struck.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl<S: Service> Layer<S> for Faults {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Faulty { inner, faults: self.clone() })
    }
}

struct Faulty<S: Service> {
    inner: Stack<S>,
    faults: Faults,
}

impl<S: Service> Call<S> for Faulty<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        if self.faults.shared.rules.load().is_empty() {
            return self.inner.call(cx, op);
        }
        let info = op.info();
        let Some(strike) = self.faults.strike(S::NAME, &info) else { return self.inner.call(cx, op) };
        Box::pin(async move {
            if !strike.delay.is_zero() {
                tokio::time::sleep(strike.delay).await;
            }
            let Some((error, applied)) = strike.failure else { return self.inner.call(cx, op).await };
            if applied {
                // What the operation itself reports comes first: it was not applied then.
                self.inner.call(cx, op).await?;
            }
            Err(error.during(info.name, "faults"))
        })
    }
}

#[cfg(test)]
mod tests;
