//! One fault: what goes wrong, on which operations, how often.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use truststream_kernel::{Effect, Error, ErrorKind, OpInfo, Outcome, units};

/// What goes wrong, on which operations, and how often.
///
/// ```
/// # use truststream_layers::{Applied, Fault};
/// # use truststream_kernel::ErrorKind;
/// # use std::time::Duration;
/// let slow = Fault::latency(Duration::from_millis(20)).jitter(Duration::from_millis(10));
/// let flaky = Fault::error(ErrorKind::Unavailable).on("database.select").rate(0.1);
/// let cut = Fault::connection_lost(Applied::Always).on("insert").times(1);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Operations it strikes, as `insert` or `database.insert`. If there is none: all reads and
    /// writes; administration (migrations, copying) is only struck by its name.
    pub operations: Vec<String>,
    /// Part of those operations that it strikes, from 0 to 1.
    pub rate: f64,
    /// It ends after so many strikes; never if absent.
    pub times: Option<u64>,
    /// Time that an operation waits before it begins.
    #[serde(with = "units::time")]
    pub latency: Duration,
    /// Up to so much is added to the latency, evenly spread.
    #[serde(with = "units::time")]
    pub jitter: Duration,
    /// How it fails: the name of an error's kind, such as `unavailable`, or `connection_lost`. If
    /// absent, it is only late.
    pub error: Option<Failure>,
    /// Whether the operation is carried out although it fails.
    pub applied: Applied,
    /// The step of a batch that fails, from 0, after those before it: only batches are struck, and as a
    /// batch is all or none, nothing of it is applied.
    pub step: Option<usize>,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The provider reports an error of this kind.
    Kind(ErrorKind),
    /// The connection breaks between request and reply: a write's outcome is unknown.
    ConnectionLost,
}

/// Whether an operation that fails is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// It fails before anything is done.
    #[default]
    Never,
    /// All of it is done, and only the reply is lost: a batch, too, is applied as a whole.
    Always,
    /// One or the other, by the seed.
    Either,
}

impl Default for Fault {
    fn default() -> Self {
        Fault {
            operations: Vec::new(),
            rate: 1.0,
            times: None,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            error: None,
            applied: Applied::Never,
            step: None,
        }
    }
}

impl Fault {
    /// Operations begin late.
    pub fn latency(latency: Duration) -> Self {
        Fault { latency, ..Fault::default() }
    }

    /// Operations fail before anything is done, with an error of this kind.
    pub fn error(kind: ErrorKind) -> Self {
        Fault { error: Some(Failure::Kind(kind)), ..Fault::default() }
    }

    /// The connection breaks, before or after the operation was carried out.
    pub fn connection_lost(applied: Applied) -> Self {
        Fault { error: Some(Failure::ConnectionLost), applied, ..Fault::default() }
    }

    /// Strikes this operation (`insert`, `database.insert`), and others named so.
    #[must_use]
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.operations.push(operation.into());
        self
    }

    /// Strikes only this part of the operations, from 0 to 1.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Strikes only batches, of which this step fails (from 0).
    #[must_use]
    pub fn at_step(mut self, index: usize) -> Self {
        self.step = Some(index);
        self
    }

    /// Ends after so many strikes.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Adds up to so much to the latency.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    pub(super) fn concerns(&self, service: &str, info: &OpInfo) -> bool {
        if self.step.is_some() && info.name != "batch" {
            return false;
        }
        if self.operations.is_empty() {
            return info.effect != Effect::Admin;
        }
        self.operations.iter().any(|name| match name.split_once('.') {
            Some((of, operation)) => of == service && operation == info.name,
            None => name == info.name,
        })
    }

    /// The latency for a number from 0 to 1.
    pub(super) fn delay(&self, chance: f64) -> Duration {
        self.latency + self.jitter.mul_f64(chance)
    }
}

impl Failure {
    pub(super) fn error(self, info: &OpInfo) -> Error {
        let kind = match self {
            Failure::Kind(kind) => kind,
            Failure::ConnectionLost => {
                let error = Error::unavailable("the connection was lost (injected fault)");
                let unknown = info.effect != Effect::Read;
                return if unknown { error.with_outcome(Outcome::Unknown) } else { error };
            }
        };
        Error::new(kind, code(kind), format!("{}: injected fault", kind.name().replace('_', " ")))
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "connection_lost" {
            return Ok(Failure::ConnectionLost);
        }
        let kind = ErrorKind::ALL.iter().find(|kind| kind.name() == name);
        kind.map(|kind| Failure::Kind(*kind)).ok_or_else(|| {
            let names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
            let expected = names.join(", ");
            serde::de::Error::custom(format!(
                "no kind of error is named `{name}`; expected connection_lost or one of {expected}"
            ))
        })
    }
}

/// The code that providers give most errors of a kind.
fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidInput => "22023",
        ErrorKind::Unauthenticated => "28000",
        ErrorKind::PermissionDenied => "42501",
        ErrorKind::NotFound => "42P01",
        ErrorKind::AlreadyExists => "23505",
        ErrorKind::Constraint => "23514",
        ErrorKind::Conflict => "40001",
        ErrorKind::Unsupported => "0A000",
        ErrorKind::RateLimited => "53300",
        ErrorKind::TooLarge => "54000",
        ErrorKind::Timeout => "57014",
        ErrorKind::Unavailable => "BACKEND_005",
        ErrorKind::Fenced => "BACKEND_006",
        ErrorKind::Configuration => "BACKEND_002",
        ErrorKind::Internal => "XX000",
    }
}
