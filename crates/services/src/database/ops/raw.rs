//! Queries in the database's own SQL.

use serde_json::Value as Json;
use truststream_kernel::{Effect, FeatureSet, Requires};

use crate::database::DatabaseFeature;

/// One statement in the database's own SQL. Only TrustStream itself and the service role may send
/// it: no policy stands between it and the rows.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The statement; parameters are `$1`, `$2` and so on.
    pub sql: String,
    /// Values of the parameters, in order. Texts are in PostgreSQL's input syntax of the parameter's
    /// type, arrays and objects are JSON documents.
    pub parameters: Vec<Json>,
    /// Run in a transaction that can't write.
    pub read_only: bool,
}

impl Raw {
    /// A statement without parameters that may write.
    pub fn new(sql: impl Into<String>) -> Self {
        Raw { sql: sql.into(), parameters: Vec::new(), read_only: false }
    }
}

impl Requires for Raw {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::RawQueries])
    }

    fn effect(&self) -> Option<Effect> {
        self.read_only.then_some(Effect::Read)
    }
}
