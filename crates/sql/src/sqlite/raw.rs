//! One statement in PostgreSQL's SQL, with parameters.

use sqlparser::ast::Statement as Parsed;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::TableName;

use super::write::{Rules, write};
use crate::expression::{Scope, Translator, Unsupported, known};
use crate::quote::quote;

/// A statement of SQLite.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// What is bound behind the parameters, which come first, as texts.
    pub values: Vec<Value>,
    /// The columns of its rows; none where it returns nothing.
    pub columns: Vec<(String, Type)>,
    /// The table that it writes to.
    pub writes: Option<TableName>,
}

/// Translates a statement. Parameters are in PostgreSQL's input syntax of the types that their places
/// want.
///
/// # Errors
/// 42601 for what is not one statement, 42P01 and 42703 for unknown names, 0A000 for what can't be
/// translated.
pub fn raw(scope: &Scope<'_>, sql: &str, parameters: Vec<Option<String>>) -> Result<Statement> {
    let mut translator = Translator::new(scope).binding(parameters);
    let (sql, columns, writes) = match &one(sql)? {
        Parsed::Query(query) => {
            let (sql, columns) = translator.query(query)?;
            (sql, known(columns)?, None)
        }
        parsed @ (Parsed::Insert(_) | Parsed::Update(_) | Parsed::Delete(_)) => {
            let done = write(&mut translator, parsed, &Rules::default())?;
            let (mut cells, mut columns) = (Vec::new(), Vec::new());
            for (name, term) in done.returning {
                cells.push(format!("{} AS {}", term.sql, quote(&name)));
                columns.extend(known(vec![(name, term.ty)])?);
            }
            let returning =
                if cells.is_empty() { String::new() } else { format!(" RETURNING {}", cells.join(", ")) };
            (format!("{}{returning}", done.sql), columns, Some(done.table))
        }
        other => {
            let reason = "only queries and statements on rows can be sent to this database; \
                          make what changes the schema a migration";
            return Err(Unsupported::new(other, reason).into());
        }
    };
    let values = translator.take_bound().map(|bound| bound.values.into_inner()).unwrap_or_default();
    Ok(Statement { sql, values, columns, writes })
}

fn one(sql: &str) -> Result<Parsed> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidInput, "42601", message);
    let mut statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(128)
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| invalid(error.to_string()))?
        .into_iter();
    match (statements.next(), statements.next()) {
        (Some(statement), None) => Ok(statement),
        (None, _) => Err(invalid("there is no statement".into())),
        _ => Err(invalid("cannot insert multiple commands into a prepared statement".into())),
    }
}
