//! What is in a file: the tables of the catalog, and a proposal for those that others made.

mod values;

use rusqlite::Connection;
use truststream_kernel::{Result, Type};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Index, Introspection, ReferentialAction, Table, TableName, UniqueKey,
};

use crate::error::convert;
use crate::schema::physical_name;

/// The catalog with the tables of the file that it does not know.
pub(crate) fn introspect(conn: &Connection, catalog: &Catalog) -> Result<Introspection> {
    let mut found = Introspection { catalog: catalog.clone(), ..Introspection::default() };
    let known: Vec<String> = catalog.tables.keys().map(physical_name).collect();
    for (kind, name) in foreign(conn)? {
        if known.contains(&name) {
            continue;
        }
        match kind.as_str() {
            "table" => {
                let table = table(conn, &name, &mut found.notes)?;
                found.catalog.tables.insert(TableName::public(name), table);
            }
            "trigger" | "virtual table" => {
                found.notes.push(format!("{kind} {name}: left out: it is SQLite's; write it anew"));
            }
            _ => found.notes.push(format!("view {name}: left out: its query is SQLite's; write it anew")),
        }
    }
    complete_references(&mut found.catalog);
    Ok(found)
}

/// Tables, views and triggers that neither SQLite nor TrustStream keeps for itself.
fn foreign(conn: &Connection) -> Result<Vec<(String, String)>> {
    let sql = "WITH virtual AS (SELECT name FROM sqlite_schema WHERE lower(sql) LIKE 'create virtual table%')
               SELECT iif(name IN (SELECT name FROM virtual), 'virtual table', type), name FROM sqlite_schema
               WHERE type IN ('table', 'view', 'trigger')
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'truststream\\_%' ESCAPE '\\'
               AND NOT EXISTS (SELECT 1 FROM virtual v WHERE sqlite_schema.name LIKE v.name || '\\_%' ESCAPE '\\')
               AND NOT (type = 'trigger' AND (tbl_name LIKE 'truststream\\_%' ESCAPE '\\' OR instr(tbl_name, '.') > 0
                    OR name GLOB '*/*/*'))
               ORDER BY name";
    let mut statement = conn.prepare(sql).map_err(convert)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(convert)?;
    rows.collect::<rusqlite::Result<_>>().map_err(convert)
}

fn table(conn: &Connection, name: &str, notes: &mut Vec<String>) -> Result<Table> {
    let mut table = Table::default();
    let mut keys: Vec<(i64, String)> = Vec::new();
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1)";
    let mut statement = conn.prepare(sql).map_err(convert)?;
    let mut rows = statement.query([name]).map_err(convert)?;
    while let Some(row) = rows.next().map_err(convert)? {
        let text = |at: usize| row.get::<_, String>(at).map_err(convert);
        let number = |at: usize| row.get::<_, i64>(at).map_err(convert);
        let (column, declared) = (text(0)?, text(1)?);
        if number(5)? > 0 {
            notes.push(format!("{name}.{column}: left out: its expression is SQLite's; write it anew"));
            continue;
        }
        let written: Option<String> = row.get(3).map_err(convert)?;
        let default = written.as_deref().and_then(|text| {
            let default = portable_default(text, &type_of(&declared));
            if default.is_none() {
                notes.push(format!("{name}.{column}: default {text} is left out: it is SQLite's"));
            }
            default
        });
        if number(4)? > 0 {
            keys.push((number(4)?, column.clone()));
        }
        let (ty, note) = values::proposed(conn, name, &column, (&declared, type_of(&declared)))?;
        notes.extend(note);
        table.columns.push(Column {
            nullable: number(2)? == 0 && number(4)? == 0,
            type_name: ty.sql_name(),
            ty,
            default,
            name: column,
            identity: None,
            generated: None,
            comment: None,
        });
    }
    keys.sort();
    table.primary_key = keys.into_iter().map(|(_, column)| column).collect();
    if table.primary_key.is_empty() {
        notes.push(format!("{name}: it has no primary key; a switch can't follow its rows without one"));
    }
    numbered(&mut table);
    indexes(conn, name, &mut table, notes)?;
    references(conn, name, &mut table)?;
    let sql: String = conn
        .query_row(
            "SELECT coalesce(sql, '') FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            [name],
            |row| row.get(0),
        )
        .map_err(convert)?;
    if sql.to_lowercase().contains("check") {
        notes
            .push(format!("{name}: checks are left out: write them anew if they hold in PostgreSQL's words"));
    }
    Ok(table)
}

/// A single integer key numbers its rows by itself.
fn numbered(table: &mut Table) {
    if let [key] = table.primary_key.as_slice()
        && let Some(column) = table.columns.iter_mut().find(|column| column.name == *key)
        && column.ty == Type::Int8
    {
        column.identity = Some(truststream_services::database::Identity::ByDefault);
        column.default = None;
    }
}

