//! Running statements, and their replies in the wanted format.

use bytes::Bytes;
use rusqlite::params_from_iter;
use truststream_kernel::{Body, Context, Error, Result, Value};
use truststream_services::database::{Format, Media, Page, Query, TableName};
use truststream_spool::{IN_MEMORY, Spool};
use truststream_sql::printed::record::push_fields;

use crate::connection::Conn;
use crate::error::convert;
use crate::plan::{self, Purpose, Source, Statement};
use crate::rows;
use crate::schema::Schema;
use crate::storage;

/// Rows in the wanted format, and how many they are.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) body: Bytes,
    /// In place of the body.
    pub(crate) spooled: Option<Body>,
    pub(crate) rows: u64,
}

impl Rendered {
    fn of(mut end: String, mut spool: Option<Spool>, rows: u64) -> Result<Self> {
        if spool.is_none() {
            return Ok(Rendered { body: Bytes::from(end), spooled: None, rows });
        }
        rows::spill(&mut end, &mut spool)?;
        let spooled = spool.map(Spool::finish).transpose()?;
        Ok(Rendered { body: Bytes::new(), spooled, rows })
    }

    pub(crate) fn page(self) -> Page {
        Page { body: self.body, spooled: self.spooled, rows: self.rows, ..Page::default() }
    }
}

/// Rows of a table in the wanted format.
///
/// # Errors
/// PGRST116 if one row was wanted and there are none or many.
pub(crate) fn render(
    conn: &Conn,
    schema: &Schema,
    cx: &Context,
    (table, query): (&TableName, &Query),
    source: &Source,
    format: &Format,
) -> Result<Rendered> {
    in_format(conn, format, &|purpose| plan::statement(schema, cx, purpose, (table, query), source))
}

/// What a planned statement gives in the wanted format.
///
/// # Errors
/// Those of [`render`].
pub(crate) fn in_format(
    conn: &Conn,
    format: &Format,
    plan: &dyn Fn(Purpose) -> Result<Statement>,
) -> Result<Rendered> {
    match format.media {
        Media::Csv => csv(conn, &plan(Purpose::Rows)?, format.spooled),
        Media::Json | Media::Object => {
            let spools = format.spooled && format.media == Media::Json && !format.strip_nulls;
            let (mut body, spool, rows) = rows::json(conn, &plan(Purpose::Rows)?, spools)?;
            body = format.stripped(body)?;
            if format.media == Media::Json {
                return Rendered::of(body, spool, rows);
            }
            format.check_rows(rows)?;
            // The array's only element is what is between its brackets.
            body.pop();
            Ok(Rendered { body: Bytes::from(body).slice(1..), spooled: None, rows })
        }
        _ => Err(Error::unsupported("this database answers in JSON and CSV, and with the plans of reads")),
    }
}

/// One number that a statement answers.
pub(crate) fn number(conn: &Conn, statement: &Statement) -> Result<u64> {
    let mut prepared = conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
    let number: i64 =
        prepared.query_row(params_from_iter(&statement.parameters), |row| row.get(0)).map_err(convert)?;
    Ok(number.unsigned_abs())
}

/// Row ids that a statement answers.
pub(crate) fn ids(conn: &Conn, statement: &Statement) -> Result<Vec<i64>> {
    let mut prepared = conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
    let rows =
        prepared.query_map(params_from_iter(&statement.parameters), |row| row.get(0)).map_err(convert)?;
    rows.collect::<rusqlite::Result<_>>().map_err(convert)
}

fn csv(conn: &Conn, statement: &Statement, spools: bool) -> Result<Rendered> {
    let names: Vec<&str> = statement.fields.iter().map(|field| field.name.as_str()).collect();
    // Names stand as they are, and nothing is named where there is no row: as in PostgREST.
    let (mut out, mut spool) = (names.join(","), None);
    let mut prepared = conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
    let mut found = prepared.query(params_from_iter(&statement.parameters)).map_err(convert)?;
    let mut count = 0;
    while let Some(row) = found.next().map_err(convert)? {
        let mut texts = Vec::with_capacity(names.len());
        for (index, field) in statement.fields.iter().enumerate() {
            let value: Value = storage::value(row.get_ref(index).map_err(convert)?, &field.term.ty)?;
            texts.push(match (value, field.record.as_ref().filter(|record| record.is_of_session())) {
                (Value::Text(text), Some(record)) => Some(record.shown(&text)?),
                (value, _) => value.to_text_as(&field.term.ty),
            });
        }
        out.push('\n');
        push_fields(&mut out, &texts);
        count += 1;
        if spools && out.len() >= IN_MEMORY {
            rows::spill(&mut out, &mut spool)?;
        }
    }
    if count == 0 {
        out = "\n".to_owned();
    }
    Rendered::of(out, spool, count)
}
