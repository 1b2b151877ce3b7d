//! Programs of PL/pgSQL, run step by step on the writing connection.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Function, PolicyCommand};
use truststream_sql::plpgsql::{Flow, Numbers};
use truststream_sql::sqlite::program::{Op, Program};
use truststream_sql::sqlite::routine::Step;

use super::refuse_write;
use crate::error::{convert, raised};
use crate::write::Write;

/// Rows that a program gives at most, and cells of them in all.
const MOST: usize = 1_000_000;

/// A program that runs.
pub(crate) struct Run<'r, 'w> {
    pub(super) write: &'r Write<'w>,
    pub(super) function: &'r Function,
    /// Whether the call must not write.
    pub(super) read_only: bool,
    /// How many programs led here.
    pub(super) depth: usize,
    program: &'r Program,
    pub(super) cells: Vec<Cell>,
    given: Vec<Vec<Cell>>,
    /// How many rows the last statement was about.
    count: usize,
}

impl<'r, 'w> Run<'r, 'w> {
    pub(super) fn new(
        write: &'r Write<'w>,
        (function, program): (&'r Function, &'r Program),
        arguments: Vec<Cell>,
        read_only: bool,
    ) -> Self {
        let mut cells = arguments;
        cells.resize(program.cells, Cell::Null);
        cells[program.found] = Cell::Integer(0);
        Run { write, function, read_only, depth: 0, program, cells, given: Vec::new(), count: 0 }
    }

    /// The same, called by a program so deep.
    pub(super) fn below(self, depth: usize) -> Self {
        Run { depth: depth + 1, ..self }
    }

    /// One that begins with these cells behind that of `found`.
    pub(crate) fn of_trigger(
        write: &'r Write<'w>,
        of: (&'r Function, &'r Program),
        told: impl IntoIterator<Item = Cell>,
    ) -> Self {
        let mut run = Run::new(write, of, Vec::new(), false);
        for (cell, value) in run.cells[1..].iter_mut().zip(told) {
            *cell = value;
        }
        run
    }

    /// Runs it to its end: the rows it returns.
    ///
    /// # Errors
    /// Those of its statements, what it raises; 2F005 if it ends without the value it owes.
    pub(crate) fn rows(mut self) -> Result<Vec<Vec<Cell>>> {
        let program = self.program;
        let over = matches!(self.steps(&program.steps)?, Flow::Over(()));
        let returns = &self.function.returns;
        if !over && !returns.set && !returns.void {
            let Some(out) = &program.out else {
                let message = "control reached end of function without RETURN";
                return Err(Error::new(ErrorKind::InvalidInput, "2F005", message));
            };
            self.given = self.query(out, None)?;
        }
        Ok(self.given)
    }

