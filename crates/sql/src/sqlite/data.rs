//! `insert`, `update`, `delete` and `truncate` of migrations and seeds.

use sqlparser::ast::{CascadeOption, Statement as Parsed, Truncate, TruncateIdentityOption};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, TableName};

use super::numbers;
use super::target::Target;
use super::write::{Rules, write};
use crate::expression::{Scope, Translator, file_name};
use crate::quote::quote;
use crate::schema::{Own, Statement, table_name};

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

/// Empties tables: with those that refer to them if that is asked for.
fn truncate(catalog: &Catalog, truncate: &Truncate) -> Result<Vec<String>> {
    let mut names: Vec<TableName> =
        truncate.table_names.iter().map(|target| table_name(&target.name)).collect();
    let cascade = truncate.cascade == Some(CascadeOption::Cascade);
    let mut at = 0;
    while let Some(name) = names.get(at).cloned() {
        let target = Target::find(catalog, &name)?;
        if target.is_partition() {
            let message = format!("truncating partition {name} runs on PostgreSQL only: delete its rows");
            return Err(Error::unsupported(message));
        }
        for (other, table) in &catalog.tables {
            let refers = table.foreign_keys.iter().any(|key| key.references == name);
            if !refers || names.contains(other) {
                continue;
            }
            if !cascade {
                let text = "cannot truncate a table referenced in a foreign key constraint";
                return Err(Error::unsupported(text)
                    .with_details(format!("Table \"{}\" references \"{}\".", other.name, name.name))
                    .with_hint("Truncate both at the same time, or use TRUNCATE ... CASCADE."));
            }
            names.push(other.clone());
        }
        at += 1;
    }
    // Those that refer to others go before them.
    let mut statements: Vec<String> =
        names.iter().rev().map(|name| format!("DELETE FROM {}", quote(&file_name(name)))).collect();
    if truncate.identity == Some(TruncateIdentityOption::Restart) {
        for name in &names {
            statements.extend(numbers::restarted(catalog, name, Target::find(catalog, name)?.table));
        }
    }
    Ok(statements)
}
