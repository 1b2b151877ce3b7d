//! Functions in SQL, called by name.

mod arguments;
mod bodies;
mod called;
mod guarded;
mod program;
mod refresh;
mod truncate;

use bytes::Bytes;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{
    Format, Function, Invoke, Media, Page, PolicyCommand, Query, TableName, errors,
};
use truststream_sql::callable::Callable;
use truststream_sql::expression::result_columns;
use truststream_sql::quote::quote;
use truststream_sql::response;
use truststream_sql::sqlite::routine::{Step, Written};

use crate::access::Access;
use crate::error::convert;
use crate::plan::{self, Purpose, Returned, Statement};
use crate::render::{in_format, number};
use crate::schema::Schema;
use crate::storage;
use crate::write::{Write, explain_unseen};

pub(crate) use bodies::Bodies;
use bodies::Body;
pub(crate) use program::Run;

/// Cells that a reply of a writing function holds at most: SQLite's limit for parameters.
pub(crate) const MOST: usize = 32_000;

/// Whether a call runs on a connection that only reads.
///
/// # Errors
/// Those of [`Callable::find`].
pub(crate) fn reads_only(schema: &Schema, op: &Invoke) -> Result<bool> {
    Ok(Callable::find(&schema.catalog, op)?.reads_only(op))
}

