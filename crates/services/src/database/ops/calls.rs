//! Calling functions of the database.

use truststream_kernel::{Body, Effect, FeatureSet, Requires};

use super::needs::needs_in;
use super::shape;
use super::{Format, Transaction};
use crate::database::{Count, DatabaseFeature, Filter, Query, TableName};

/// Calls a function of the database.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// Which function.
    pub function: TableName,
    /// With what.
    pub arguments: Arguments,
    /// What to take of the rows it returns. For [`Arguments::Named`], names that are not
    /// parameters arrive as filters here.
    pub query: Query,
    /// Run in a read-only transaction (`GET`, `HEAD`).
    pub read_only: bool,
    /// Whether to count.
    pub count: Option<Count>,
    /// In which representation.
    pub format: Format,
    /// How the transaction is run.
    pub transaction: Transaction,
}

/// Arguments of a call.
#[derive(Clone, Debug)]
pub enum Arguments {
    /// A JSON object of parameters, or any JSON for a function with one unnamed parameter.
    Json(Body),
    /// Parameters as texts, in order and with repetitions (variadics); also those that turn out
    /// not to be parameters, each with the filter it would be.
    Named(Vec<NamedArgument>),
    /// A raw body for a function with one unnamed parameter.
    Raw {
        /// `text/plain`, `text/xml` or `application/octet-stream`.
        media_type: String,
        /// The body.
        body: Body,
    },
}

/// A parameter of a `GET` call: a value, or a filter on the result if the function has no
/// parameter of that name.
#[derive(Clone, Debug)]
pub struct NamedArgument {
    /// Name as written.
    pub name: String,
    /// Text as written.
    pub value: String,
    /// The filter it means otherwise, or the error in it.
    pub filter: Option<Filter>,
}

impl Requires for Invoke {
    fn needs(&self) -> FeatureSet {
        needs_in(&self.query, &self.format).with(DatabaseFeature::Functions)
    }

    fn effect(&self) -> Option<Effect> {
        self.read_only.then_some(Effect::Read)
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        shape::query(out, "call", &self.function, &self.query)
    }
}
