//! Rows of migrations and seeds: `insert into … values …`, `truncate`, and where their numbers go on.

use sqlparser::ast::{
    ConflictTarget, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Insert, OnConflict,
    OnConflictAction, OnInsert, Query, SetExpr, Statement as Parsed, TableObject, Value as Literal,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Context, Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, TableName};
use truststream_sql::schema::{Statement, column_of_sequence, table_name};
use truststream_sql::truncate::{Emptying, Truncator};

use crate::cast::cast;
use crate::partition::Target;
use crate::plan::Planner;
use crate::schema::Schema;
use crate::sequence;
use crate::sql::{Translator, lone_expression};
use crate::work::Work;
use crate::write::Rows;

/// A statement on rows, ready to be run.
#[derive(Debug)]
pub(crate) enum Data<'s> {
    Seed(Seed<'s>),
    /// The last number that a column was given.
    Counted(&'s TableName, &'s Column, i64),
    /// Tables and partitions to empty.
    Emptied(Emptying),
}

/// A statement that inserts rows.
#[derive(Debug)]
pub(crate) struct Seed<'s> {
    target: Target<'s>,
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
pub(crate) fn read<'s>(schema: &'s Schema, statement: &Statement) -> Result<Data<'s>> {
    let refused = || {
        let known = "of statements on rows this database runs insert … values, truncate and setval only";
        Error::unsupported(known)
    };
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &statement.text).map_err(|_| refused())?;
    let insert = match parsed.into_iter().next() {
        Some(Parsed::Insert(insert)) => insert,
        Some(Parsed::Truncate(truncate)) => {
            let emptying = Emptying::read(&schema.catalog, &truncate, table_name)?;
            let owner = Truncator { role: None, owner: true };
            for name in emptying.targets(&schema.catalog, owner)? {
                Target::find(&schema.catalog, &name)?;
            }
            return Ok(Data::Emptied(emptying));
        }
        Some(Parsed::Query(query)) => return counted(schema, &query).ok_or_else(refused),
        _ => return Err(refused()),
    };
    let TableObject::TableName(name) = &insert.table else { return Err(refused()) };
    let name = table_name(name);
    let target = Target::find(&schema.catalog, &name)?;
    let table = target.table;
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
    Ok(Data::Seed(Seed { target, rows: Rows { given: Vec::new(), columns, rows }, passing_over }))
}

/// `select setval('table_column_seq', number, was_given)`
fn counted<'s>(schema: &'s Schema, query: &Query) -> Option<Data<'s>> {
    let Expr::Function(call) = lone_expression(query)? else { return None };
    let FunctionArguments::List(list) = &call.args else { return None };
    let name = call.name.to_string().to_lowercase();
    if name.strip_prefix("pg_catalog.").unwrap_or(&name) != "setval" {
        return None;
    }
    let mut literals = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => literal(expr),
        _ => None,
    });
    let sequence = literals.next()??;
    let number: i64 = literals.next()??.parse().ok()?;
    let given = literals.next().flatten().is_none_or(|given| given != "false");
    let named = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&sequence)
        .and_then(|mut parser| parser.parse_object_name(false));
    let (table, column) = column_of_sequence(&schema.catalog, &table_name(&named.ok()?))?;
    Some(Data::Counted(table, column, if given { number } else { number - 1 }))
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Cast { expr, .. } => literal(expr),
        Expr::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) => Some(text.clone()),
            Literal::Number(text, _) => Some(text.clone()),
            Literal::Boolean(given) => Some(given.to_string()),
            _ => None,
        },
        _ => None,
    }
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
    match term.known()? {
        Some(value) => cast(&schema.catalog, value, &term.ty, &column.ty).map(Some),
        None => Err(Error::unsupported(format!("this database can't compute the value {cell}"))),
    }
}

impl Work {
    /// Runs a statement on rows.
    pub(crate) async fn run(&mut self, statement: &Statement) -> Result<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        match read(&schema, statement)? {
            Data::Counted(table, column, last) => sequence::set(&self.database, table, column, last).await,
            Data::Emptied(emptying) => {
                self.truncate(&schema, &emptying, Truncator { role: None, owner: true }).await
            }
            Data::Seed(seed) => {
                let named = (seed.target.name, seed.target.table);
                self.share = seed.target.share();
                let done = self.seed(named, &seed.rows, seed.passing_over.as_deref()).await;
                self.share = None;
                done
            }
        }
    }
}
