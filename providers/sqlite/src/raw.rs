//! Statements in PostgreSQL's SQL, translated. What comes with them is bound, their literals too.

use bytes::Bytes;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use serde_json::Value as Json;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Page, Raw};
use truststream_sql::expression::Scope;
use truststream_sql::sqlite::materialized::refreshed;
use truststream_sql::sqlite::raw::{Statement as Translated, raw};

use crate::error::convert;
use crate::plan::Statement;
use crate::rows;
use crate::storage;
use crate::write::{Write, explain_unseen};

impl Write<'_> {
    /// Runs one statement, which no policy concerns.
    pub(crate) fn raw(&self, op: &Raw) -> Result<Page> {
        if let Some(view) = refreshed(&op.sql).filter(|_| !op.read_only) {
            self.fill(&view)?;
            return Ok(Page { body: Bytes::from_static(b"[]"), ..Page::default() });
        }
        let texts: Vec<Option<String>> = op.parameters.iter().map(text).collect();
        let translated = raw(&Scope::new(&self.schema.catalog), &op.sql, texts.clone())?;
        let mut cells: Vec<Cell> =
            texts.into_iter().map(|text| text.map_or(Cell::Null, Cell::Text)).collect();
        for value in &translated.values {
            cells.push(storage::cell(value)?);
        }
        if let Some(table) = &translated.writes
            && op.read_only
        {
            let message = format!("cannot write to {table} in a read-only transaction");
            return Err(Error::new(ErrorKind::InvalidInput, "25006", message));
        }
        if translated.columns.is_empty() {
            let rows = self.touched(&translated, cells)?;
            return Ok(Page { body: Bytes::from_static(b"[]"), rows, ..Page::default() });
        }
        let Translated { sql, columns, .. } = translated;
        // What was tried and dropped while names were resolved is bound to nothing.
        cells.truncate(self.conn.sql.prepare_cached(&sql).map_err(convert)?.parameter_count());
        let statement = Statement::of(self.schema, sql, cells, columns);
        let (body, _, rows) = rows::json(self.conn, &statement, false)?;
        Ok(Page { body: body.into(), rows, ..Page::default() })
    }

    /// How many rows a statement writes that returns none.
    fn touched(&self, translated: &Translated, cells: Vec<Cell>) -> Result<u64> {
        let run = || -> rusqlite::Result<usize> {
            let mut statement = self.conn.sql.prepare_cached(&translated.sql)?;
            let count = statement.parameter_count();
            statement.execute(params_from_iter(&cells[..count]))
        };
        let done = run().map_err(|error| match &translated.writes {
            Some(name) => match self.schema.table(name) {
                Ok(table) => explain_unseen(self, error, (name, table)),
                Err(unknown) => unknown,
            },
            None => convert(error),
        });
        done.map(|rows| rows as u64)
    }
}

/// A parameter in PostgreSQL's input syntax; `None` for null.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
