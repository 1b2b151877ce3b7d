//! How replies are wanted, how transactions are run, and what comes back.

use bytes::Bytes;
use truststream_kernel::value::Rows;
use truststream_kernel::{Body, Result};

use super::stripped;
use crate::database::{Table, errors};

/// How a reply is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Format {
    /// The representation.
    pub media: Media,
    /// Leave out null members of JSON objects.
    pub strip_nulls: bool,
    /// The representation may come as [`Page::spooled`] where it is large: for who only passes it on.
    pub spooled: bool,
}

impl Format {
    /// Refuses a reply of so many rows where one object is wanted.
    ///
    /// # Errors
    /// PGRST116
    pub fn check_rows(&self, rows: u64) -> Result<()> {
        if self.media == Media::Object && rows != 1 { Err(errors::not_one(rows)) } else { Ok(()) }
    }

    /// A reply's JSON, without the null members of all its objects where that is wanted.
    ///
    /// # Errors
    /// For a text that is no JSON.
    pub fn stripped(&self, json: String) -> Result<String> {
        if self.strip_nulls { stripped::without_nulls(&json) } else { Ok(json) }
    }
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
    /// Rows of a table with soft delete take part although they were deleted; a delete then removes
    /// them for good.
    pub include_deleted: bool,
}

impl Transaction {
    /// Refuses to have affected so many rows.
    ///
    /// # Errors
    /// PGRST124 if they are more than were to be.
    pub fn check_affected(&self, rows: u64) -> Result<()> {
        match self.max_affected {
            Some(most) if rows > most => Err(errors::too_many_affected(rows)),
            _ => Ok(()),
        }
    }
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

impl Returning {
    /// Whether rows of a table are read after they are written, so that the caller must be allowed to.
    pub fn reads(self, table: &Table) -> bool {
        match self {
            Returning::Minimal => false,
            Returning::HeadersOnly => !table.primary_key.is_empty(),
            Returning::Representation => true,
        }
    }
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
    /// Key of the first inserted row as column and literal, for `Location`; no literal where it is null, as
    /// it can be in views.
    pub location: Vec<(String, Option<String>)>,
    /// HTTP status a database function asked for (`response.status`).
    pub status: Option<u16>,
    /// HTTP headers a database function asked for (`response.headers`).
    pub headers: Vec<(String, String)>,
    /// Media type of the body, if a handler decided it.
    pub media_type: Option<String>,
    /// Version of the row in the body, where that is one whole row.
    pub version: Option<String>,
    /// The rows in place of the body, where [`Select::as_values`](super::Select::as_values) asked for them.
    pub values: Option<Rows>,
    /// The representation in place of the body, where it is large and [`Format::spooled`] asked for it.
    pub spooled: Option<Body>,
}
