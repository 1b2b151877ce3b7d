//! Rows as the values that PostgreSQL holds, for who reads them in the same process: nothing becomes
//! JSON but what has no other form.

use std::sync::Arc;

use futures::{StreamExt, pin_mut};
use postgres_types::{FromSql, Kind, Type};
use tokio_postgres::{Error as PgError, Row, RowStream, Statement};
use truststream_kernel::value::{Cell, Rows};
use truststream_kernel::{Error, Result};
use truststream_sql::quote::quote;

use crate::connector::Connection;
use crate::error::failed;
use crate::sql::Sql;
use crate::transaction::{Reply, query_stream};
use crate::wire::Raw;

/// Rows taken as values; `None` for a statement without columns.
pub(crate) struct Values;

impl Reply for Values {
    type Rows = Result<Option<Rows>>;

    fn prepared(&self, connection: &Connection, text: &str) -> Option<Statement> {
        connection.shaped(text)
    }

    fn first(_: &Self::Rows) -> Option<&Row> {
        None
    }

    /// Prepares the statement, and another one around it if some of its columns have to become JSON.
    async fn prepare(&self, connection: &Connection, text: &str) -> Result<(), PgError> {
        let mut statement = connection.prepare(text).await?;
        if let Some(shaped) = shaped(text, &statement) {
            statement = connection.prepare(&shaped).await?;
        }
        connection.keep_shaped(text, statement);
        Ok(())
    }

    async fn run(&self, connection: &Connection, sql: &Sql) -> Result<(Self::Rows, usize), PgError> {
        let statement = match self.prepared(connection, &sql.text) {
            Some(statement) => statement,
            None => connection.prepare(&sql.text).await?,
        };
        let kinds: Option<Vec<Native>> =
            statement.columns().iter().map(|column| Native::of(column.type_())).collect();
        let rows = query_stream(connection, &statement, sql).await?;
        match kinds {
            Some(kinds) if !kinds.is_empty() => read(&statement, &kinds, rows).await,
            _ => Ok((Ok(None), 0)),
        }
    }
}

/// Reads the rows as they come.
async fn read(
    statement: &Statement,
    kinds: &[Native],
    stream: RowStream,
) -> Result<(Result<Option<Rows>>, usize), PgError> {
    let names: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let (mut rows, mut size) = (Rows::new(names), 0);
    let mut outcome = Ok(());
    pin_mut!(stream);
    while let Some(row) = stream.next().await {
        let row = row?;
        size += row.raw_size_bytes();
        // A statement whose reply can't be read still has to come to its end.
        if outcome.is_ok() {
            outcome = kinds.iter().enumerate().try_for_each(|(at, kind)| kind.push(&row, at, &mut rows));
        }
    }
    Ok((outcome.map(|()| Some(rows)), size))
}

/// The statement around one whose columns are not all native: `None` if they are.
fn shaped(text: &str, statement: &Statement) -> Option<String> {
    let columns = statement.columns();
    if columns.iter().all(|column| Native::of(column.type_()).is_some()) {
        return None;
    }
    // Names may stand twice in a select list, numbers don't.
    let list = columns.iter().enumerate().map(|(at, column)| match Native::of(column.type_()) {
        Some(_) => format!("_.c{at} AS {}", quote(column.name())),
        None => format!("to_json(_.c{at}) AS {}", quote(column.name())),
    });
    let list: Vec<String> = list.collect();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    Some(format!("SELECT {} FROM ({text}) AS _ ({})", list.join(", "), names.join(", ")))
}

/// Types whose binary form is the value as a reply in JSON would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Native {
    Bool,
    Int2,
    Int4,
    Int8,
    Float8,
    Text,
    Uuid,
    Json,
    Jsonb,
}

impl Native {
    fn of(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::BOOL => Native::Bool,
            Type::INT2 => Native::Int2,
            Type::INT4 => Native::Int4,
            Type::INT8 => Native::Int8,
            Type::FLOAT8 => Native::Float8,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => Native::Text,
            Type::UUID => Native::Uuid,
            Type::JSON => Native::Json,
            Type::JSONB => Native::Jsonb,
            _ => return matches!(ty.kind(), Kind::Enum(_)).then_some(Native::Text),
        })
    }

    fn push(self, row: &Row, at: usize, rows: &mut Rows) -> Result<()> {
        let raw: Option<Raw<'_>> = row.try_get(at).map_err(failed)?;
        let Some(Raw(raw)) = raw else {
            rows.push(Cell::Null);
            return Ok(());
        };
        match self {
            Native::Bool => rows.push(Cell::Bool(get(&Type::BOOL, raw)?)),
            Native::Int2 => rows.push(Cell::Int(get::<i16>(&Type::INT2, raw)?.into())),
            Native::Int4 => rows.push(Cell::Int(get::<i32>(&Type::INT4, raw)?.into())),
            Native::Int8 => rows.push(Cell::Int(get(&Type::INT8, raw)?)),
            Native::Float8 => rows.push(float(get(&Type::FLOAT8, raw)?)),
            Native::Text => rows.push(Cell::Text(text(raw)?)),
            Native::Uuid => {
                let uuid = uuid::Uuid::from_slice(raw).map_err(|error| unreadable(error.into()))?;
                rows.push(Cell::Text(uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer())));
            }
            Native::Json => rows.push(Cell::Json(text(raw)?)),
            // Its text comes after the number of the form it is sent in.
            Native::Jsonb => rows.push(Cell::Json(text(raw.get(1..).unwrap_or_default())?)),
        }
        Ok(())
    }
}

/// What JSON has no number for is a text in it.
fn float(value: f64) -> Cell<'static> {
    match value {
        value if value.is_finite() => Cell::Float(value),
        value if value.is_nan() => Cell::Text("NaN"),
        value if value > 0.0 => Cell::Text("Infinity"),
        _ => Cell::Text("-Infinity"),
    }
}

fn get<'r, T: FromSql<'r>>(ty: &Type, raw: &'r [u8]) -> Result<T> {
    T::from_sql(ty, raw).map_err(unreadable)
}

fn text(raw: &[u8]) -> Result<&str> {
    std::str::from_utf8(raw).map_err(|error| unreadable(error.into()))
}

fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::internal("a value could not be read").with_source(error)
}
