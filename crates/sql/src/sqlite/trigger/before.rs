//! Triggers before a row is written: the row they make of the one given, as a query.
//!
//! Each step of a body is one more select around the last. None of them is merged with another,
//! as each has a limit, so what is random stays what it was.

use sqlparser::ast::Expr;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, PolicyCommand, Table, TableName};

use super::{Routine, concerns, raised, routines, translator, variables};
use crate::expression::{Relation, Translator, compared_type, file_name, parse};
use crate::plpgsql::Step;
use crate::quote::quote;
use crate::sqlite::{numbers, row_ids};

/// What triggers make of the rows that are to be written.
#[derive(Clone, Debug)]
pub struct Before {
    /// The columns written.
    pub columns: Vec<String>,
    /// The query of their values.
    pub sql: String,
}

/// What the triggers of a table make of given cells. `from` is what the cells are read from; for an
/// update the cells not given are those of the row that is there. `None` without triggers.
///
/// # Errors
/// A body that is not simple.
pub fn before(
    catalog: &Catalog,
    (name, table): (&TableName, &Table),
    command: PolicyCommand,
    given: &[(String, String)],
    from: Option<&str>,
) -> Result<Option<Before>> {
    let update = command == PolicyCommand::Update;
    let event = if update { "update" } else { "insert" };
    let written: Vec<&str> = given.iter().map(|(column, _)| column.as_str()).collect();
    let mut routines = routines(catalog, table, event, true)?;
    routines.retain(|routine| !update || concerns(routine.trigger, &written));
    if routines.is_empty() {
        return Ok(None);
    }
    let columns: Vec<&Column> = table.columns.iter().filter(|column| column.generated.is_none()).collect();
    let mut flow = Flow::begin(catalog, (name, table), (update, event), &columns);
    let mut cells = Vec::new();
    for column in &columns {
        let found = given.iter().find(|(name, _)| *name == column.name);
        let cell = match found {
            Some((_, cell)) => cell.clone(),
            None if update => format!("{}.{}", quote(&file_name(name)), quote(&column.name)),
            None => numbers::default(catalog, (name, table), column)?.unwrap_or_else(|| "NULL".into()),
        };
        cells.push(format!("{cell} AS {}", quote(&column.name)));
    }
    let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
    flow.sql = format!("SELECT {}, 0 AS \"skip\"{from} LIMIT -1", cells.join(", "));
    for routine in &routines {
        flow.trigger(routine)?;
    }
    let assigned = |column: &&&Column| {
        !update || written.contains(&column.name.as_str()) || flow.assigned.contains(&column.name)
    };
    let columns: Vec<String> = columns.iter().filter(assigned).map(|column| column.name.clone()).collect();
    let shown = columns.iter().map(|column| row_ids::made(catalog, (name, table), command, column));
    let shown: Vec<_> = shown.collect();
    let sql = format!("SELECT {} FROM ({}) WHERE NOT \"skip\"", shown.join(", "), flow.sql);
    Ok(Some(Before { columns, sql }))
}

/// The cell that a variable is.
fn variable_cell(name: &str) -> String {
    format!("variable {name}")
}

/// A row on its way through the bodies.
struct Flow<'a> {
    catalog: &'a Catalog,
    name: &'a TableName,
    table: &'a Table,
    update: bool,
    event: &'a str,
    /// The row's columns, and the marks made so far.
    cells: Vec<String>,
    sql: String,
    level: usize,
    assigned: Vec<String>,
}

