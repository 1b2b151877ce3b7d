//! The steps of a body that are no loops.

use futures::FutureExt;
use futures::future::BoxFuture;
use mongodb::bson::{Bson, Document};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_sql::expression::SCALAR;
use truststream_sql::plpgsql::{Body, Flow, Step};
use truststream_sql::raised::kind_of;

use super::names::Names;
use super::{Ended, Run};
use crate::cast::cast;
use crate::invoke::{refuse_write, setting};
use crate::names::field;
use crate::plan::Plan;
use crate::sql::Translator;
use crate::storage;

/// The statement that a text is.
pub(super) fn statement(sql: &str) -> Result<Statement> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| {
        Error::unsupported(format!("this database can't read a statement: {sql}")).with_source(error)
    })?;
    parsed.into_iter().next().ok_or_else(|| Error::unsupported("this database runs no empty statement"))
}

impl Run<'_> {
    pub(super) async fn whole(&mut self, body: &Body) -> Result<Ended> {
        if !body.handlers.is_empty() {
            return Err(Error::unsupported("this database catches no errors of a function"));
        }
        let outer = self.names.count();
        for variable in &body.variables {
            let catalog = &self.schema.catalog;
            if let Some(table) = Names::row_type(catalog, &variable.type_name) {
                let columns = self.schema.table(&table)?.columns.iter();
                let columns = columns.map(|one| (one.name.clone(), one.ty.clone(), Some(Value::Null)));
                self.names.declare_row(&variable.name, columns);
                continue;
            }
            let ty = self.names.declared(catalog, &self.function.name.schema, &variable.type_name);
            let value = match &variable.value {
                Some(value) => self.value(value, &ty).await?,
                None => Value::Null,
            };
            self.names.declare(&variable.name, ty, Some(value));
        }
        let flow = self.steps(&body.steps).await;
        self.names.leave(outer);
        flow
    }

    pub(super) fn steps<'s>(&'s mut self, steps: &'s [Step]) -> BoxFuture<'s, Result<Ended>> {
        async move {
            for step in steps {
                match self.step(step).await? {
                    Flow::On => {}
                    other => return Ok(other),
                }
            }
            Ok(Flow::On)
        }
        .boxed()
    }

    async fn step(&mut self, step: &Step) -> Result<Ended> {
        match step {
            Step::Nothing => {}
            Step::Block(body) => return self.whole(body).await,
            Step::Execute { .. } => {
                return Err(Error::unsupported("this database runs no \"execute\""));
            }
            Step::Assign { column, value } => self.set(&format!("new.{column}"), value).await?,
            Step::Set { variable, value } => self.set(variable, value).await?,
            Step::Into { variables, sql, strict } => self.into(variables, sql, *strict).await?,
            Step::Sql(sql) => {
                self.count = self.run(sql, None).await?.len();
                // What is about no rows says nothing of whether it found any.
                if !matches!(statement(sql)?, Statement::Truncate(_)) {
                    self.found()?;
                }
            }
            Step::If { branches, otherwise } => {
                for (test, steps) in branches {
                    if self.holds(test).await? {
                        return self.steps(steps).await;
                    }
                }
                return self.steps(otherwise).await;
            }
            Step::Return(value) => return self.returned(value).await,
            Step::ReturnQuery(sql) => {
                let rows = self.run(sql, Some(self.columns)).await?;
                self.count = rows.len();
                self.found()?;
                self.give(rows)?;
            }
            Step::ReturnNext(value) => {
                let row = self.row(value).await?;
                self.give(vec![row])?;
            }
            Step::Raise { code, message, arguments, options } => {
                return Err(self.raised((code, message), arguments, options).await?);
            }
            Step::RowCount(variable) => {
                let count = i64::try_from(self.count).unwrap_or(i64::MAX);
                let ty = self.names.type_of(variable)?;
                let value = cast(&self.schema.catalog, Value::Int(count), &Type::Int8, &ty)?;
                self.names.set(variable, value)?;
            }
            Step::Leave { label, next, test } => {
                let leaves = match test {
                    Some(test) => self.holds(test).await?,
                    None => true,
                };
                if leaves {
                    return Ok(Flow::Leave { label: label.clone(), next: *next });
                }
            }
            Step::Loop { label, test, steps } => {
                return self.looped(label.as_deref(), test.as_deref(), steps).await;
            }
            Step::Range { label, variable, reverse, ends, steps } => {
                return self.range(label.as_deref(), (variable, ends, *reverse), steps).await;
            }
            Step::Rows { label, variables, sql, steps } => {
                return self.over_rows(label.as_deref(), (variables, sql), steps).await;
            }
        }
        Ok(Flow::On)
    }

    async fn set(&mut self, variable: &str, value: &str) -> Result<()> {
        let ty = self.names.type_of(variable)?;
        let value = self.value(value, &ty).await?;
        self.names.set(variable, value)
    }

    pub(super) fn found(&mut self) -> Result<()> {
        self.names.set("found", Value::Bool(self.count > 0))
    }

    /// The pipeline of a statement, if it is a query.
    pub(super) fn query(&self, sql: &str, columns: Option<&[(String, Type)]>) -> Result<Option<Plan>> {
        let parsed = statement(sql)?;
        // What sets something looks like a query.
        let Statement::Query(query) = &parsed else { return Ok(None) };
        if setting(&parsed).is_some() {
            return Ok(None);
        }
        let (function, arguments) = self.names.called(&self.schema.catalog, self.function)?;
        let rows =
            Translator::step(&mut self.work.planner(self.schema), &function, &arguments, query, columns)?;
        Ok(Some(Plan { collection: rows.from, stages: rows.stages }))
    }

    /// Runs a statement: its rows, by the names of these columns.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        columns: Option<&[(String, Type)]>,
    ) -> Result<Vec<Document>> {
        if let Some(plan) = self.query(sql, columns)? {
            return self.work.documents(plan).await;
        }
        let (function, arguments) = self.names.called(&self.schema.catalog, self.function)?;
        let called = (&function, arguments.as_slice());
        let parsed = statement(sql)?;
        if let Some(setting) = setting(&parsed) {
            self.work.set(self.schema, called, &setting).await?;
            return Ok(Vec::new());
        }
        refuse_write(self.function, &parsed, self.read_only || self.function.reads_only)?;
        self.work.statement(self.schema, called, &parsed, columns).await
    }

    /// What rows are put into: one row variable, or as many variables as there are columns.
    pub(super) fn targets(&self, variables: &[String]) -> Result<Vec<(String, Type)>> {
        if let [only] = variables {
            let row = self.names.row(only);
            if !row.is_empty() {
                return Ok(row);
            }
        }
        variables.iter().map(|name| Ok((name.clone(), self.names.type_of(name)?))).collect()
    }

    pub(super) fn fill(&mut self, targets: &[(String, Type)], row: Option<&Document>) -> Result<()> {
        for (name, ty) in targets {
            let value = match row.and_then(|row| row.get(field(name))) {
                Some(found) => storage::value(found, ty)?,
                None => Value::Null,
            };
            self.names.set(name, value)?;
        }
        Ok(())
    }

    async fn into(&mut self, variables: &[String], sql: &str, strict: bool) -> Result<()> {
        let targets = self.targets(variables)?;
        let writes = !matches!(statement(sql)?, Statement::Query(_));
        let rows = self.run(sql, Some(&targets)).await?;
        if rows.is_empty() && strict {
            return Err(Error::new(ErrorKind::InvalidInput, "P0002", "query returned no rows"));
        }
        if rows.len() > 1 && (strict || writes) {
            return Err(Error::new(ErrorKind::InvalidInput, "P0003", "query returned more than one row")
                .with_hint("Make sure the query returns a single row, or use LIMIT 1."));
        }
        self.count = rows.len();
        self.found()?;
        self.fill(&targets, rows.first())
    }

    async fn returned(&mut self, value: &str) -> Result<Ended> {
        let word = value.trim().to_lowercase();
        if self.function.returns.type_name == "trigger" {
            return match word.as_str() {
                "new" | "old" => Ok(Flow::Over(Some(word))),
                "null" | "" => Ok(Flow::Over(None)),
                _ => Err(Error::unsupported("a trigger returns new, old or null on this database")),
            };
        }
        if !word.is_empty() && !self.function.returns.void {
            let row = self.row(value).await?;
            self.give(vec![row])?;
        }
        Ok(Flow::Over(None))
    }

    /// A value that is returned, as a row of the result.
    async fn row(&mut self, value: &str) -> Result<Document> {
        if !self.function.returns.composite {
            let ty = self.columns.first().map_or(Type::Text, |(_, ty)| ty.clone());
            let value = self.value(value, &ty).await?;
            let stored = storage::stored(&self.schema.catalog, &value, &ty)?;
            return Ok(Document::from_iter([(field(SCALAR), stored)]));
        }
        let word = value.trim().to_lowercase();
        let mut row = Document::new();
        if word == "null" {
            row.extend(self.columns.iter().map(|(name, _)| (field(name), Bson::Null)));
            return Ok(row);
        }
        let found = self.names.row(&word);
        if found.len() != self.columns.len() {
            return Err(Error::unsupported("this database returns rows that are variables"));
        }
        for ((name, from), (column, to)) in found.iter().zip(self.columns) {
            let value = cast(&self.schema.catalog, self.names.value(name)?, from, to)?;
            row.insert(field(column), storage::stored(&self.schema.catalog, &value, to)?);
        }
        Ok(row)
    }

    async fn raised(
        &mut self,
        (code, message): (&str, &str),
        arguments: &[String],
        options: &[(String, String)],
    ) -> Result<Error> {
        let (mut code, mut text) = (code.to_owned(), String::new());
        let mut arguments = arguments.iter();
        let mut signs = message.chars().peekable();
        while let Some(sign) = signs.next() {
            if sign != '%' || signs.next_if_eq(&'%').is_some() {
                text.push(sign);
                continue;
            }
            let Some(argument) = arguments.next() else {
                return Ok(Error::unsupported("too few parameters for \"raise\""));
            };
            let shown = self.value(&format!("({argument})::text"), &Type::Text).await?;
            text.push_str(&shown.to_text().unwrap_or_else(|| "<NULL>".to_owned()));
        }
        let (mut details, mut hint) = (None, None);
        for (option, value) in options {
            let value = self.value(&format!("({value})::text"), &Type::Text).await?;
            let Some(value) = value.to_text() else {
                let message = "RAISE statement option cannot be null";
                return Ok(Error::new(ErrorKind::InvalidInput, "22004", message));
            };
            match option.as_str() {
                "errcode" => code = value,
                "detail" => details = Some(value),
                "hint" => hint = Some(value),
                _ => text = value,
            }
        }
        let mut error = Error::new(kind_of(&code), code, text);
        if let Some(details) = details {
            error = error.with_details(details);
        }
        Ok(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }
}
