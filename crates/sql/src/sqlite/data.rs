//! `insert`, `update`, `delete` and `truncate` of migrations and seeds.

use sqlparser::ast::{ObjectName, Statement as Parsed, Truncate};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, PolicyCommand, Table, TableName};

use super::write::{Rules, known, write};
use crate::expression::{Scope, Translator, file_name};
use crate::quote::quote;
use crate::schema::{Statement, table_name};

/// A statement on rows as SQLite's statements, to be run in order.
///
/// # Errors
/// 42P01 and 42703 for unknown tables and columns, 0A000 for what can't be translated.
pub fn data(catalog: &Catalog, statement: &Statement) -> Result<Vec<String>> {
    let parsed = statement.parsed.as_deref();
    if let Some(Parsed::Truncate(truncate)) = parsed {
        return self::truncate(catalog, truncate);
    }
    let parsed = parsed.ok_or_else(|| Error::unsupported("this statement runs on PostgreSQL only"))?;
    let done = write(
        &mut Translator::new(&Scope::new(catalog)),
        parsed,
        &Rules { numbered: true, ..Rules::default() },
    )?;
    let mut statements = vec![done.sql];
    if done.command == PolicyCommand::Insert {
        statements.extend(numbering(&done.table, known(catalog, &done.table)?));
    }
    Ok(statements)
}

/// Numbers for identity columns that are not the row id and were not given.
fn numbering(name: &TableName, table: &Table) -> Vec<String> {
    let file = quote(&file_name(name));
    let mut statements = Vec::new();
    for column in table.columns.iter().filter(|column| column.identity.is_some()) {
        if table.primary_key == [column.name.clone()] {
            continue;
        }
        let column = quote(&column.name);
        statements.push(format!(
            "UPDATE {file} SET {column} = n.v FROM (SELECT rowid AS r, (SELECT coalesce(max({column}), 0) FROM {file}) \
             + row_number() OVER (ORDER BY rowid) AS v FROM {file} WHERE {column} IS NULL) AS n WHERE {file}.rowid = n.r"
        ));
    }
    statements
}

fn truncate(catalog: &Catalog, truncate: &Truncate) -> Result<Vec<String>> {
    let one = |name: &ObjectName| {
        let name = table_name(name);
        known(catalog, &name)?;
        Ok(format!("DELETE FROM {}", quote(&file_name(&name))))
    };
    truncate.table_names.iter().map(|target| one(&target.name)).collect()
}
