//! The schema: the catalog and the migrations that make it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use truststream_kernel::{Requires, Type};

use crate::database::{Catalog, TableName};

/// Asks for the catalog. Cheap: drivers keep it and renew it when the schema changes.
#[derive(Clone, Debug, Default)]
pub struct Describe {
    /// Read it from the engine again.
    pub fresh: bool,
}

impl Requires for Describe {}

/// Asks what of a set of migrations the engine can't hold, before any of them is applied. Those
/// applied already are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Review {
    /// The migrations, in order.
    pub migrations: Vec<AppliedMigration>,
}

impl Requires for Review {}

/// Something in a migration that an engine can't hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Asks what of a catalog the engine does not do itself, and what it costs. What it can't hold at all is
/// [`Review`]'s to tell.
#[derive(Clone, Debug)]
pub struct Weigh {
    /// The schema.
    pub catalog: Arc<Catalog>,
}

impl Requires for Weigh {}

/// What emulating something costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What is emulated: the name of a feature (`policies`), `views`, `triggers`, `types`,
    /// `publications`, or a type of columns as [`Cost::of_type`] names it.
    pub of: String,
    /// How it is done and what that costs, in words.
    pub words: String,
    /// Some of its values, which other engines hold, are refused here: the words say which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Cost {
    /// A cost in words.
    pub fn new(of: impl Into<String>, words: impl Into<String>) -> Self {
        Cost { of: of.into(), words: words.into(), partial: false }
    }

    /// What is not held of a type's values, in words.
    pub fn partial(ty: &Type, words: impl Into<String>) -> Self {
        Cost { partial: true, ..Cost::new(Cost::of_type(ty), words) }
    }

    /// How columns of a type are named in [`Cost::of`].
    pub fn of_type(ty: &Type) -> String {
        format!("columns of type {ty}")
    }
}

/// Applies a migration once: all of it or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Asks for the names of the migrations applied so far, in order. Their texts, which [`Migrations`] tells,
/// are not read: they may be megabytes, and writes may be held until the answer is there.
#[derive(Clone, Debug, Default)]
pub struct MigrationNames;

impl Requires for MigrationNames {}

/// Asks for a mark that is another one once anything was changed that the schema is read from, by whomever.
/// The reply is none where the engine has nothing of the kind that is soon read.
#[derive(Clone, Debug, Default)]
pub struct SchemaMark;

impl Requires for SchemaMark {}

/// One migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// Its name.
    pub name: String,
    /// Its text, so that it can be applied to another backend.
    pub sql: String,
}

/// Takes a migration back: runs what undoes it and forgets it, all of it or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revert {
    /// Name of the migration.
    pub name: String,
    /// PostgreSQL SQL that undoes it; without it the migration is only forgotten.
    pub sql: Option<String>,
    /// Only check whether it could be taken back.
    pub dry_run: bool,
}

impl Requires for Revert {}

/// Records a migration as applied without running it; a text recorded before is replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Adopt {
    /// Name of the migration.
    pub name: String,
    /// Its text.
    pub sql: String,
}

impl Requires for Adopt {}

/// Asks what is really in the database, made by whomever: not only what migrations made of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Introspect {
    /// How many documents of a collection are looked at, where there is no schema; all if absent.
    pub sample: Option<usize>,
}

impl Requires for Introspect {}

/// Asks what migrations would make of an empty database of this kind, told as [`Introspect`] tells
/// what is there. The database itself stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rehearse {
    /// All migrations, in order.
    pub migrations: Vec<AppliedMigration>,
}

impl Requires for Rehearse {}

/// A schema as it was found, which may be more than a catalog says, or less.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Introspection {
    /// The schema; where the database has none of its own, the one that is proposed.
    pub catalog: Catalog,
    /// Statements that make single objects exactly, by the keys that objects have where a catalog
    /// is written as SQL. What is not listed is made from the catalog.
    pub definitions: BTreeMap<String, String>,
    /// Objects that no catalog knows.
    pub extras: Vec<Extra>,
    /// What is there and can't be told as a schema, and what was guessed, in words.
    pub notes: Vec<String>,
}

/// An object that no catalog knows, as its engine tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// Kind and full name: two schemas have the same object if it has the same key in both.
    pub key: String,
    /// When it is made.
    pub stage: Stage,
    /// The schema it is in; empty if it is in none.
    pub schema: String,
    /// The table it belongs to, and goes with.
    pub table: Option<TableName>,
    /// The statement that makes it.
    pub create: String,
    /// The statement that takes it away.
    pub drop: String,
}

/// When an [`Extra`] is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Before tables: types and collations.
    Types,
    /// With the checks of tables.
    Constraints,
    /// After tables and views: rules, statistics, casts.
    Rules,
    /// After what rights are granted on.
    Rights,
    /// Last.
    Publications,
}