impl Write<'_> {
    /// Calls a function.
    pub(crate) fn invoke(&self, op: &Invoke) -> Result<Page> {
        let callable = Callable::find(&self.schema.catalog, op)?;
        let role = self.cx.identity().map(|identity| identity.role.as_str());
        callable.check(op, role)?;
        let function = callable.function;
        let cells = arguments::cells(self, function, &op.arguments)?;
        let mut rows = Returned {
            table: self.result_table(function),
            sql: String::new(),
            parameters: Vec::new(),
            scalar: !function.returns.composite,
        };
        if !(function.strict && cells.contains(&Cell::Null)) {
            match self.body(function)?.as_ref() {
                Body::Steps(steps) => self.run_steps((function, steps), &cells, op.read_only, &mut rows)?,
                Body::Refresh(views) => self.refresh(function, views, op.read_only)?,
                Body::Program(program) => {
                    let run = Run::new(self, (function, program), cells, op.read_only);
                    (rows.sql, rows.parameters) = self.values(function, run.rows()?)?;
                }
            }
        }
        if function.returns.void {
            return self.told(Page { status: Some(204), ..Page::default() });
        }
        if rows.sql.is_empty() {
            (rows.sql, rows.parameters) = self.values(function, Vec::new())?;
        }
        let page = self.page(op, &callable.query, function, &rows)?;
        self.told(page)
    }

    /// The page with what the function said of the reply.
    pub(crate) fn told(&self, page: Page) -> Result<Page> {
        let told = |name: &str| self.conn.session.setting(name).filter(|value| !value.is_empty());
        let status = response::status(told("response.status").as_deref())?;
        let headers = response::headers(told("response.headers").as_deref())?;
        Ok(Page { status: status.or(page.status), headers, ..page })
    }

    /// Runs statements one after another; the last one gives the rows.
    fn run_steps(
        &self,
        (function, steps): (&Function, &[Step]),
        cells: &[Cell],
        read_only: bool,
        rows: &mut Returned,
    ) -> Result<()> {
        for step in steps.iter().filter_map(|step| step.written.as_ref()) {
            refuse_write(function, read_only, program::verb(step.command))?;
        }
        let last = steps.len().saturating_sub(1);
        for (at, step) in steps.iter().enumerate() {
            match &step.written {
                Some(written) => {
                    let found = self.run(step, written, cells, function)?;
                    if at == last && written.returns {
                        (rows.sql, rows.parameters) = self.values(function, found)?;
                    }
                }
                None if at == last && !function.returns.void => {
                    rows.sql.clone_from(&step.sql);
                    rows.parameters = cells.to_vec();
                }
                None => self.look(step, cells)?,
            }
        }
        Ok(())
    }

    /// The rows of statements, for a program that calls them.
    fn stepped(
        &self,
        (function, steps): (&Function, &[Step]),
        cells: &[Cell],
        read_only: bool,
    ) -> Result<Vec<Vec<Cell>>> {
        let mut rows = Returned {
            table: self.result_table(function),
            sql: String::new(),
            parameters: Vec::new(),
            scalar: !function.returns.composite,
        };
        self.run_steps((function, steps), cells, read_only, &mut rows)?;
        if rows.sql.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.conn.sql.prepare_cached(&rows.sql).map_err(convert)?;
        let (count, width) = (statement.parameter_count(), statement.column_count());
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect();
        let found = statement.query_map(params_from_iter(&rows.parameters[..count]), row);
        found.and_then(Iterator::collect).map_err(convert)
    }

    fn result_table(&self, function: &Function) -> TableName {
        match &function.returns.table {
            Some(table) if function.returns.composite => table.clone(),
            _ => self.schema.result_of(function),
        }
    }

    /// A statement whose result nobody reads.
    fn look(&self, step: &Step, cells: &[Cell]) -> Result<()> {
        let mut statement = self.conn.sql.prepare_cached(&step.sql).map_err(convert)?;
        let count = statement.parameter_count();
        let mut rows = statement.query(params_from_iter(&cells[..count])).map_err(convert)?;
        while rows.next().map_err(convert)?.is_some() {}
        Ok(())
    }

    /// A statement that writes: what it returns, once the caller's policies hold for what it wrote.
    fn run(
        &self,
        step: &Step,
        written: &Written,
        cells: &[Cell],
        function: &Function,
    ) -> Result<Vec<Vec<Cell>>> {
        let table = self.schema.table(&written.table)?;
        let judged = !function.security_definer && Access::of(self.cx).role().is_some();
        let part = self.schema.catalog.partition(&written.named);
        let secured = part.map_or(table.row_security, |(_, one)| one.row_security);
        if judged && written.upserts && secured {
            return Err(Error::unsupported(format!(
                "\"on conflict do update\" of a table with policies in function {}: declare it security definer",
                function.name
            )));
        }
        let run = || -> rusqlite::Result<Vec<Vec<Cell>>> {
            let mut statement = self.conn.sql.prepare_cached(&step.sql)?;
            let (count, width) = (statement.parameter_count(), statement.column_count());
            let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect();
            statement.query_map(params_from_iter(&cells[..count]), row)?.collect()
        };
        let mut rows = run().map_err(|error| explain_unseen(self, error, (&written.named, table)))?;
        let ids: Vec<i64> = rows
            .iter_mut()
            .filter_map(|row| match row.remove(0) {
                Cell::Integer(id) => Some(id),
                _ => None,
            })
            .collect();
        if judged && written.command != PolicyCommand::Delete {
            self.check(&written.named, &ids, written.command, written.returns)?;
        }
        Ok(rows)
    }

    /// Rows at hand as a query, and its parameters.
    fn values(&self, function: &Function, mut rows: Vec<Vec<Cell>>) -> Result<(String, Vec<Cell>)> {
        let columns = result_columns(&self.schema.catalog, function)?;
        if !function.returns.set {
            rows.truncate(1);
            if rows.is_empty() {
                rows.push(vec![Cell::Null; columns.len()]);
            }
        }
        if rows.len() * columns.len() > MOST {
            let message = format!("function {} returned too many rows that it wrote", function.name);
            return Err(Error::new(ErrorKind::TooLarge, "54000", message));
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        Ok(listed(&names, rows))
    }

    /// Values that are no rows, as a JSON array, and how many they are.
    fn list(&self, query: &Query, rows: &Returned) -> Result<Page> {
        let statement = plan::values(self.schema, self.cx, query, rows)?;
        let mut prepared = self.conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?));
        let (body, count): (String, i64) =
            prepared.query_row(params_from_iter(&statement.parameters), read).map_err(convert)?;
        Ok(Page { body: Bytes::from(body), rows: count.unsigned_abs(), ..Page::default() })
    }

    /// A value whose type is a domain with a media type for a name: itself is the body.
    fn whole(&self, statement: &Statement, media_type: &str) -> Result<Page> {
        let mut prepared = self.conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
        let mut found = prepared.query(params_from_iter(&statement.parameters)).map_err(convert)?;
        let mut page = Page { rows: 1, media_type: Some(media_type.to_owned()), ..Page::default() };
        if let (Some(row), Some(field)) = (found.next().map_err(convert)?, statement.fields.first()) {
            page.body = match storage::value(row.get_ref(0).map_err(convert)?, &field.term.ty)? {
                Value::Bytes(bytes) => bytes.into(),
                value => value.to_text_as(&field.term.ty).unwrap_or_default().into(),
            };
        }
        Ok(page)
    }

    fn page(&self, op: &Invoke, query: &Query, function: &Function, rows: &Returned) -> Result<Page> {
        let plan = |purpose: Purpose| plan::returned(self.schema, self.cx, purpose, query, rows);
        let wanted = match &op.format.media {
            Media::Custom(wanted) => Some(wanted.as_str()),
            Media::Json if !op.format.strip_nulls => Some("application/json"),
            Media::Csv => Some("text/csv"),
            _ => None,
        };
        if let Some(made) = wanted.and_then(|wanted| made(function, wanted))
            && rows.scalar
            && !function.returns.set
        {
            return self.whole(&plan(Purpose::Rows)?, made);
        }
        let total = match op.count {
            Some(_) => Some(number(self.conn, &plan(Purpose::Count)?)?),
            None => None,
        };
        if op.format.media != Media::Object {
            errors::satisfiable(query.offset, total)?;
        }
        if op.transaction.max_affected.is_some() {
            op.transaction.check_affected(number(self.conn, &plan(Purpose::Count)?)?)?;
        }
        let single = match op.format.media {
            Media::Json => !function.returns.set,
            Media::Object => rows.scalar,
            _ => false,
        };
        let mut page = match (rows.scalar, &op.format.media) {
            (true, Media::Json | Media::Object) => self.list(query, rows)?,
            _ => {
                let format = Format { spooled: op.format.spooled && !single, ..op.format.clone() };
                in_format(self.conn, &format, &plan)?.page()
            }
        };
        if single {
            page.body = match page.rows {
                0 => Bytes::from_static(b"null"),
                // The array's only element is what is between its brackets.
                _ => page.body.slice(1..page.body.len() - 1),
            };
        }
        Ok(Page { total, ..page })
    }
}