impl<'a> Flow<'a> {
    fn begin(
        catalog: &'a Catalog,
        (name, table): (&'a TableName, &'a Table),
        (update, event): (bool, &'a str),
        columns: &[&Column],
    ) -> Self {
        let mut cells: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        cells.push("skip".into());
        Flow {
            catalog,
            name,
            table,
            update,
            event,
            cells,
            sql: String::new(),
            level: 0,
            assigned: Vec::new(),
        }
    }

    fn alias(&self) -> String {
        format!("n{}", self.level)
    }

    fn cell(&self, name: &str) -> String {
        format!("{}.{}", quote(&self.alias()), quote(name))
    }

    /// One more select, in which one cell is another or new.
    fn set(&mut self, name: &str, sql: &str) {
        if !self.cells.iter().any(|cell| cell == name) {
            self.cells.push(name.to_owned());
        }
        let shown = self.cells.iter().map(|cell| match cell == name {
            true => format!("{sql} AS {}", quote(name)),
            false => self.cell(cell),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        self.sql = format!("SELECT {shown} FROM ({}) AS {} LIMIT -1", self.sql, quote(&self.alias()));
        self.level += 1;
    }

    /// What names mean at this point.
    fn translator(&self, routine: &Routine<'_>) -> Translator<'a> {
        let columns: Vec<(String, Type)> =
            self.table.columns.iter().map(|column| (column.name.clone(), compared_type(column))).collect();
        let mut new = Relation::new("new", columns.clone()).aliased(self.alias());
        new.cells = Some(
            columns
                .iter()
                .map(|(name, _)| if self.cells.contains(name) { self.cell(name) } else { "NULL".into() })
                .collect(),
        );
        let mut old = Relation::new("old", columns).aliased(file_name(self.name));
        if !self.update {
            old.cells = Some(old.columns.iter().map(|_| "NULL".to_owned()).collect());
        }
        let variables = variables::relation(self.catalog, routine, |name| self.cell(&variable_cell(name)));
        translator(self.catalog, routine, (self.name, self.event), vec![new, old], variables)
    }

    fn trigger(&mut self, routine: &Routine<'_>) -> Result<()> {
        let number = self.level;
        let (done, active) = (format!("done {number}"), format!("active {number}"));
        self.set(&done, "0");
        // They are known as names only once all of them are there.
        for variable in &routine.body.variables {
            self.set(&variable_cell(&variable.name), "NULL");
        }
        for variable in &routine.body.variables {
            if let Some(value) = &variable.value {
                self.keep(routine, (&variable.name, &parse(value)?), None)?;
            }
        }
        let condition = match &routine.condition {
            Some(condition) => {
                let sql = self.translator(routine).condition(&parse(condition)?)?;
                format!("({sql}) IS TRUE")
            }
            None => "1".to_owned(),
        };
        let condition = format!("({condition} AND NOT {})", self.cell("skip"));
        self.set(&active, &condition);
        self.steps(routine, &routine.body.steps, &active, &done)
    }

    /// Whether a mark is set and the body has not returned.
    fn runs(&self, mark: &str, done: &str) -> String {
        format!("({} AND NOT {})", self.cell(mark), self.cell(done))
    }

    fn steps(&mut self, routine: &Routine<'_>, steps: &[Step], mark: &str, done: &str) -> Result<()> {
        for step in steps {
            match step {
                Step::Nothing => {}
                Step::Assign { column, value } => self.assign(routine, (column, value), mark, done)?,
                Step::Set { variable, value } => {
                    self.keep(routine, (variable, &parse(value)?), Some((mark, done)))?;
                }
                Step::Into { variables, sql, .. } => {
                    for (variable, value) in variables.iter().zip(variables::cells(sql, variables.len())?) {
                        self.keep(routine, (variable, &value), Some((mark, done)))?;
                    }
                }
                Step::If { branches, otherwise } => {
                    self.branches(routine, (branches, otherwise), mark, done)?;
                }
                Step::Raise { code, message, arguments, .. } => {
                    let failing = raised(&mut self.translator(routine), (code, message, arguments))?;
                    let (runs, skip) = (self.runs(mark, done), self.cell("skip"));
                    self.set("skip", &format!("CASE WHEN {runs} THEN {failing} ELSE {skip} END"));
                }
                Step::Return(value) => self.give_back(routine, value, mark, done)?,
                _ => {
                    return Err(Error::unsupported(format!(
                        "trigger {}: a statement on rows before the row is written runs on PostgreSQL only; \
                         make it a trigger after it",
                        routine.trigger.name
                    )));
                }
            }
        }
        Ok(())
    }

    fn assign(
        &mut self,
        routine: &Routine<'_>,
        (name, value): (&str, &str),
        mark: &str,
        done: &str,
    ) -> Result<()> {
        let column = self.table.column(name).filter(|column| column.generated.is_none());
        let column = column.ok_or_else(|| crate::schema::no_such_column(name, self.name))?;
        let mut translator = self.translator(routine);
        let term = translator.expr(&parse(value)?)?;
        let value = translator.cast_to(term, &column.ty)?.sql;
        let (runs, kept) = (self.runs(mark, done), self.cell(name));
        self.set(name, &format!("CASE WHEN {runs} THEN {value} ELSE {kept} END"));
        if !self.assigned.iter().any(|one| one == name) {
            self.assigned.push(name.to_owned());
        }
        Ok(())
    }

    /// Sets a variable, where its step is reached.
    fn keep(
        &mut self,
        routine: &Routine<'_>,
        (variable, value): (&str, &Expr),
        reached: Option<(&str, &str)>,
    ) -> Result<()> {
        let ty = variables::type_of(self.catalog, routine, variable);
        let mut translator = self.translator(routine);
        let term = translator.expr(value)?;
        let value = translator.cast_to(term, &ty)?.sql;
        let cell = variable_cell(variable);
        let value = match reached {
            Some((mark, done)) => {
                format!("CASE WHEN {} THEN {value} ELSE {} END", self.runs(mark, done), self.cell(&cell))
            }
            None => value,
        };
        self.set(&cell, &value);
        Ok(())
    }

    fn branches(
        &mut self,
        routine: &Routine<'_>,
        (branches, otherwise): (&[(String, Vec<Step>)], &[Step]),
        mark: &str,
        done: &str,
    ) -> Result<()> {
        let number = self.level;
        let left = format!("left {number}");
        self.set(&left, &self.runs(mark, done));
        for (at, (condition, steps)) in branches.iter().enumerate() {
            let met = format!("met {number} {at}");
            let sql = self.translator(routine).condition(&parse(condition)?)?;
            // What is left of the branches is looked at first, so that no later test is made.
            let open = self.cell(&left);
            self.set(&met, &format!("CASE WHEN {open} THEN ({sql}) IS TRUE ELSE 0 END"));
            let rest = format!("({} AND NOT {})", self.cell(&left), self.cell(&met));
            self.set(&left, &rest);
            self.steps(routine, steps, &met, done)?;
        }
        self.steps(routine, otherwise, &left, done)
    }

    fn give_back(&mut self, routine: &Routine<'_>, value: &str, mark: &str, done: &str) -> Result<()> {
        let runs = self.runs(mark, done);
        match value.to_lowercase().as_str() {
            "new" => {}
            "null" if !self.update => {
                let skip = self.cell("skip");
                self.set("skip", &format!("({skip} OR {runs})"));
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "trigger {}: \"return {value}\" runs on PostgreSQL only",
                    routine.trigger.name
                )));
            }
        }
        let runs = self.runs(mark, done);
        let before = self.cell(done);
        self.set(done, &format!("({before} OR {runs})"));
        Ok(())
    }
}