    pub(super) fn steps(&mut self, steps: &[Op]) -> Result<Flow> {
        for step in steps {
            match self.step(step)? {
                Flow::On => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::On)
    }

    fn step(&mut self, step: &Op) -> Result<Flow> {
        match step {
            Op::Set(cell, sql) => self.cells[*cell] = self.value(sql)?,
            Op::Run(statement) => {
                let rows = self.statement(statement, None)?;
                self.found(rows.len());
            }
            Op::Into { cells, statement, strict } => self.into(cells, statement, *strict)?,
            Op::If(branches, otherwise) => {
                for (test, steps) in branches {
                    if self.holds(test)? {
                        return self.steps(steps);
                    }
                }
                return self.steps(otherwise);
            }
            Op::Loop(label, test, steps) => return self.looped(label.as_deref(), test.as_deref(), steps),
            Op::Range { label, cell, ends, reverse, steps } => {
                return self.range(label.as_deref(), *cell, (ends, *reverse), steps);
            }
            Op::Rows { label, cells, sql, steps } => {
                return self.over_rows(label.as_deref(), (cells, sql), steps);
            }
            Op::Leave { label, next, test } => {
                let leaves = test.as_ref().map_or(Ok(true), |test| self.holds(test))?;
                if leaves {
                    return Ok(Flow::Leave { label: label.clone(), next: *next });
                }
            }
            Op::Give(statement) => {
                let rows = self.statement(statement, None)?;
                self.found(rows.len());
                self.given.extend(rows);
                if self.given.len() > MOST {
                    return Err(too_many(self.function));
                }
            }
            Op::Return(None) => return Ok(Flow::Over(())),
            Op::Return(Some(sql)) => {
                self.given = self.query(sql, None)?;
                return Ok(Flow::Over(()));
            }
            Op::Raise(sql) => return Err(self.raised(sql)?),
            Op::RowCount(cell) => {
                self.cells[*cell] = Cell::Integer(i64::try_from(self.count).unwrap_or(i64::MAX));
            }
            Op::Keep(cell, statement) => self.cells[*cell] = kept(&self.statement(statement, None)?),
            Op::Empty(emptying) => {
                self.empty(emptying)?;
                // It is about no rows, and says nothing of whether it found any.
                self.count = 0;
            }
            Op::Call { place, arguments, cell } => self.cells[*cell] = self.call(*place, arguments)?,
            Op::Guarded { steps, handlers, cells } => return self.guarded(steps, handlers, cells),
        }
        Ok(Flow::On)
    }

    /// The value of a query of one.
    pub(super) fn value(&self, sql: &str) -> Result<Cell> {
        let row = self.query(sql, Some(1))?.pop();
        Ok(row.and_then(|mut row| row.pop()).unwrap_or(Cell::Null))
    }

    fn holds(&self, test: &str) -> Result<bool> {
        Ok(!matches!(self.value(test)?, Cell::Null | Cell::Integer(0)))
    }

    /// The rows of a query, or so many of them.
    fn query(&self, sql: &str, most: Option<usize>) -> Result<Vec<Vec<Cell>>> {
        if self.write.cx.remaining().is_some_and(|left| left.is_zero()) {
            return Err(Error::timeout(format!("function {} ran too long", self.function.name)));
        }
        let mut statement = self.write.conn.sql.prepare_cached(sql).map_err(convert)?;
        let (count, width) = (statement.parameter_count(), statement.column_count());
        let mut found = statement.query(params_from_iter(&self.cells[..count])).map_err(convert)?;
        let mut rows = Vec::new();
        while most.is_none_or(|most| rows.len() < most)
            && let Some(row) = found.next().map_err(convert)?
        {
            rows.push((0..width).map(|at| row.get(at)).collect::<rusqlite::Result<_>>().map_err(convert)?);
            if rows.len() > MOST {
                return Err(too_many(self.function));
            }
        }
        Ok(rows)
    }

    fn statement(&self, step: &Step, most: Option<usize>) -> Result<Vec<Vec<Cell>>> {
        match &step.written {
            None => self.query(&step.sql, most),
            Some(written) => {
                refuse_write(self.function, self.read_only, verb(written.command))?;
                self.write.run(step, written, &self.cells, self.function)
            }
        }
    }

    fn into(&mut self, cells: &[usize], statement: &Step, strict: bool) -> Result<()> {
        let rows = self.statement(statement, None)?;
        let fails = strict || statement.written.is_some();
        if rows.is_empty() && strict {
            return Err(Error::new(ErrorKind::InvalidInput, "P0002", "query returned no rows"));
        }
        if rows.len() > 1 && fails {
            return Err(Error::new(ErrorKind::InvalidInput, "P0003", "query returned more than one row")
                .with_hint("Make sure the query returns a single row, or use LIMIT 1."));
        }
        self.found(rows.len());
        let row = rows.into_iter().next().unwrap_or_else(|| vec![Cell::Null; cells.len()]);
        self.fill(cells, row);
        Ok(())
    }

    fn fill(&mut self, cells: &[usize], row: Vec<Cell>) {
        for (cell, value) in cells.iter().zip(row) {
            self.cells[*cell] = value;
        }
    }

    fn found(&mut self, rows: usize) {
        self.count = rows;
        self.cells[self.program.found] = Cell::Integer(i64::from(rows > 0));
    }

    /// One round of a loop: what it ends with, or `None` to go on.
    fn round(&mut self, label: Option<&str>, steps: &[Op]) -> Result<Option<Flow>> {
        Ok(self.steps(steps)?.round(label))
    }

    fn looped(&mut self, label: Option<&str>, test: Option<&str>, steps: &[Op]) -> Result<Flow> {
        loop {
            // Even what does nothing ends at the deadline.
            if self.write.cx.remaining().is_some_and(|left| left.is_zero()) {
                return Err(Error::timeout(format!("function {} ran too long", self.function.name)));
            }
            if let Some(test) = test
                && !self.holds(test)?
            {
                return Ok(Flow::On);
            }
            if let Some(ended) = self.round(label, steps)? {
                return Ok(ended);
            }
        }
    }

    fn range(
        &mut self,
        label: Option<&str>,
        cell: usize,
        (ends, reverse): (&str, bool),
        steps: &[Op],
    ) -> Result<Flow> {
        let ends = self.query(ends, Some(1))?.pop().unwrap_or_default();
        let mut known = ends.iter().map(|end| match end {
            Cell::Integer(number) => Some(*number),
            _ => None,
        });
        let numbers = Numbers::between([(); 3].map(|()| known.next().flatten()), reverse)?;
        let (mut flow, mut any) = (Flow::On, false);
        for at in numbers {
            any = true;
            self.cells[cell] = Cell::Integer(at);
            if let Some(ended) = self.round(label, steps)? {
                flow = ended;
                break;
            }
        }
        self.cells[self.program.found] = Cell::Integer(i64::from(any));
        Ok(flow)
    }

    fn over_rows(
        &mut self,
        label: Option<&str>,
        (cells, sql): (&[usize], &str),
        steps: &[Op],
    ) -> Result<Flow> {
        // All at once: what the loop writes must not change what it goes over.
        let rows = self.query(sql, None)?;
        let any = !rows.is_empty();
        if !any {
            self.fill(cells, vec![Cell::Null; cells.len()]);
        }
        let write = self.write;
        let rounds = || -> Result<Flow> {
            for row in rows {
                self.fill(cells, row);
                if let Some(ended) = self.round(label, steps)? {
                    return Ok(ended);
                }
            }
            Ok(Flow::On)
        };
        let flow = write.conn.session.while_reading(sql, rounds)?;
        self.cells[self.program.found] = Cell::Integer(i64::from(any));
        Ok(flow)
    }

    fn raised(&self, sql: &str) -> Result<Error> {
        let row = self.query(sql, Some(1))?.pop().unwrap_or_default();
        let text = |at: usize| match row.get(at) {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let (Some(code), Some(message)) = (text(0), text(1)) else {
            let message = "RAISE statement option cannot be null";
            return Err(Error::new(ErrorKind::InvalidInput, "22004", message));
        };
        let error = raised(&code, message);
        let error = match text(2) {
            Some(details) => error.with_details(details),
            None => error,
        };
        Ok(match text(3) {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }
}

/// Rows as JSON, as [`Op::Keep`] has them.
fn kept(rows: &[Vec<Cell>]) -> Cell {
    let cell = |cell: &Cell| match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) if number.is_infinite() => {
            format!("{}9e999", if *number < 0.0 { "-" } else { "" })
        }
        Cell::Real(number) => format!("{number:?}"),
        Cell::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Cell::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\"{digits}\"")
        }
    };
    let row = |row: &Vec<Cell>| format!("[{}]", row.iter().map(cell).collect::<Vec<_>>().join(","));
    Cell::Text(format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(",")))
}

fn too_many(function: &Function) -> Error {
    Error::new(ErrorKind::TooLarge, "54000", format!("function {} has too many rows at hand", function.name))
}

/// A command as it is called in SQL.
pub(super) fn verb(command: PolicyCommand) -> &'static str {
    match command {
        PolicyCommand::Insert => "INSERT",
        PolicyCommand::Delete => "DELETE",
        _ => "UPDATE",
    }
}
