//! `insert`, `update`, `delete` and `truncate` of migrations and seeds.

use sqlparser::ast::{Statement as Parsed, Truncate, TruncateIdentityOption};
use truststream_kernel::{Error, Result};
use truststream_services::database::Catalog;

use super::numbers;
use super::target::Target;
use super::write::{Rules, write};
use crate::expression::{Scope, Translator, file_name};
use crate::quote::quote;
use crate::schema::{Own, Statement};
use crate::truncate::emptied;

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

/// Empties tables and partitions.
fn truncate(catalog: &Catalog, truncate: &Truncate) -> Result<Vec<String>> {
    let names = emptied(catalog, truncate)?;
    let targets = names.iter().map(|name| Target::find(catalog, name)).collect::<Result<Vec<_>>>()?;
    let emptied = targets.iter().map(|target| {
        let rows = target.rows(catalog)?.map(|rows| format!(" WHERE {rows}")).unwrap_or_default();
        Ok(format!("DELETE FROM {}{rows}", quote(&file_name(target.name))))
    });
    let mut statements = emptied.collect::<Result<Vec<_>>>()?;
    if truncate.identity == Some(TruncateIdentityOption::Restart) {
        // The numbers of a partition are its table's, which goes on.
        for target in targets.iter().filter(|target| !target.is_partition()) {
            statements.extend(numbers::restarted(catalog, target.name, target.table));
        }
    }
    Ok(statements)
}
