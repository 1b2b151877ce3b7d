//! The typed values that rows, changes, copies and comparisons are made of.
//!
//! One value has one form here whatever engine it came from, so that rows can be compared and
//! moved between engines without loss. Text forms follow PostgreSQL's.

mod array;
pub mod calendar;
mod canonical;
mod datetime;
mod datetime_fields;
mod datetime_words;
pub mod decimal;
mod fault;
mod float;
mod interval;
pub mod json;
mod json_lexer;
pub mod jsonb;
pub mod letters;
pub mod money;
mod parse;
pub mod part;
pub mod range;
mod rows;
mod text;
pub mod tsvector;
mod types;
pub mod zone;

use std::sync::Arc;

use uuid::Uuid;

use part::is_space;

pub use float::{real_as_double, text as float_text, text_of_real};
pub use rows::{Cell, Rows};
pub use zone::Zone;

/// A column's type, as far as TrustStream tells types apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric(precision, scale)`; both absent: any.
    Numeric(Option<(u16, i16)>),
    /// `text`, `citext`, `name`
    Text,
    /// `varchar(n)`; absent: any length.
    Varchar(Option<u32>),
    /// `char(n)`, blank-padded.
    Char(u32),
    /// `bytea`
    Bytes,
    /// `uuid`
    Uuid,
    /// `timestamp with time zone`
    Timestamptz,
    /// `timestamp without time zone`
    Timestamp,
    /// `date`
    Date,
    /// `time without time zone`
    Time,
    /// `interval`
    Interval,
    /// `json`: the text as it was written.
    Json,
    /// `jsonb`: normalised.
    Jsonb,
    /// An enum by its name; labels are in the catalog.
    Enum(String),
    /// An array of any dimensions.
    Array(Box<Type>),
    /// Any other type by its PostgreSQL name, carried as its text form.
    Other(String),
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL null.
    Null,
    /// `bool`
    Bool(bool),
    /// Any integer type.
    Int(i64),
    /// `real` and `double precision`; keeps -0, NaN and infinities. A `real` is held as the double
    /// of its shortest decimal text ([`real_as_double`]).
    Float(f64),
    /// Exact decimal in PostgreSQL's text form (`1.50` keeps its scale; `NaN`, `Infinity` allowed).
    Decimal(String),
    /// Any text; also enums and types carried as text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// UUID.
    Uuid(Uuid),
    /// Microseconds since 1970-01-01 00:00:00 UTC; `i64::MIN`/`MAX` are -infinity/infinity.
    Timestamptz(i64),
    /// Microseconds since 1970-01-01 00:00:00, no zone.
    Timestamp(i64),
    /// Days since 1970-01-01; `i32::MIN`/`MAX` are -infinity/infinity.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Months, days and microseconds, kept apart as PostgreSQL does.
    Interval {
        /// Months.
        months: i32,
        /// Days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
    /// JSON text: as written for `json`, normalised for `jsonb`.
    Json(String),
    /// Elements of an array; nested for more dimensions.
    Array(Vec<Value>),
}

/// One row: columns shared by all rows of a reply, values in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Column names.
    pub columns: Arc<[String]>,
    /// Values, one a column.
    pub values: Vec<Value>,
}

impl Row {
    /// The value of a column, or `None` if the row has no such column.
    pub fn get(&self, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)
    }
}
