//! The operations of the Database service and their replies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use truststream_kernel::{Effect, FeatureSet, Requires, Row, Value, operations};

use super::{
    Catalog, Change, ChangeBatch, Count, DatabaseDriver, DatabaseFeature, Operator, Position, Query,
    TableName,
};
use super::{Filter, Item};

operations! {
    /// The Database service.
    DatabaseService("database", DatabaseFeature), driver DatabaseDriver, op DatabaseOp, reply DatabaseReply {
        Select => select -> Page, Read, true;
        Insert => insert -> Page, Write, false;
        Update => update -> Page, Write, false;
        Delete => delete -> Page, Write, false;
        Invoke => invoke -> Page, Write, false;
        Batch => batch -> Vec<Page>, Write, false;
        Authorize => authorize -> Vec<bool>, Read, true;
        Describe => describe -> Arc<Catalog>, Read, true;
        Review => review -> Vec<Problem>, Admin, true;
        Migrate => migrate -> MigrationOutcome, Admin, true;
        Migrations => migrations -> Vec<AppliedMigration>, Admin, true;
        Ping => ping -> (), Read, true;
        Capture => capture -> Position, Admin, true;
        Changes => changes -> ChangeBatch, Read, true;
        Scan => scan -> Chunk, Admin, true;
        Prepare => prepare -> (), Admin, true;
        Apply => apply -> Applied, Admin, true;
        AppliedPosition => applied_position -> Option<Position>, Admin, true;
    }
}

/// How a reply is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Format {
    /// The representation.
    pub media: Media,
    /// Leave out null members of JSON objects.
    pub strip_nulls: bool,
}

/// Representation of a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Media {
    /// A JSON array of rows (a scalar or an object for functions that return one).
    #[default]
    Json,
    /// Exactly one row as a JSON object; PGRST116 otherwise, and writes are rolled back.
    Object,
    /// CSV with a header line.
    Csv,
    /// GeoJSON feature collection (PostGIS).
    GeoJson,
    /// The engine's plan: media type of the wrapped reply, options such as `analyze`, text or JSON.
    Plan(PlanFormat),
    /// Any other media type, answered by a handler in the database or by a raw scalar.
    Custom(String),
}

/// Options of an explained query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlanFormat {
    /// JSON instead of text.
    pub json: bool,
    /// Options in words: `analyze`, `verbose`, `settings`, `buffers`, `wal`.
    pub options: Vec<String>,
}

/// How a request's transaction is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// Roll back at the end although all went well.
    pub rollback: bool,
    /// Time zone of the request's session.
    pub time_zone: Option<String>,
    /// Fail and roll back (PGRST124) if a write touches more rows.
    pub max_affected: Option<u64>,
}

/// What a write returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Returning {
    /// Nothing of the rows; they need not be readable by the caller.
    #[default]
    Minimal,
    /// The key of the first inserted row ([`Page::location`]).
    HeadersOnly,
    /// The rows as the query's items select them.
    Representation,
}

/// Rows (or what a write or call returns) as the engine built them.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The representation in the wanted format; empty when none was wanted.
    pub body: Bytes,
    /// Rows in the page, or rows affected by a write.
    pub rows: u64,
    /// Total of matching rows, if a count was asked for.
    pub total: Option<u64>,
    /// Rows that an upsert inserted, where the engine knows; equals `rows` for plain inserts.
    pub inserted: Option<u64>,
    /// Key of the first inserted row as column and literal, for `Location`.
    pub location: Vec<(String, String)>,
    /// HTTP status a database function asked for (`response.status`).
    pub status: Option<u16>,
    /// HTTP headers a database function asked for (`response.headers`).
    pub headers: Vec<(String, String)>,
    /// Media type of the body, if a handler decided it.
    pub media_type: Option<String>,
}

/// Reads rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Select {
    /// From where.
    pub table: TableName,
    /// What.
    pub query: Query,
    /// Whether to count all matching rows.
    pub count: Option<Count>,
    /// In which representation.
    pub format: Format,
    /// How the transaction is run.
    pub transaction: Transaction,
}

impl Select {
    /// A JSON reply without a count.
    pub fn new(table: TableName, query: Query) -> Self {
        Select { table, query, count: None, format: Format::default(), transaction: Transaction::default() }
    }
}

impl Requires for Select {
    fn needs(&self) -> FeatureSet {
        let needs = query_needs(&self.query);
        match self.format.media {
            Media::Plan(_) => needs.with(DatabaseFeature::Explain),
            Media::GeoJson => needs.with(DatabaseFeature::GeoJson),
            Media::Custom(_) => needs.with(DatabaseFeature::MediaHandlers),
            _ => needs,
        }
    }
}

