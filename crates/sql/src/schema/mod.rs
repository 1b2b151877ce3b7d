//! PostgreSQL's schema language: migrations read statement by statement, each with its line, and
//! applied to a [`Catalog`].
//!
//! A statement that is understood but can't be held anywhere but in PostgreSQL is still read: what
//! an engine makes of it is the engine's to say ([`crate::sqlite::review()`]).

mod alter;
mod altered;
mod attach;
mod blocks;
mod casts;
mod comments;
mod composites;
mod constraints;
mod copy;
mod create;
mod defaults;
mod dependents;
mod domains;
mod drop;
mod extensions;
mod follow;
mod functions;
mod grants;
mod identity;
mod names;
mod own;
mod partition_checks;
mod partitions;
mod planning;
mod policies;
mod rename;
mod sequences;
mod split;
mod triggers;
mod type_names;
mod view_columns;
mod views;

#[cfg(test)]
mod tests;

use sqlparser::ast::{self, ObjectType};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, TableName};

pub(crate) use casts::ends as cast_ends;
pub use composites::columns_of_type;
pub use domains::{breach, domain_violated};
pub(crate) use domains::{of_table as domain_checks, with_column};
pub use extensions::{created_extension, foreign_extension, is_of_platform};
pub use functions::{columns_of_result, row_type};
pub(crate) use names::{ident, parts};
pub use names::{is_default, table_name};
pub(crate) use own::Own;
pub use sequences::{column_of as column_of_sequence, of_column as sequence_of, row_number};
pub(crate) use sequences::{exists as sequence_exists, sequence_name};
pub use split::{Piece, split};
pub use type_names::{enum_name, enum_table, name_within, type_in_signature, type_named, type_of};
pub use views::{view_query, view_relationships};

/// One statement of a migration.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Line it begins on, from 1.
    pub line: usize,
    /// Its text as written.
    pub text: String,
    /// What it does, as far as one can tell without a catalog.
    pub kind: Kind,
    pub(crate) parsed: Option<Box<ast::Statement>>,
    /// What it is, if the parser of SQL does not read it.
    pub(crate) own: Option<own::Own>,
    /// SQLSTATEs of failures that let everything be as it was.
    pub(crate) tolerates: Vec<String>,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes the catalog: see [`apply`].
    Schema,
    /// It reads or writes rows.
    Data,
    /// It changes nothing that TrustStream keeps: settings, transactions, owners, publications.
    Noise,
    /// It is nothing TrustStream understands, and why.
    Unknown(String),
}

impl Statement {
    /// Whether it empties tables.
    pub fn truncates(&self) -> bool {
        matches!(self.parsed.as_deref(), Some(ast::Statement::Truncate(_)))
    }

    /// The beginning of its text on one line, for messages.
    pub fn excerpt(&self) -> String {
        let line = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// The columns of a table whose type it changes, each with what its values become.
    pub fn conversions(&self, table: &TableName) -> Vec<(String, Option<String>)> {
        use ast::{AlterColumnOperation as Change, AlterTableOperation as Operation};
        let Some(ast::Statement::AlterTable(alter)) = self.parsed.as_deref() else { return Vec::new() };
        let one = |operation: &Operation| match operation {
            Operation::AlterColumn { column_name, op: Change::SetDataType { using, .. } } => {
                Some((ident(column_name), using.as_ref().map(ToString::to_string)))
            }
            _ => None,
        };
        if table_name(&alter.name) == *table {
            alter.operations.iter().filter_map(one).collect()
        } else {
            Vec::new()
        }
    }

    /// Whether bodies of functions may name tables that come later from here on, where the statement sets
    /// that, as dumps do.
    pub fn unchecks_bodies(&self) -> Option<bool> {
        let text = self.text.to_lowercase();
        let value = text.trim().strip_prefix("set ")?.trim().strip_prefix("check_function_bodies")?;
        let value = value.trim().trim_start_matches("to").trim_start_matches('=').trim();
        Some(matches!(value.trim_matches('\''), "false" | "off" | "no" | "0"))
    }

    /// The table, old and new name of a column that it renames.
    pub fn column_renamed(&self) -> Option<(TableName, String, String)> {
        let ast::Statement::AlterTable(alter) = self.parsed.as_deref()? else { return None };
        let [ast::AlterTableOperation::RenameColumn { old_column_name, new_column_name }] =
            alter.operations.as_slice()
        else {
            return None;
        };
        Some((table_name(&alter.name), ident(old_column_name), ident(new_column_name)))
    }
}

/// Statements that PostgreSQL takes and that mean nothing to TrustStream, by their first words.
const NOISE: &[&str] = &[
    "abort",
    "alter database",
    "alter publication",
    "analyze",
    "begin",
    "comment on",
    "commit",
    "create publication",
    "create role",
    "drop publication",
    "end",
    "notify",
    "reset",
    "rollback",
    "savepoint",
    "set",
    "start transaction",
    "vacuum",
];

/// Why a function that PostgREST calls before each request is refused.
const UNCHECKED: &str = "a function called before each request (pgrst.db_pre_request) runs on PostgreSQL only: \
                         say in policies what it checks";

/// Reads a script. Statements that are not understood are among the result, as [`Kind::Unknown`].
///
/// # Errors
/// 42601 with the line if the script can't even be cut into statements.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let pieces = split(sql)?.into_iter();
    let read = |piece| blocks::read(piece).unwrap_or_else(|| vec![statement(piece)]);
    Ok(pieces.flat_map(read).flat_map(copy::filled).collect())
}

