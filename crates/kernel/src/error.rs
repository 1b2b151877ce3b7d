//! The one error of TrustStream: small, portable, and safe to show.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in terms every service shares. Numbers never change: metrics store them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// The request is malformed or of the wrong type.
    InvalidInput = 1,
    /// No valid credentials.
    Unauthenticated = 2,
    /// Valid credentials that may not do this.
    PermissionDenied = 3,
    /// What was asked for does not exist, or the caller may not know of it.
    NotFound = 4,
    /// It exists already (unique keys, names).
    AlreadyExists = 5,
    /// A rule of the data forbids it (foreign key, check, not null).
    Constraint = 6,
    /// Another transaction won; repeat the whole transaction.
    Conflict = 7,
    /// The provider can't do it; refused before any effect.
    Unsupported = 8,
    /// Too many requests.
    RateLimited = 9,
    /// Larger than a configured limit.
    TooLarge = 10,
    /// The deadline passed.
    Timeout = 11,
    /// The provider can't be reached or is overloaded.
    Unavailable = 12,
    /// Writes of this route are held back while it changes.
    Fenced = 13,
    /// The configuration is wrong.
    Configuration = 14,
    /// A defect of TrustStream or an answer nobody foresaw.
    Internal = 15,
}

impl ErrorKind {
    /// All kinds, by number.
    pub const ALL: &'static [ErrorKind] = &[
        ErrorKind::InvalidInput,
        ErrorKind::Unauthenticated,
        ErrorKind::PermissionDenied,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Constraint,
        ErrorKind::Conflict,
        ErrorKind::Unsupported,
        ErrorKind::RateLimited,
        ErrorKind::TooLarge,
        ErrorKind::Timeout,
        ErrorKind::Unavailable,
        ErrorKind::Fenced,
        ErrorKind::Configuration,
        ErrorKind::Internal,
    ];

    /// The name metrics and logs use, such as `permission_denied`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::PermissionDenied => "permission_denied",
            ErrorKind::NotFound => "not_found",
            ErrorKind::AlreadyExists => "already_exists",
            ErrorKind::Constraint => "constraint",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::RateLimited => "rate_limited",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Fenced => "fenced",
            ErrorKind::Configuration => "configuration",
            ErrorKind::Internal => "internal",
        }
    }
}

/// Whether repeating the operation may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// It may succeed, after the given time if one is known.
    Later(Option<Duration>),
    /// It was repeated already, as often as is sensible.
    Exhausted,
}

/// Whether the operation took effect although it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed.
    NotApplied,
    /// It may or may not have been applied (a connection lost between request and reply).
    Unknown,
}

/// An error of any service and provider. One pointer wide.
///
/// `Display` is the public sentence. The cause chain ([`StdError::source`]) is for logs only and
/// never part of a public text.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Option<Json>,
    hint: Option<Cow<'static, str>>,
    retry: Retry,
    outcome: Outcome,
    operation: Option<&'static str>,
    provider: Option<&'static str>,
    step: Option<usize>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its kind, stable code (a SQLSTATE, a `PGRST…`, `BACKEND_…` or a service's own
    /// code) and public sentence.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let retry = match kind {
            ErrorKind::Conflict
            | ErrorKind::RateLimited
            | ErrorKind::Timeout
            | ErrorKind::Unavailable
            | ErrorKind::Fenced => Retry::Later(None),
            _ => Retry::Never,
        };
        Error(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            details: None,
            hint: None,
            retry,
            outcome: Outcome::NotApplied,
            operation: None,
            provider: None,
            step: None,
            source: None,
        }))
    }

    /// A malformed request: SQLSTATE 22023, invalid parameter value.
    pub fn invalid_input(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::InvalidInput, "22023", message)
    }

    /// The caller may not do this: SQLSTATE 42501.
    pub fn permission_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::PermissionDenied, "42501", message)
    }

    /// A feature the provider lacks: SQLSTATE 0A000.
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Unsupported, "0A000", message)
    }

    /// More bytes than allowed: SQLSTATE 54000.
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::TooLarge, "54000", message)
    }

    /// The deadline passed: SQLSTATE 57014.
    pub fn timeout(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Timeout, "57014", message)
    }

    /// The provider can't be reached: `BACKEND_005`.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Unavailable, "BACKEND_005", message)
    }

    /// A wrong configuration: `BACKEND_002`.
    pub fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Configuration, "BACKEND_002", message)
    }

    /// A defect: SQLSTATE XX000.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Internal, "XX000", message)
    }

    /// Adds what exactly was wrong.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Json>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same without what the user can do about it.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.0.hint = None;
        self
    }

    /// Adds the cause, for logs.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says whether repeating helps, where the kind alone does not tell.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says that the operation may have been applied.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Names the operation and provider, unless named already.
    #[must_use]
    pub fn during(mut self, operation: &'static str, provider: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self.0.provider.get_or_insert(provider);
        self
    }

    /// Says which of several steps failed, unless said already.
    #[must_use]
    pub fn at_step(mut self, index: usize) -> Self {
        self.0.step.get_or_insert(index);
        self
    }

    /// Says which of several steps failed, in the counting of the caller.
    #[must_use]
    pub fn of_step(mut self, index: usize) -> Self {
        self.0.step = Some(index);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The public sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What exactly was wrong: usually a text, for ambiguities a list of candidates.
    pub fn details(&self) -> Option<&Json> {
        self.0.details.as_ref()
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether repeating may help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Whether it may have been applied.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The operation that failed, if known.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The provider that reported it, if any did.
    pub fn provider(&self) -> Option<&'static str> {
        self.0.provider
    }

    /// Which of several steps failed, from 0, if there were several.
    pub fn step(&self) -> Option<usize> {
        self.0.step
    }

    /// The provider's own error, for those who know which provider it is.
    pub fn native<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.source.as_deref().and_then(|source| source.downcast_ref::<E>())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "{:?} {}: {}", inner.kind, inner.code, inner.message)?;
        for (label, text) in [("provider", inner.provider), ("operation", inner.operation)] {
            if let Some(text) = text {
                write!(f, "\n  {label}: {text}")?;
            }
        }
        if let Some(details) = &inner.details {
            write!(f, "\n  details: {details}")?;
        }
        if let Some(hint) = &inner.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