/// What all writes share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// What is returned.
    pub returning: Returning,
    /// Whether to count the rows written.
    pub count: Option<Count>,
    /// In which representation.
    pub format: Format,
    /// How the transaction is run.
    pub transaction: Transaction,
}

/// What an insert does when a row of the same key exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnConflict {
    /// Columns of a unique key; the primary key if absent.
    pub columns: Option<Vec<String>>,
    /// Update the existing row (otherwise keep it and skip the new one).
    pub merge: bool,
}

/// Inserts rows.
#[derive(Clone, Debug)]
pub struct Insert {
    /// Into which table.
    pub table: TableName,
    /// One JSON object or an array of them.
    pub rows: Bytes,
    /// Columns to take from the rows; the keys of the first row if absent (then all rows must have
    /// the same keys, PGRST102).
    pub columns: Option<Vec<String>>,
    /// A column missing from a row takes its default instead of null.
    pub missing_default: bool,
    /// What to do with rows whose key exists.
    pub on_conflict: Option<OnConflict>,
    /// `items` select what is returned; `filter` is the key that a single upsert by `PUT` names.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Insert {
    /// A plain insert that returns nothing.
    pub fn new(table: TableName, rows: impl Into<Bytes>) -> Self {
        Insert {
            table,
            rows: rows.into(),
            columns: None,
            missing_default: false,
            on_conflict: None,
            query: Query::all(),
            options: WriteOptions::default(),
        }
    }
}

impl Requires for Insert {
    fn needs(&self) -> FeatureSet {
        query_needs(&self.query)
    }
}

/// Changes the rows that `query.filter` matches.
#[derive(Clone, Debug)]
pub struct Update {
    /// In which table.
    pub table: TableName,
    /// One JSON object: column to new value.
    pub values: Bytes,
    /// Columns to take from `values`; all its keys if absent.
    pub columns: Option<Vec<String>>,
    /// A column missing from `values` takes its default instead of null.
    pub missing_default: bool,
    /// Which rows, and what is returned of them.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Update {
    /// An update that returns nothing.
    pub fn new(table: TableName, values: impl Into<Bytes>, query: Query) -> Self {
        Update {
            table,
            values: values.into(),
            columns: None,
            missing_default: false,
            query,
            options: WriteOptions::default(),
        }
    }
}

impl Requires for Update {
    fn needs(&self) -> FeatureSet {
        query_needs(&self.query)
    }
}

/// Deletes the rows that `query.filter` matches.
#[derive(Clone, Debug)]
pub struct Delete {
    /// From which table.
    pub table: TableName,
    /// Which rows, and what is returned of them.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Delete {
    /// A delete that returns nothing.
    pub fn new(table: TableName, query: Query) -> Self {
        Delete { table, query, options: WriteOptions::default() }
    }
}

impl Requires for Delete {
    fn needs(&self) -> FeatureSet {
        query_needs(&self.query)
    }
}

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
    Json(Bytes),
    /// Parameters as texts, in order and with repetitions (variadics); also those that turn out
    /// not to be parameters, each with the filter it would be.
    Named(Vec<NamedArgument>),
    /// A raw body for a function with one unnamed parameter.
    Raw {
        /// `text/plain`, `text/xml` or `application/octet-stream`.
        media_type: String,
        /// The body.
        body: Bytes,
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
        query_needs(&self.query).with(DatabaseFeature::Functions)
    }

    fn effect(&self) -> Option<Effect> {
        self.read_only.then_some(Effect::Read)
    }
}

/// Several writes and reads, applied all or none, in order, in one transaction.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What to do.
    pub steps: Vec<Step>,
}

/// One step of a [`Batch`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Step {
    Select(Select),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    /// The whole batch fails with `Conflict` (SQLSTATE 40001) unless the step before it touched
    /// exactly so many rows. Repeating it as it is does not help, and the error says so.
    Expect(u64),
}

impl Requires for Batch {
    fn needs(&self) -> FeatureSet {
        self.steps.iter().fold(FeatureSet::EMPTY, |set, step| {
            set | match step {
                Step::Select(select) => select.needs(),
                Step::Insert(insert) => insert.needs(),
                Step::Update(update) => update.needs(),
                Step::Delete(delete) => delete.needs(),
                Step::Expect(_) => FeatureSet::EMPTY,
            }
        })
    }
}

/// Asks whether the caller's `select` policies let it see rows given by value (they need not exist
/// any more). Realtime uses it to decide who sees a change. One verdict a row.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The table whose policies apply.
    pub table: TableName,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Requires for Authorize {}

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