fn statement(piece: Piece<'_>) -> Statement {
    let (line, text) = (piece.line, piece.text.to_owned());
    if let Some(own) = own::read(piece.text) {
        let (kind, own) = match own {
            Ok(own @ Own::Refresh(_)) => (Kind::Data, Some(own)),
            Ok(own) => (Kind::Schema, Some(own)),
            Err(reason) => (Kind::Unknown(reason), None),
        };
        return Statement { line, text, kind, parsed: None, own, tolerates: Vec::new() };
    }
    let parsed = parse_one(piece.text).or_else(|reason| match identity::reordered(piece.text) {
        Some(text) => parse_one(&text),
        None => match planning::without(piece.text)
            .or_else(|| grants::readable(piece.text))
            .or_else(|| views::without_data(piece.text))
        {
            Some(text) => parse_one(&text),
            None => Err(reason),
        },
    });
    let (kind, parsed) = match parsed {
        Ok(parsed) => (kind_of(&parsed, piece.text), Some(Box::new(parsed))),
        Err(_) if checks_requests(piece.text) => (Kind::Unknown(UNCHECKED.to_owned()), None),
        Err(_) if is_noise(piece.text) => (Kind::Noise, None),
        Err(reason) => (Kind::Unknown(foreign(piece.text).unwrap_or(reason)), None),
    };
    Statement { line, text, kind, parsed, own: None, tolerates: Vec::new() }
}

fn parse_one(text: &str) -> Result<ast::Statement, String> {
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(128)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| error.to_string().trim_start_matches("sql parser error: ").to_owned())?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(statement), None) => Ok(statement),
        _ => Err("not one statement".into()),
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().take(6).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a statement sets what is called before each request. Passed over, it would let through what the
/// function refuses.
fn checks_requests(text: &str) -> bool {
    words(text).starts_with("alter ")
        && text
            .to_lowercase()
            .split_once("db_pre_request")
            .is_some_and(|(before, _)| !before.contains(" reset "))
}

fn is_noise(text: &str) -> bool {
    let words = words(text);
    let owner = words.starts_with("alter ") && text.to_lowercase().contains(" owner to ");
    owner || NOISE.iter().any(|noise| words == *noise || words.starts_with(&format!("{noise} ")))
}

/// What statements are that sqlparser does not read.
fn foreign(text: &str) -> Option<String> {
    let words = words(text);
    let is = |start: &str| words.starts_with(start);
    if is("create function") || is("create or replace function") || is("create procedure") {
        return Some("this function can't be read".into());
    }
    None
}

fn kind_of(statement: &ast::Statement, text: &str) -> Kind {
    use ast::Statement as S;
    match statement {
        S::CreateTable(_)
        | S::AlterTable(_)
        | S::CreateIndex(_)
        | S::AlterIndex { .. }
        | S::CreateType { .. }
        | S::DropDomain(_)
        | S::AlterType(_)
        | S::CreatePolicy(_)
        | S::AlterPolicy(_)
        | S::DropPolicy(_)
        | S::CreateSchema { .. }
        | S::CreateView(_)
        | S::CreateFunction(_)
        | S::DropFunction(_)
        | S::CreateTrigger(_)
        | S::DropTrigger(_)
        | S::CreateExtension(_)
        | S::DropExtension(_)
        | S::Grant(_)
        | S::Revoke(_)
        | S::Comment { .. }
        | S::Drop { .. } => Kind::Schema,
        S::Insert(_) | S::Update(_) | S::Delete(_) | S::Truncate(_) => Kind::Data,
        S::Query(_) if text.to_lowercase().contains("set_config(") => Kind::Noise,
        S::Query(_) if text.to_lowercase().contains("setval(") => Kind::Data,
        S::Query(_) if text.to_lowercase().contains("cron.") => Kind::Unknown(
            "schedules (pg_cron) run on PostgreSQL only: call what they run from a scheduler outside".into(),
        ),
        S::Query(query) if !matches!(query.body.as_ref(), ast::SetExpr::Select(_)) => Kind::Unknown(
            "a statement on rows that begins with \"with\" runs on PostgreSQL only: put its query where it is used"
                .into(),
        ),
        S::Query(_) => Kind::Unknown(
            "a query in a migration runs on PostgreSQL only: write what it changes as insert, update or delete"
                .into(),
        ),
        _ if is_noise(text) => Kind::Noise,
        _ => Kind::Unknown("this statement runs on PostgreSQL only".into()),
    }
}

