//! Rows of migrations and seeds: `insert into … values …`.

use mongodb::bson::Bson;
use sqlparser::ast::{
    ConflictTarget, Expr, Insert, OnConflict, OnConflictAction, OnInsert, SetExpr, Statement as Parsed,
    TableObject,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Column, TableName};
use truststream_sql::schema::{Statement, table_name};

use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::Translator;
use crate::storage;
use crate::term::constant_of;
use crate::work::Work;
use crate::write::{Rows, stored};

/// A statement that inserts rows, ready to be run.
#[derive(Debug)]
pub(crate) struct Seed<'s> {
    name: TableName,
    rows: Rows<'s>,
    /// The key whose rows are passed over if they exist.
    passing_over: Option<Vec<String>>,
}

fn fault(code: &'static str, message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message)
}

/// Reads a statement of rows.
///
/// # Errors
/// 42P01 and 42703 for unknown tables and columns, 0A000 for what can't be run here.
pub(crate) fn read<'s>(schema: &'s Schema, statement: &Statement) -> Result<Seed<'s>> {
    let refused = || Error::unsupported("of statements on rows this database runs insert … values only");
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &statement.text).map_err(|_| refused())?;
    let Some(Parsed::Insert(insert)) = parsed.into_iter().next() else { return Err(refused()) };
    let TableObject::TableName(name) = &insert.table else { return Err(refused()) };
    let name = table_name(name);
    let table = schema
        .catalog
        .table(&name)
        .ok_or_else(|| fault("42P01", format!("relation \"{}\" does not exist", name.name)))?;
    let column = |wanted: &String| {
        let message = format!("column \"{wanted}\" of relation \"{}\" does not exist", name.name);
        table.column(wanted).ok_or_else(|| fault("42703", message))
    };
    let named: Vec<String> = insert.columns.iter().map(last).collect();
    let mut columns = if named.is_empty() {
        table.columns.iter().filter(|column| column.generated.is_none()).collect()
    } else {
        named.iter().map(column).collect::<Result<Vec<_>>>()?
    };
    let Some(SetExpr::Values(values)) = insert.source.as_ref().map(|source| source.body.as_ref()) else {
        return Err(refused());
    };
    columns.truncate(values.rows.first().map_or(0, |row| row.content.len()));
    let mut rows = Vec::with_capacity(values.rows.len());
    for row in &values.rows {
        if row.content.len() != columns.len() {
            return Err(fault("42601", "VALUES lists must all be the same length".to_owned()));
        }
        let cells = row.content.iter().zip(&columns).map(|(cell, column)| value(schema, column, cell));
        rows.push(cells.collect::<Result<_>>()?);
    }
    let passing_over = conflict(&insert, &table.primary_key).ok_or_else(refused)?;
    Ok(Seed { name, rows: Rows { columns, rows }, passing_over })
}

fn last(name: &sqlparser::ast::ObjectName) -> String {
    table_name(name).name
}

/// The key whose rows are passed over; `None` for a rule that can't be followed.
fn conflict(insert: &Insert, primary_key: &[String]) -> Option<Option<Vec<String>>> {
    match &insert.on {
        None => Some(None),
        Some(OnInsert::OnConflict(OnConflict { conflict_target, action: OnConflictAction::DoNothing })) => {
            match conflict_target {
                None => Some(Some(primary_key.to_vec())),
                Some(ConflictTarget::Columns(columns)) => {
                    Some(Some(columns.iter().map(|column| column.value.clone()).collect()))
                }
                Some(_) => None,
            }
        }
        Some(_) => None,
    }
}

/// A cell; `None` takes the default.
fn value(schema: &Schema, column: &Column, cell: &Expr) -> Result<Option<Value>> {
    if matches!(cell, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"))
    {
        return Ok(None);
    }
    let cx = Context::system();
    let mut planner = Planner::new(schema, &cx);
    let term = Translator::value_of_expr(&mut planner, None, cell, &column.ty)?;
    if term.expr == Bson::String("$$REMOVE".to_owned()) {
        return Ok(Some(Value::Null));
    }
    match constant_of(&term.expr) {
        Some(Bson::Null) if !matches!(term.ty, Type::Json | Type::Jsonb) => Ok(Some(Value::Null)),
        Some(known) => {
            let found = stored(schema, Some(known), &term.ty, column)?;
            storage::value(&found, &column.ty).map(Some)
        }
        None => Err(Error::unsupported(format!("this database can't compute the value {cell}"))),
    }
}

impl Work {
    /// Runs a statement on rows.
    pub(crate) async fn run(&mut self, statement: &Statement) -> Result<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        let seed = read(&schema, statement)?;
        let table = schema.table(&seed.name)?;
        self.seed((&seed.name, table), &seed.rows, seed.passing_over.as_deref()).await
    }
}