/// Asks whether the database answers.
#[derive(Clone, Debug, Default)]
pub struct Ping;

impl Requires for Ping {}

/// Sets which tables are captured into the change feed, and returns the position from which their
/// changes are complete.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Who wants them (`realtime`, `switch-7`); what is captured is the union over consumers.
    pub consumer: String,
    /// Tables to capture; empty ends this consumer's capture.
    pub tables: Vec<TableName>,
}

impl Requires for Capture {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::ChangeFeed])
    }
}

/// Reads changes after a position, in commit order within each key.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Where to go on; `None` only asks for the present end (an empty batch with its position).
    pub after: Option<Position>,
    /// At most about so many changes.
    pub limit: usize,
    /// How long to wait for a change if there is none yet.
    pub wait: Duration,
}

impl Requires for Changes {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::ChangeFeed])
    }
}

/// Reads a table in primary-key order, a chunk at a time.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Which table.
    pub table: TableName,
    /// Key values of the last row of the chunk before.
    pub after: Option<Vec<Value>>,
    /// Rows at most.
    pub limit: usize,
}

impl Requires for Scan {}

/// Rows of a [`Scan`], all read at one position of the feed.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The rows; fewer than the limit at the end of the table.
    pub rows: Vec<Row>,
    /// The feed's position in the very snapshot that the rows were read in.
    pub position: Position,
}

/// Makes a database ready to receive the rows of another one.
#[derive(Clone, Debug)]
pub enum Prepare {
    /// Applies the migrations and takes away what can't hold while rows arrive in any order
    /// (secondary unique keys, foreign keys). Refuses a database that holds rows already.
    Begin {
        /// All migrations of the source, in order.
        migrations: Vec<AppliedMigration>,
    },
    /// Puts back, and thereby checks, what `Begin` took away, and sets identity positions past
    /// the largest value seen.
    Finish,
    /// Sets identity positions past the largest values present, with head-room.
    Identities,
    /// Removes all rows received and all that `Begin` made. Does nothing where no `Begin` was, or
    /// after `Keep`.
    Discard,
    /// What was received stays for good: it can't be discarded any more.
    Keep,
}

impl Requires for Prepare {}

/// Applies rows or changes that come from another database, in one transaction together with the
/// position reached. No trigger of the application fires, no policy applies, generated values are
/// taken as they are, and the changes are marked with their origin in this database's own feed.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Name of the stream they come from, such as `switch-7/forward`.
    pub origin: String,
    /// Nothing is applied unless the stream stands exactly here ([`AppliedPosition`]).
    pub expected: Option<Position>,
    /// Where the stream stands afterwards.
    pub position: Option<Position>,
    /// Whole rows to insert or replace by primary key.
    pub rows: Vec<(TableName, Vec<Row>)>,
    /// Changes, in order.
    pub changes: Vec<Change>,
}

impl Requires for Apply {}

/// What [`Apply`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is durable.
    Done,
    /// The stream stood elsewhere (another applier was here); nothing was applied.
    Stale,
}

/// Asks where a stream of [`Apply`] stands.
#[derive(Clone, Debug)]
pub struct AppliedPosition {
    /// Name of the stream.
    pub origin: String,
}

impl Requires for AppliedPosition {}

fn query_needs(query: &Query) -> FeatureSet {
    let mut needs = query.filter.as_ref().map_or(FeatureSet::EMPTY, filter_needs);
    for item in &query.items {
        needs = needs
            | match item {
                Item::All | Item::Column { aggregate: None, .. } => FeatureSet::EMPTY,
                Item::Count { .. } | Item::Column { .. } => FeatureSet::of(&[DatabaseFeature::Aggregates]),
                Item::Embed(embed) => query_needs(&embed.query).with(DatabaseFeature::Embeds),
            };
    }
    needs
}

fn filter_needs(filter: &Filter) -> FeatureSet {
    match filter {
        Filter::And(all) | Filter::Or(all) => {
            all.iter().fold(FeatureSet::EMPTY, |set, filter| set | filter_needs(filter))
        }
        Filter::Not(inner) => filter_needs(inner),
        Filter::Compare(comparison) => match comparison.operator {
            Operator::FullText(..) => FeatureSet::of(&[DatabaseFeature::FullText]),
            Operator::Match | Operator::Imatch => FeatureSet::of(&[DatabaseFeature::Regex]),
            Operator::StrictlyLeft
            | Operator::StrictlyRight
            | Operator::NotRight
            | Operator::NotLeft
            | Operator::Adjacent => FeatureSet::of(&[DatabaseFeature::Ranges]),
            _ => FeatureSet::EMPTY,
        },
    }
}
