//! What can be known of an operation without knowing its service.

use std::fmt::{self, Debug, Write};

use crate::FeatureSet;

/// What an operation does to the state behind its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Reads; may be repeated and served by a replica.
    Read,
    /// Changes what applications stored; held back while a route is fenced.
    Write,
    /// Concerns a backend itself (schema, capture, copying); never held back by a fence.
    Admin,
}

/// Name and nature of an operation, for logs, metrics, retries and fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpInfo {
    /// The driver method's name, such as `select`.
    pub name: &'static str,
    /// Whether it reads, writes or administers.
    pub effect: Effect,
    /// Whether applying it twice leaves the same state as applying it once.
    pub idempotent: bool,
}

/// One request to a service, as a value.
pub trait Operation: Debug + Send + Sync + 'static {
    /// Name and nature.
    fn info(&self) -> OpInfo;

    /// The features a driver must have to answer it.
    fn needs(&self) -> FeatureSet;

    /// Writes what kind of request it is, without any value in it: requests that differ only in values
    /// have the same text. Nothing, if it is of no interest to who looks for what is asked.
    ///
    /// # Errors
    /// Those of `out`.
    fn shape(&self, _out: &mut dyn Write) -> fmt::Result {
        Ok(())
    }
}

/// Features that one kind of operation needs, derived from its arguments.
pub trait Requires {
    /// The features this very request needs; none by default.
    fn needs(&self) -> FeatureSet {
        FeatureSet::EMPTY
    }

    /// What this very request does, where its arguments decide it (a function call that only
    /// reads). `None` keeps what the table of operations says.
    fn effect(&self) -> Option<Effect> {
        None
    }

    /// See [`Operation::shape`].
    ///
    /// # Errors
    /// Those of `out`.
    fn shape(&self, _out: &mut dyn Write) -> fmt::Result {
        Ok(())
    }
}
