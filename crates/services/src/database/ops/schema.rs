//! The schema: the catalog and the migrations that make it.

use truststream_kernel::Requires;

/// Asks for the catalog. Cheap: drivers keep it and renew it when the schema changes.
#[derive(Clone, Debug, Default)]
pub struct Describe {
    /// Read it from the engine again.
    pub fresh: bool,
}

impl Requires for Describe {}

/// Asks what of a set of migrations the engine can't hold, before any of them is applied. Those
/// applied already are passed over.
#[derive(Clone, Debug)]
pub struct Review {
    /// The migrations, in order.
    pub migrations: Vec<AppliedMigration>,
}

impl Requires for Review {}

/// Something in a migration that an engine can't hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// Name of the migration.
    pub migration: String,
    /// Line of the statement, from 1.
    pub line: usize,
    /// Beginning of the statement.
    pub statement: String,
    /// Why it can't be held, and what would do instead where something would.
    pub reason: String,
}

/// Applies a migration once: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Migrate {
    /// Unique name, such as the file name `20240101000000_tracks.sql`; decides the order.
    pub name: String,
    /// PostgreSQL SQL.
    pub sql: String,
    /// Only check whether it could be applied.
    pub dry_run: bool,
}

impl Requires for Migrate {}

/// What [`Migrate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationOutcome {
    /// It was applied (or could be, in a dry run).
    Applied,
    /// It had been applied before with the same text.
    Unchanged,
}

/// Asks for the migrations applied so far, in order.
#[derive(Clone, Debug, Default)]
pub struct Migrations;

impl Requires for Migrations {}

/// One migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AppliedMigration {
    /// Its name.
    pub name: String,
    /// Its text, so that it can be applied to another backend.
    pub sql: String,
}