/// Applies a statement to a catalog. Statements on rows and those without meaning here change
/// nothing.
///
/// # Errors
/// PostgreSQL's codes: 42P01 and 42703 for unknown tables and columns, 42P07, 42701, 42710 for
/// what exists already, 0A000 for what can't be kept in a catalog.
pub fn apply(catalog: &mut Catalog, statement: &Statement) -> Result<()> {
    if let Kind::Unknown(reason) = &statement.kind {
        return Err(Error::unsupported(reason.clone()));
    }
    if statement.kind != Kind::Schema {
        return Ok(());
    }
    if statement.tolerates.is_empty() {
        return define(catalog, statement);
    }
    let before = catalog.clone();
    let tolerated =
        |error: &Error| statement.tolerates.iter().any(|code| code == "others" || code == error.code());
    define(catalog, statement).or_else(|error| {
        *catalog = before;
        if tolerated(&error) { Ok(()) } else { Err(error) }
    })
}

fn define(catalog: &mut Catalog, statement: &Statement) -> Result<()> {
    use ast::Statement as S;
    if let Some(own) = &statement.own {
        return own::apply(catalog, own);
    }
    let Some(parsed) = &statement.parsed else { return Ok(()) };
    if partitions::concerns(catalog, parsed)? {
        return Ok(());
    }
    match parsed.as_ref() {
        S::CreateTable(table) => {
            create::table(catalog, table)?;
            partitions::check_keys(catalog, &table_name(&table.name))
        }
        S::AlterTable(table) => {
            alter::table(catalog, table)?;
            partitions::check_keys(catalog, &table_name(&table.name))
        }
        S::CreateIndex(index) => create::index(catalog, index),
        S::AlterIndex { name, operation } => alter::index(catalog, name, operation),
        S::DropDomain(drop) => {
            let cascade = drop.drop_behavior == Some(ast::DropBehavior::Cascade);
            let names = std::slice::from_ref(&drop.name);
            drop::objects(catalog, ObjectType::Type, names, drop.if_exists, cascade)
        }
        S::CreateType { name, representation } => type_names::create(catalog, name, representation.as_ref()),
        S::AlterType(change) => type_names::alter(catalog, change),
        S::CreatePolicy(policy) => policies::create(catalog, policy),
        S::AlterPolicy(policy) => policies::alter(catalog, policy),
        S::DropPolicy(policy) => policies::drop(catalog, policy),
        S::CreateSchema { schema_name, if_not_exists, .. } => {
            create::schema(catalog, schema_name, *if_not_exists)
        }
        S::CreateView(view) => views::create(catalog, view),
        S::CreateFunction(function) => functions::create(catalog, function, &statement.text),
        S::DropFunction(function) => functions::drop(catalog, function),
        S::CreateTrigger(trigger) => triggers::create(catalog, trigger),
        S::DropTrigger(trigger) => triggers::drop(catalog, trigger),
        S::Grant(grant) => grants::grant(catalog, grant),
        S::Revoke(revoke) => grants::revoke(catalog, revoke),
        S::Comment { object_type, object_name, comment, .. } => {
            alter::comment(catalog, *object_type, object_name, comment.clone())
        }
        S::Drop { object_type, if_exists, names, cascade, .. } => {
            drop::objects(catalog, *object_type, names, *if_exists, *cascade)
        }
        _ => Ok(()),
    }
}

/// A fault of the schema with its SQLSTATE.
pub(crate) fn fault(code: &'static str, message: String) -> Error {
    let kind = match code {
        "42P07" | "42701" | "42710" | "42P06" => ErrorKind::AlreadyExists,
        "42P01" | "42703" | "42704" | "42883" | "3F000" => ErrorKind::NotFound,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, code, message)
}

/// How a message names a table: the schema only where it is not `public`.
pub(crate) fn shown(name: &TableName) -> String {
    if name.schema == "public" { name.name.clone() } else { name.to_string() }
}

pub(crate) fn no_such_table(name: &TableName) -> Error {
    fault("42P01", format!("relation \"{}\" does not exist", shown(name)))
}

pub(crate) fn no_such_column(column: &str, table: &TableName) -> Error {
    fault("42703", format!("column \"{column}\" of relation \"{}\" does not exist", table.name))
}
