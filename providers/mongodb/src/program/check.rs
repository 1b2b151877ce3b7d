//! Whether a body can be run, before it has to be.

use sqlparser::ast::Statement;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type};
use truststream_services::database::{Function, Table, TableKind, TableName};
use truststream_sql::expression::result_columns;
use truststream_sql::plpgsql::{Body, Step};

use super::names::Names;
use super::step::statement;
use super::{body_of, fire};
use crate::invoke::{check_setting, check_statement, setting};
use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::{Translator, parse};

/// A body that is tried.
struct Trial<'t> {
    schema: &'t Schema,
    function: &'t Function,
    columns: Vec<(String, Type)>,
    names: Names,
    /// Whether it may read and write tables.
    reaches: bool,
}

/// Whether a function in PL/pgSQL can be run here.
///
/// # Errors
/// What can't be.
pub(crate) fn check(schema: &Schema, function: &Function) -> Result<()> {
    let body = body_of(function, function.body.as_deref().unwrap_or_default())?;
    let mut names = Names::of(&schema.catalog, function, None);
    names.declare("found", Type::Bool, None);
    let columns = result_columns(&schema.catalog, function)?;
    Trial { schema, function, columns, names, reaches: true }.body(&body)
}

/// Whether the triggers of a table can be.
///
/// # Errors
/// The first that can't.
pub(crate) fn check_triggers(schema: &Schema, name: &TableName, table: &Table) -> Result<()> {
    for trigger in &table.triggers {
        for command in &trigger.events {
            let routine = fire::routine(schema, table, trigger, command)?;
            let names = fire::names((name, table), trigger, command, None)?;
            let reaches = routine.function.security_definer || table.kind != TableKind::Table;
            let mut trial =
                Trial { schema, function: &routine.function, columns: Vec::new(), names, reaches };
            routine.condition.iter().try_for_each(|condition| trial.value(condition, &Type::Bool))?;
            trial.body(&routine.body)?;
        }
    }
    Ok(())
}

impl Trial<'_> {
    fn refuse<T>(&self, why: &str) -> Result<T> {
        Err(Error::unsupported(format!("function {}: {why}", self.function.name)))
    }

    fn body(&mut self, body: &Body) -> Result<()> {
        if !body.handlers.is_empty() {
            return self.refuse("a handler of exceptions: this database undoes transactions whole");
        }
        let outer = self.names.count();
        for variable in &body.variables {
            let catalog = &self.schema.catalog;
            if let Some(table) = Names::row_type(catalog, &variable.type_name) {
                if variable.value.is_some() {
                    return self.refuse("a row that is set where it is declared");
                }
                let columns = self.schema.table(&table)?.columns.iter();
                let columns = columns.map(|one| (one.name.clone(), one.ty.clone(), None));
                self.names.declare_row(&variable.name, columns);
                continue;
            }
            if variable.type_name.trim().eq_ignore_ascii_case("record") {
                return self.refuse("a row of no declared type");
            }
            let ty = self.names.declared(catalog, &self.function.name.schema, &variable.type_name);
            if let Some(value) = &variable.value {
                self.value(value, &ty)?;
            }
            self.names.declare(&variable.name, ty, None);
        }
        let done = self.steps(&body.steps);
        self.names.leave(outer);
        done
    }

    fn steps(&mut self, steps: &[Step]) -> Result<()> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Nothing => Ok(()),
            Step::Block(body) => self.body(body),
            Step::Execute { .. } => self.refuse("\"execute\" in a body of plpgsql"),
            Step::Assign { column, value } => self.set(&format!("new.{column}"), value),
            Step::Set { variable, value } => self.set(variable, value),
            Step::Into { variables, sql, .. } => {
                let targets = self.targets(variables)?;
                self.statement(sql, Some(&targets))
            }
            Step::Sql(sql) => self.statement(sql, None),
            Step::If { branches, otherwise } => {
                for (test, steps) in branches {
                    self.value(test, &Type::Bool)?;
                    self.steps(steps)?;
                }
                self.steps(otherwise)
            }
            Step::Return(value) | Step::ReturnNext(value) => self.returned(value),
            Step::ReturnQuery(sql) => {
                let columns = self.columns.clone();
                self.statement(sql, Some(&columns))
            }
            Step::Raise { arguments, options, .. } => {
                let values = arguments.iter().chain(options.iter().map(|(_, value)| value));
                values.into_iter().try_for_each(|value| self.value(&format!("({value})::text"), &Type::Text))
            }
            Step::RowCount(variable) => self.names.type_of(variable).map(drop),
            Step::Leave { test, .. } => test.iter().try_for_each(|test| self.value(test, &Type::Bool)),
            Step::Loop { test, steps, .. } => {
                test.iter().try_for_each(|test| self.value(test, &Type::Bool))?;
                self.steps(steps)
            }
            Step::Range { variable, ends, steps, .. } => {
                ends.iter().try_for_each(|end| self.value(end, &Type::Int4))?;
                let outer = self.names.count();
                self.names.declare(variable, Type::Int4, None);
                let done = self.steps(steps);
                self.names.leave(outer);
                done
            }
            Step::Rows { variables, sql, steps, .. } => {
                let targets = self.targets(variables)?;
                self.statement(sql, Some(&targets))?;
                self.steps(steps)
            }
        }
    }

    fn set(&self, variable: &str, value: &str) -> Result<()> {
        self.value(value, &self.names.type_of(variable)?)
    }

    fn returned(&self, value: &str) -> Result<()> {
        let word = value.trim().to_lowercase();
        let returns = &self.function.returns;
        if word.is_empty() || word == "null" || !self.names.row(&word).is_empty() || returns.void {
            return Ok(());
        }
        if returns.composite || returns.type_name == "trigger" {
            return self.refuse("a row that is returned without being a variable");
        }
        let ty = self.columns.first().map_or(Type::Text, |(_, ty)| ty.clone());
        self.value(value, &ty)
    }

    fn targets(&self, variables: &[String]) -> Result<Vec<(String, Type)>> {
        if let [only] = variables {
            let row = self.names.row(only);
            if !row.is_empty() {
                return Ok(row);
            }
        }
        variables.iter().map(|name| Ok((name.clone(), self.names.type_of(name)?))).collect()
    }

    fn value(&self, text: &str, ty: &Type) -> Result<()> {
        let (function, arguments) = self.names.called(&self.schema.catalog, self.function)?;
        let cx = Context::system();
        let mut planner = Planner::new(self.schema, &cx).trying();
        let (_, stages) = Translator::value_of_call(&mut planner, &function, &arguments, &parse(text)?, ty)?;
        if stages.is_empty() || self.reaches { Ok(()) } else { self.closed() }
    }

    fn statement(&self, sql: &str, columns: Option<&[(String, Type)]>) -> Result<()> {
        let (function, arguments) = self.names.called(&self.schema.catalog, self.function)?;
        let called = (&function, arguments.as_slice());
        let cx = Context::system();
        let mut planner = Planner::new(self.schema, &cx).trying();
        let parsed = statement(sql)?;
        if let Some(setting) = setting(&parsed) {
            return check_setting(&mut planner, called, &setting);
        }
        if !self.reaches {
            return self.closed();
        }
        match &parsed {
            Statement::Query(query) => {
                Translator::step(&mut planner, called.0, called.1, query, columns).map(drop)
            }
            other => check_statement(&mut planner, called, other, columns),
        }
    }

    fn closed<T>(&self) -> Result<T> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "0A000",
            "a trigger function that reads or writes tables must be \"security definer\" here",
        ))
    }
}
