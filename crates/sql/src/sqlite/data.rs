//! `insert`, `update`, `delete` and `truncate` of migrations and seeds.

use sqlparser::ast::{Statement as Parsed, Truncate};
use truststream_kernel::{Error, Result};
use truststream_services::database::Catalog;

use super::numbers;
use super::truncate::emptied;
use super::write::{Rules, write};
use crate::expression::{Scope, Translator};
use crate::schema::{Own, Statement, table_name};
use crate::truncate::{Emptying, Truncator};

/// A statement on rows as SQLite's statements, to be run in order.
///
/// # Errors
/// 42P01 and 42703 for unknown tables and columns, 0A000 for what can't be translated.
pub fn data(catalog: &Catalog, statement: &Statement) -> Result<Vec<String>> {
    if let Some(Own::Refresh(view)) = &statement.own {
        return super::materialized::refresh(catalog, view);
    }
    let parsed = statement.parsed.as_deref();
    if let Some(Parsed::Truncate(truncate)) = parsed {
        return self::truncate(catalog, truncate);
    }
    let parsed = parsed.ok_or_else(|| Error::unsupported("this statement runs on PostgreSQL only"))?;
    if let Parsed::Query(_) = parsed {
        return numbers::setval(catalog, parsed);
    }
    let done = write(&mut Translator::new(&Scope::new(catalog)), parsed, &Rules::default())?;
    Ok(vec![done.sql])
}

/// Empties tables and partitions, of which no trigger is told.
fn truncate(catalog: &Catalog, statement: &Truncate) -> Result<Vec<String>> {
    let emptying = Emptying::read(catalog, statement, table_name)?;
    let names = emptying.targets(catalog, Truncator { role: None, owner: true })?;
    let done = emptied(catalog, &names, emptying.restart)?;
    let deletes = done.deletes.into_iter().map(|(_, sql)| sql);
    Ok(deletes.chain(done.restarts).collect())
}
