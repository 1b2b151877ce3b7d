//! What tables and columns are called in the database.

use truststream_services::database::{Table, TableName};

/// Collections of TrustStream's own; no table's name has no dot.
pub(crate) const CATALOG: &str = "truststream_catalog";
/// Migrations applied, in order.
pub(crate) const MIGRATIONS: &str = "truststream_migrations";
/// Where streams of applied changes stand.
pub(crate) const STREAMS: &str = "truststream_streams";
/// Next numbers of identity columns.
pub(crate) const SEQUENCES: &str = "truststream_sequences";
/// Rows that foreign keys of running transactions rely on.
pub(crate) const LOCKS: &str = "truststream_locks";
/// Who wants which tables in the feed.
pub(crate) const CAPTURES: &str = "truststream_captures";
/// What is written to see that the feed has come so far.
pub(crate) const MARKS: &str = "truststream_marks";
/// All of them.
pub(crate) const OWN: &[&str] = &[CATALOG, MIGRATIONS, STREAMS, SEQUENCES, LOCKS, CAPTURES, MARKS];

/// A table's collection: `schema.name`.
pub(crate) fn collection(name: &TableName) -> String {
    format!("{}.{}", escaped(&name.schema), escaped(&name.name))
}

/// The table of a collection, if it is one.
pub(crate) fn table_of(collection: &str) -> Option<TableName> {
    let (schema, name) = collection.split_once('.')?;
    Some(TableName::new(unescaped(schema), unescaped(name)))
}

/// A column's field. What would be read as a path, an operator or the key is escaped, so that no
/// column collides with a field that the planner makes (those begin with `%`).
pub(crate) fn field(column: &str) -> String {
    if column == "_id" { "%5Fid".to_owned() } else { escaped(column) }
}

/// Where a column is found soonest: a primary key of one column is the key of its documents too.
pub(crate) fn sought(table: &Table, column: &str) -> String {
    match table.primary_key.as_slice() {
        [only] if only == column => "_id".to_owned(),
        _ => field(column),
    }
}

fn escaped(name: &str) -> String {
    if !name.contains(['%', '.', '$', '\0']) && !name.is_empty() {
        return name.to_owned();
    }
    if name.is_empty() {
        return "%00".to_owned();
    }
    let mut out = String::with_capacity(name.len() + 6);
    for c in name.chars() {
        match c {
            '%' => out.push_str("%25"),
            '.' => out.push_str("%2E"),
            '$' => out.push_str("%24"),
            c => out.push(c),
        }
    }
    out
}

fn unescaped(name: &str) -> String {
    if name == "%00" {
        return String::new();
    }
    name.replace("%2E", ".").replace("%24", "$").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["a", "a.b", "$a", "100%", "%2E", ""] {
            let table = TableName::new("s.1", name);
            assert_eq!(table_of(&collection(&table)), Some(table));
        }
        assert_eq!(table_of(CATALOG), None);
        assert_eq!((field("_id").as_str(), field("a.b").as_str()), ("%5Fid", "a%2Eb"));
    }
}