/// Rows at hand as a query with these columns, and its parameters.
pub(crate) fn listed(names: &[&str], rows: Vec<Vec<Cell>>) -> (String, Vec<Cell>) {
    if rows.is_empty() {
        let columns: Vec<_> = names.iter().map(|name| format!("NULL AS {}", quote(name))).collect();
        return (format!("SELECT {} WHERE 0", columns.join(", ")), Vec::new());
    }
    let shown = (1..).zip(names).map(|(at, name)| format!("column{at} AS {}", quote(name)));
    let shown: Vec<_> = shown.collect();
    let mut number = 0;
    let mut mark = || {
        number += 1;
        format!("?{number}")
    };
    let lines: Vec<_> = rows
        .iter()
        .map(|row| format!("({})", row.iter().map(|_| mark()).collect::<Vec<_>>().join(", ")))
        .collect();
    let sql = format!("SELECT {} FROM (VALUES {})", shown.join(", "), lines.join(", "));
    (sql, rows.into_iter().flatten().collect())
}

/// The media type that a function answers in, if it is what is wanted.
fn made<'w>(function: &Function, wanted: &'w str) -> Option<&'w str> {
    let name = function.returns.type_name.replace('"', "");
    let is = |media_type: &str| {
        name == media_type || name.split_once('.').is_some_and(|(_, name)| name == media_type)
    };
    if is("*/*") { Some("application/octet-stream") } else { is(wanted).then_some(wanted) }
}

fn refuse_write(function: &Function, read_only: bool, verb: &str) -> Result<()> {
    if function.reads_only {
        let message = format!("{verb} is not allowed in a non-volatile function");
        return Err(Error::new(ErrorKind::Unsupported, "0A000", message));
    }
    if read_only {
        let message = format!("cannot execute {verb} in a read-only transaction");
        return Err(Error::new(ErrorKind::InvalidInput, "25006", message));
    }
    Ok(())
}
