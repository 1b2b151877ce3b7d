//! Names: of tables as statements write them, and of constraints as PostgreSQL makes them up.

use sqlparser::ast::{Expr, Ident, ObjectName};
use truststream_services::database::{Catalog, TableName};

/// Bytes of an identifier; PostgreSQL's `NAMEDATALEN` less one.
const LONGEST: usize = 63;

/// An identifier as PostgreSQL knows it: in lower case unless quoted.
pub(crate) fn ident(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

pub(crate) fn idents(names: &[Ident]) -> Vec<String> {
    names.iter().map(ident).collect()
}

/// The parts of a dotted name.
pub(crate) fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(ident).collect()
}

/// A table's name; without a schema it is in `public`.
pub fn table_name(name: &ObjectName) -> TableName {
    let mut parts = parts(name);
    let table = parts.pop().unwrap_or_default();
    TableName { schema: parts.pop().unwrap_or_else(|| "public".into()), name: table }
}

/// The name PostgreSQL gives a constraint or index: table, columns and kind, joined and cut to fit,
/// with a number behind it if it is taken.
pub(crate) fn generated(table: &str, columns: &[String], kind: &str, taken: impl Fn(&str) -> bool) -> String {
    let columns = columns.join("_");
    let mut label = kind.to_owned();
    let mut number = 0;
    loop {
        let name = joined(table, &columns, &label);
        if !taken(&name) {
            return name;
        }
        number += 1;
        label = format!("{kind}{number}");
    }
}

fn joined(table: &str, columns: &str, label: &str) -> String {
    let overhead = 1 + label.len() + usize::from(!columns.is_empty());
    let available = LONGEST.saturating_sub(overhead);
    let (mut first, mut second) = (table.len(), columns.len());
    while first + second > available {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let (table, columns) = (clipped(table, first), clipped(columns, second));
    if columns.is_empty() { format!("{table}_{label}") } else { format!("{table}_{columns}_{label}") }
}

fn clipped(text: &str, mut length: usize) -> &str {
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    &text[..length]
}

/// Whether a schema has a relation (table, index or key) of this name.
pub(crate) fn relation_taken(catalog: &Catalog, schema: &str, name: &str) -> bool {
    catalog.tables.iter().filter(|(table, _)| table.schema == schema).any(|(table, definition)| {
        table.name == name
            || definition.primary_key_name.as_deref() == Some(name)
            || definition.indexes.iter().any(|index| index.name == name)
            || definition.unique_keys.iter().any(|key| key.name == name)
    }) || catalog.partition(&TableName::new(schema, name)).is_some()
        || catalog.sequences.contains_key(&TableName::new(schema, name))
}

/// Whether a value is the word for what the column is by default.
pub fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_as_postgres_cuts_them() {
        let table = "a".repeat(50);
        let name = generated(&table, &["b".repeat(40)], "fkey", |_| false);
        assert_eq!(name, format!("{}_{}_fkey", "a".repeat(29), "b".repeat(28)));
        assert_eq!(generated("t", &[], "check", |name| name == "t_check"), "t_check1");
    }
}
