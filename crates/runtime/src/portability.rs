//! What of a project each engine runs natively, emulates, or can't host.
//!
//! Nothing is known here of any engine: what it can't hold is what its review of the migrations says,
//! what it emulates is what its features and it itself say, both asked without a connection.

mod judge;
mod places;

use indexmap::IndexMap;
use serde::Serialize;
use truststream_kernel::Result;
use truststream_services::database::Catalog;

use crate::providers::DATABASES;
use crate::{ObservedQueries, ProjectFiles};

/// A kind of thing that a project has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Table,
    View,
    Column,
    Type,
    Policy,
    Function,
    Trigger,
    /// A statement that makes none of the others.
    Statement,
    /// A kind of queries that were observed.
    Query,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: &'static [Kind] = &[
        Kind::Table,
        Kind::View,
        Kind::Column,
        Kind::Type,
        Kind::Policy,
        Kind::Function,
        Kind::Trigger,
        Kind::Statement,
        Kind::Query,
    ];

    /// So many of them: `1 table`, `2 tables`.
    pub fn counted(self, count: usize) -> String {
        let one = match self {
            Kind::Policy => "policy",
            Kind::Query => "query",
            others => others.plural().trim_end_matches('s'),
        };
        format!("{count} {}", if count == 1 { one } else { self.plural() })
    }

    /// Its word for many.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Table => "tables",
            Kind::View => "views",
            Kind::Column => "columns",
            Kind::Type => "types",
            Kind::Policy => "policies",
            Kind::Function => "functions",
            Kind::Trigger => "triggers",
            Kind::Statement => "statements",
            Kind::Query => "queries",
        }
    }
}

/// How an engine hosts a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hosting {
    /// The engine does it.
    Native,
    /// TrustStream does it on top of the engine, with the same answers.
    Emulated,
    /// It can't be done there.
    Impossible,
}

/// How many things of a kind are hosted how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// By the engine.
    pub native: usize,
    /// By TrustStream, on top of it.
    pub emulated: usize,
    /// Not at all.
    pub impossible: usize,
}

/// Something that is not simply native.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// Its name: `public.tracks`, `public.tracks.title`, the shape of a query.
    pub name: String,
    /// How it is hosted.
    pub hosting: Hosting,
    /// What emulating costs, or why it can't be hosted.
    pub reason: String,
    /// File and line of the migration that makes it.
    pub place: Option<Place>,
}

/// A line of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Path of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

/// What one engine makes of a project.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// The provider's name.
    pub engine: &'static str,
    /// Why nothing can be said of it, if so.
    pub unknown: Option<String>,
    /// How many things of each kind are hosted how.
    pub counts: IndexMap<&'static str, Counts>,
    /// What is not simply native.
    pub findings: Vec<Finding>,
}

/// What each engine makes of a project.
///
/// # Errors
/// As [`ProjectFiles::read`].
pub fn portability(files: &ProjectFiles, observed: &ObservedQueries) -> Result<Vec<EngineReport>> {
    let project = places::read(files)?;
    let engines = DATABASES.hosts();
    Ok(engines.map(|host| judge::judge(&host, files, &project, observed)).collect())
}

/// Whether a table or function belongs to TrustStream's own engines.
fn is_own(own: &Catalog, schema: &str) -> bool {
    own.tables.keys().any(|table| table.schema == schema)
}