/// The type of values by the declared name of a column: a name that PostgreSQL knows is meant, any
/// other has SQLite's affinity.
fn type_of(declared: &str) -> Type {
    let lower = declared.trim().to_lowercase();
    let bare = lower.split('(').next().unwrap_or_default().trim();
    let known = |name: &str| Type::parse(name);
    match bare {
        "boolean" | "bool" => known("boolean"),
        "date" => known("date"),
        "time" => known("time without time zone"),
        "datetime" | "timestamp" => known("timestamp without time zone"),
        "uuid" | "guid" => known("uuid"),
        "json" | "jsonb" => known("jsonb"),
        "numeric" | "decimal" => known("numeric"),
        _ if bare.contains("int") => known("bigint"),
        _ if ["char", "clob", "text"].iter().any(|part| bare.contains(part)) => known("text"),
        _ if bare.is_empty() || bare.contains("blob") => known("bytea"),
        _ if ["real", "floa", "doub"].iter().any(|part| bare.contains(part)) => known("double precision"),
        _ => known("numeric"),
    }
}

/// A default that means the same in PostgreSQL: a literal or the time.
fn portable_default(text: &str, ty: &Type) -> Option<String> {
    let bare = text.trim();
    match (ty, bare) {
        (Type::Bool, "0") => return Some("false".to_owned()),
        (Type::Bool, "1") => return Some("true".to_owned()),
        _ => {}
    }
    let lower = bare.to_lowercase();
    let quoted = bare.len() > 1 && bare.starts_with('\'') && bare.ends_with('\'');
    let word = matches!(
        lower.as_str(),
        "null" | "true" | "false" | "current_timestamp" | "current_date" | "current_time"
    );
    (quoted || word || bare.parse::<f64>().is_ok_and(f64::is_finite)).then(|| bare.to_owned())
}

fn indexes(conn: &Connection, name: &str, table: &mut Table, notes: &mut Vec<String>) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1) ORDER BY name")
        .map_err(convert)?;
    let rows: Vec<(String, bool, String, bool)> = statement
        .query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .and_then(Iterator::collect)
        .map_err(convert)?;
    for (index, unique, origin, partial) in rows {
        let mut statement =
            conn.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno").map_err(convert)?;
        let columns: Option<Vec<String>> = statement
            .query_map([&index], |row| row.get::<_, Option<String>>(0))
            .and_then(Iterator::collect)
            .map_err(convert)?;
        if compares_otherwise(conn, &index)? {
            notes.push(format!("index {index} of {name}: compares without case in SQLite, and won't here"));
        }
        match (origin.as_str(), columns) {
            ("pk", _) => {}
            ("u", Some(columns)) => {
                let key = format!("{name}_{}_key", columns.join("_"));
                table.unique_keys.push(UniqueKey { name: key, columns, nulls_not_distinct: false });
            }
            (_, Some(columns)) if !partial => table.indexes.push(Index {
                name: index,
                terms: columns.iter().map(|column| truststream_sql::render::name(column)).collect(),
                unique,
                predicate: None,
                method: "btree".into(),
            }),
            _ => notes.push(format!("index {index}: left out: its expressions are SQLite's; write it anew")),
        }
    }
    Ok(())
}

/// Whether an index has a collation of its own.
fn compares_otherwise(conn: &Connection, index: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_index_xinfo(?1) WHERE key AND upper(coll) = 'NOCASE')";
    conn.query_row(sql, [index], |row| row.get(0)).map_err(convert)
}

fn references(conn: &Connection, name: &str, table: &mut Table) -> Result<()> {
    let sql = "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let mut statement = conn.prepare(sql).map_err(convert)?;
    let mut rows = statement.query([name]).map_err(convert)?;
    let mut last = None;
    while let Some(row) = rows.next().map_err(convert)? {
        let id: i64 = row.get(0).map_err(convert)?;
        let text =
            |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default).map_err(convert);
        let (column, to) = (text(2)?, text(3)?);
        if last != Some(id) {
            last = Some(id);
            table.foreign_keys.push(ForeignKey {
                name: String::new(),
                columns: Vec::new(),
                references: TableName::public(text(1)?),
                referenced_columns: Vec::new(),
                on_delete: action(&text(5)?),
                on_update: action(&text(4)?),
                deferred: false,
            });
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            key.columns.push(column);
            key.referenced_columns.extend(Some(to).filter(|to| !to.is_empty()));
        }
    }
    for key in &mut table.foreign_keys {
        key.name = format!("{name}_{}_fkey", key.columns.join("_"));
    }
    Ok(())
}

fn action(text: &str) -> ReferentialAction {
    match text {
        "CASCADE" => ReferentialAction::Cascade,
        "RESTRICT" => ReferentialAction::Restrict,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

/// A reference without columns is one to the primary key.
fn complete_references(catalog: &mut Catalog) {
    let keys: Vec<_> =
        catalog.tables.iter().map(|(name, table)| (name.clone(), table.primary_key.clone())).collect();
    for key in catalog.tables.values_mut().flat_map(|table| &mut table.foreign_keys) {
        if key.referenced_columns.is_empty()
            && let Some((_, columns)) = keys.iter().find(|(name, _)| *name == key.references)
        {
            key.referenced_columns.clone_from(columns);
        }
    }
}
