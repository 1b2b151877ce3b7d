//! What is known of whether a provider answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::metrics::{counter, gauge};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use truststream_kernel::{Error, Outcome, Result, Retry};

use super::BreakerConfig;

/// Transitions that are remembered.
const REMEMBERED: usize = 32;

const STATE: &str = "truststream_breaker_state";
const OPENED: &str = "truststream_breaker_opened_total";

/// Whether calls reach a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// They do.
    #[default]
    Closed,
    /// One does, to find out.
    HalfOpen,
    /// None does: the provider does not answer.
    Open,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The state since.
    pub to: BreakerState,
    /// What led to it.
    pub reason: String,
}

/// A breaker as people look at it.
#[derive(Clone, Debug, Serialize)]
pub struct BreakerStatus {
    /// Its state.
    pub state: BreakerState,
    /// Failures since the last answer.
    pub failures: u32,
    /// Calls of the present window.
    pub calls: u64,
    /// Failures among them.
    pub errors: u64,
    /// Since when it has not been closed, in milliseconds since 1970.
    pub down_since_ms: Option<u64>,
    /// When the provider was last known to answer, in milliseconds since 1970.
    pub answered_ms: Option<u64>,
    /// Its latest changes of state, the last one last.
    pub history: Vec<Transition>,
}

/// Counts answers and failures of one provider, and keeps calls away from it while it is down.
pub struct Breaker {
    backend: String,
    service: &'static str,
    config: BreakerConfig,
    state: watch::Sender<BreakerState>,
    failures: AtomicU32,
    calls: AtomicU64,
    errors: AtomicU64,
    /// Milliseconds since `began`, so that an answer costs no lock.
    answered: AtomicU64,
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    window: Instant,
    /// When it opened after having been closed.
    down: Option<Instant>,
    /// When the next call may try.
    due: Instant,
    history: VecDeque<Transition>,
}

impl Breaker {
    /// A closed breaker for a service of a backend.
    pub fn new(backend: &str, service: &'static str, config: BreakerConfig) -> Self {
        let now = Instant::now();
        let inner = Inner { window: now, down: None, due: now, history: VecDeque::new() };
        let breaker = Breaker {
            backend: backend.to_owned(),
            service,
            config,
            state: watch::Sender::default(),
            failures: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            began: now,
            inner: Mutex::new(inner),
        };
        breaker.show(BreakerState::Closed);
        breaker
    }

    /// Its state.
    pub fn state(&self) -> BreakerState {
        *self.state.borrow()
    }

    /// Follows its state.
    pub fn watch(&self) -> watch::Receiver<BreakerState> {
        self.state.subscribe()
    }

    /// How long it has not been closed, if it is not.
    pub fn down_for(&self) -> Option<Duration> {
        self.inner.lock().down.map(|down| down.elapsed())
    }

    /// Whether a call may go to the provider. While it is open one call at a time may, to find out.
    ///
    /// # Errors
    /// `Unavailable`, nothing applied, with the time after which it is worth another try.
    pub fn admit(&self) -> Result<()> {
        if self.state() == BreakerState::Closed {
            return Ok(());
        }
        let mut inner = self.inner.lock();
        let now = Instant::now();
        if self.state() == BreakerState::Closed {
            return Ok(());
        }
        if now < inner.due {
            return Err(self.refusal(inner.due - now));
        }
        inner.due = now + self.config.open;
        self.enter(&mut inner, BreakerState::HalfOpen, "one call tries");
        Ok(())
    }

    /// The provider answered.
    pub fn succeeded(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(elapsed.max(1), Ordering::Relaxed);
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.state() == BreakerState::Closed {
            return;
        }
        let mut inner = self.inner.lock();
        inner.down = None;
        self.start_window(&mut inner);
        self.enter(&mut inner, BreakerState::Closed, "it answers again");
    }

    /// The provider did not answer, or not as it should.
    pub fn failed(&self, reason: &str) {
        let mut inner = self.inner.lock();
        if inner.window.elapsed() > self.config.window {
            self.start_window(&mut inner);
        }
        let in_a_row = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let errors = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        match self.state() {
            BreakerState::Closed => {
                let rate = errors as f64 / calls as f64;
                let why = if self.config.failures > 0 && in_a_row >= self.config.failures {
                    format!("{in_a_row} failures in a row, the last: {reason}")
                } else if calls >= self.config.least_calls && rate >= self.config.error_rate {
                    format!("{errors} of {calls} calls failed, the last: {reason}")
                } else {
                    return;
                };
                inner.down = Some(Instant::now());
                counter!(OPENED, "backend" => self.backend.clone(), "service" => self.service).increment(1);
                self.open(&mut inner, &why);
            }
            BreakerState::HalfOpen => self.open(&mut inner, reason),
            BreakerState::Open => {}
        }
    }

    /// How it stands.
    pub fn status(&self) -> BreakerStatus {
        let inner = self.inner.lock();
        let answered = self.answered.load(Ordering::Relaxed);
        let ago = |past: Duration| now_ms().saturating_sub(u64::try_from(past.as_millis()).unwrap_or(0));
        let since_answer = || self.began.elapsed().saturating_sub(Duration::from_millis(answered));
        BreakerStatus {
            state: self.state(),
            failures: self.failures.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            down_since_ms: inner.down.map(|down| ago(down.elapsed())),
            answered_ms: (answered > 0).then(|| ago(since_answer())),
            history: inner.history.iter().cloned().collect(),
        }
    }

    fn open(&self, inner: &mut Inner, reason: &str) {
        inner.due = Instant::now() + self.config.open;
        self.enter(inner, BreakerState::Open, reason);
    }

    fn start_window(&self, inner: &mut Inner) {
        inner.window = Instant::now();
        self.calls.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
    }

    fn enter(&self, inner: &mut Inner, to: BreakerState, reason: &str) {
        let from = self.state.send_replace(to);
        // Trying in vain, again and again, is no news.
        let news = from != to && !(from == BreakerState::HalfOpen && to == BreakerState::Open);
        if !news || to == BreakerState::HalfOpen {
            return self.show(to);
        }
        let (backend, service) = (self.backend.as_str(), self.service);
        match to {
            BreakerState::Open => tracing::warn!(backend, service, reason, "a provider is down"),
            _ => tracing::info!(backend, service, "a provider answers again"),
        }
        inner.history.push_back(Transition { at_ms: now_ms(), to, reason: reason.to_owned() });
        if inner.history.len() > REMEMBERED {
            inner.history.pop_front();
        }
        self.show(to);
    }

    fn show(&self, state: BreakerState) {
        let value = match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        gauge!(STATE, "backend" => self.backend.clone(), "service" => self.service).set(value);
    }

    fn refusal(&self, wait: Duration) -> Error {
        let message = format!("the {} of backend `{}` does not answer", self.service, self.backend);
        Error::unavailable(message)
            .with_hint("`truststream status` tells since when and why")
            .with_outcome(Outcome::NotApplied)
            .with_retry(Retry::Later(Some(wait)))
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
