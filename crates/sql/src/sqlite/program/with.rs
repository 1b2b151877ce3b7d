//! Statements that write within `with`: each part is run by itself, in order, and what it returns is kept
//! for those behind it.
//!
//! PostgreSQL lets no part see what another one wrote, except what it returned. So a part that might see
//! it is refused.

use std::collections::BTreeSet;

use sqlparser::ast::{Cte, Query, SetExpr, Statement as Parsed, With};
use truststream_kernel::{Result, Type};
use truststream_services::database::{PolicyCommand, TableName};

use super::names::mark;
use super::reach::{mentioned, reached};
use super::{Compiler, Op, Statement};
use crate::expression::{Relation, file_name, known};
use crate::plpgsql::Step;
use crate::quote::quote;
use crate::schema::ident;
use crate::sqlite::write::statement_of;

/// A statement that has such parts.
pub(super) struct Writing {
    with: With,
    /// What follows them.
    main: Parsed,
}

/// The writing statement that the body of a query is, if it is one.
fn writing(body: &SetExpr) -> Option<&Parsed> {
    match body {
        SetExpr::Insert(one) | SetExpr::Update(one) | SetExpr::Delete(one) => Some(one),
        _ => None,
    }
}

impl Writing {
    /// A statement's parts, if one of them writes.
    pub(crate) fn of(statement: &Parsed) -> Option<Self> {
        let Parsed::Query(query) = statement else { return None };
        let with = query.with.clone()?;
        let main = writing(&query.body).cloned();
        if main.is_none() && !with.cte_tables.iter().any(|part| writing(&part.query.body).is_some()) {
            return None;
        }
        let rest = || Parsed::Query(Box::new(Query { with: None, ..query.as_ref().clone() }));
        Some(Writing { main: main.unwrap_or_else(rest), with })
    }

    /// The parts of a step's statement.
    pub(super) fn of_step(step: &Step) -> Option<Self> {
        let (Step::Sql(sql) | Step::ReturnQuery(sql) | Step::Into { sql, .. }) = step else { return None };
        sql.get(..4).filter(|word| word.eq_ignore_ascii_case("with"))?;
        Writing::of(&statement_of(sql).ok()?)
    }
}

impl Compiler<'_, '_, '_> {
    /// A step whose statement writes within `with`.
    pub(super) fn with(&mut self, writing: &Writing, step: &Step, ops: &mut Vec<Op>) -> Result<()> {
        if writing.with.recursive {
            return self.refuse("a recursive \"with\" that writes");
        }
        let sql = writing.main.to_string();
        let main = match step {
            Step::Into { variables, strict, .. } => {
                Step::Into { variables: variables.clone(), sql, strict: *strict }
            }
            Step::ReturnQuery(_) => Step::ReturnQuery(sql),
            _ => Step::Sql(sql),
        };
        let mut touched = BTreeSet::new();
        for part in &writing.with.cte_tables {
            let statement = self.part(part, ops)?;
            self.sees(&statement, &touched)?;
            if let Some(written) = &statement.written {
                let catalog = self.translator.catalog();
                touched.extend(reached(catalog, &written.table, written.command));
            }
        }
        self.step(&main, ops)?;
        if let Some(Op::Run(last) | Op::Give(last) | Op::Into { statement: last, .. }) = ops.last() {
            self.sees(last, &touched)?;
        }
        self.translator.forget(writing.with.cte_tables.len());
        Ok(())
    }

    /// One part: its rows are kept under its name.
    fn part(&mut self, part: &Cte, ops: &mut Vec<Op>) -> Result<Statement> {
        let (statement, columns) = match writing(&part.query.body) {
            Some(parsed) => {
                let (written, returning) = self.written(parsed)?;
                let types = returning.iter().map(|(name, term)| (name.clone(), term.ty.clone()));
                let columns = known(types.collect())?;
                let types: Vec<Type> = columns.iter().map(|(_, ty)| ty.clone()).collect();
                (self.returning(written, returning, &types)?, columns)
            }
            None => {
                let (sql, columns) = self.named(|translator| {
                    let (sql, columns) = translator.query(&part.query)?;
                    Ok((sql, known(columns)?))
                })?;
                (Statement { sql, written: None }, columns)
            }
        };
        let cell = self.names.cell();
        let given = part.alias.columns.iter().map(|column| Some(ident(&column.name)));
        let names = given.chain(std::iter::repeat(None));
        let named = |((name, ty), given): ((String, Type), Option<String>)| (given.unwrap_or(name), ty);
        let columns: Vec<(String, Type)> = columns.into_iter().zip(names).map(named).collect();
        let rows = Some(kept_rows(cell, &columns));
        self.translator.remember(Relation { rows, ..Relation::new(ident(&part.alias.name), columns) });
        ops.push(Op::Keep(cell, statement.clone()));
        Ok(statement)
    }

    /// Refuses a part that might see what others before it wrote.
    fn sees(&self, part: &Statement, touched: &BTreeSet<TableName>) -> Result<()> {
        if let Some(seen) = touched.iter().find(|table| part.sql.contains(&quote(&file_name(table)))) {
            return self
                .refuse(format!("\"with\" that writes to {seen}, which another part reads or writes"));
        }
        let Some(written) = part.written.as_ref().filter(|one| one.command != PolicyCommand::Delete) else {
            return Ok(());
        };
        let catalog = self.translator.catalog();
        let Some(table) = catalog.table(&written.table).filter(|table| table.row_security) else {
            return Ok(());
        };
        let conditions = table.policies.iter().flat_map(|one| [&one.using, &one.check]).flatten();
        let asked = mentioned(catalog, conditions.map(String::as_str));
        if self.function.security_definer || asked.is_disjoint(touched) {
            return Ok(());
        }
        self.refuse(format!(
            "\"with\" that writes to what policies of {} ask; declare it security definer",
            written.table
        ))
    }
}

/// The query of rows that a cell keeps as JSON.
fn kept_rows(cell: usize, columns: &[(String, Type)]) -> String {
    let column = |(at, (name, ty)): (usize, &(String, Type))| {
        let value = format!("json_extract(value, '$[{at}]')");
        // JSON keeps bytes as digits.
        let value = if *ty == Type::Bytes { format!("unhex({value})") } else { value };
        format!("{value} AS {}", quote(name))
    };
    let shown: Vec<_> = columns.iter().enumerate().map(column).collect();
    let shown = if shown.is_empty() { "1".to_owned() } else { shown.join(", ") };
    format!("SELECT {shown} FROM json_each({})", mark(cell))
}
