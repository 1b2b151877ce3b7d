//! Everything that a backend holds, read as a client reads it.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use truststream_runtime::Runtime;
use truststream_services::database::{Describe, Query, Select, TableKind, TableName};

/// Rows of every table as their JSON texts, sorted.
pub type Content = BTreeMap<String, Vec<String>>;

/// Reads a backend below the route. What TrustStream keeps for itself and what `apart` names is left
/// out.
pub async fn read(runtime: &Runtime, backend: &str, apart: &[&str]) -> Content {
    let database = runtime.database_of(Some(backend)).await.unwrap();
    let catalog = database.send(Describe { fresh: true }).await.unwrap();
    let mut content = Content::new();
    let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
    for (name, _) in tables.filter(|(name, _)| is_application(name) && !apart.contains(&name.name.as_str())) {
        let page = database.send(Select::new(name.clone(), Query::all())).await.unwrap();
        let rows: Vec<BTreeMap<String, Json>> = serde_json::from_slice(&page.body).unwrap();
        let mut rows: Vec<_> = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        rows.sort();
        // Engines' tables are not in a remote project's catalog, whose own engines serve.
        if name.schema == "public" || !rows.is_empty() {
            content.insert(name.to_string(), rows);
        }
    }
    content
}

fn is_application(name: &TableName) -> bool {
    name.schema != "truststream"
}

/// Says where two contents differ.
pub fn same(what: &str, left: &Content, right: &Content) -> Result<(), String> {
    let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    for name in names {
        let (one, other) = (left.get(name), right.get(name));
        if one != other {
            return Err(format!("{what}: {name} is\n  {one:?}\nand\n  {other:?}"));
        }
    }
    Ok(())
}
