//! Who may do what: row-level security, policies, grants; and comments.

use truststream_services::database::{
    Catalog, DefaultGrant, Grant, Partition, Policy, PolicyCommand, Table, TableKind, TableName,
};

use super::functions::routine;
use super::name::{name, names, relation};
use super::{Kind, Object};
use crate::quote::literal;

pub(super) fn row_security(table: &TableName, definition: &Table) -> Vec<Object> {
    if !definition.row_security {
        return Vec::new();
    }
    let say = |word: &str| format!("alter table {} {word} row level security", relation(table));
    let key = format!("row security of {table}");
    vec![Object::new(Kind::RowSecurity, &table.schema, key, say("enable"), say("disable")).of(table)]
}

pub(super) fn policies(table: &TableName, definition: &Table) -> Vec<Object> {
    definition.policies.iter().map(|policy| made((Kind::Policy, table), policy)).collect()
}

/// The policies of a partition alone, which come after it.
pub(super) fn policies_of(table: &TableName, partition: &Partition) -> Vec<Object> {
    let one = |policy: &Policy| {
        let made = made((Kind::Right, &partition.name), policy).of(table);
        Object { refers: Some(partition.name.clone()), ..made }
    };
    partition.policies.iter().map(one).collect()
}

fn made((kind, table): (Kind, &TableName), policy: &Policy) -> Object {
    let drop = format!("drop policy {} on {}", name(&policy.name), relation(table));
    let key = format!("policy {table}.{}", policy.name);
    Object::new(kind, &table.schema, key, self::policy(table, policy), drop).of(table)
}

fn policy(table: &TableName, policy: &Policy) -> String {
    let mut text = format!("create policy {} on {}", name(&policy.name), relation(table));
    if !policy.permissive {
        text.push_str("\n  as restrictive");
    }
    let command = match policy.command {
        PolicyCommand::All => "all",
        PolicyCommand::Select => "select",
        PolicyCommand::Insert => "insert",
        PolicyCommand::Update => "update",
        PolicyCommand::Delete => "delete",
    };
    text.push_str(&format!("\n  for {command}"));
    if !policy.roles.is_empty() {
        text.push_str(&format!(" to {}", names(&policy.roles)));
    }
    if let Some(rule) = &policy.using {
        text.push_str(&format!("\n  using ({rule})"));
    }
    if let Some(rule) = &policy.check {
        text.push_str(&format!("\n  with check ({rule})"));
    }
    text
}

/// A grant or revoke on something, as SQL.
pub fn grant_text(on: &str, grant: &Grant) -> String {
    let columns =
        if grant.columns.is_empty() { String::new() } else { format!(" ({})", names(&grant.columns)) };
    let privileges: Vec<_> = grant.privileges.iter().map(|one| format!("{one}{columns}")).collect();
    let (verb, to) = if grant.revoke { ("revoke", "from") } else { ("grant", "to") };
    let role = if grant.role == "public" { grant.role.clone() } else { name(&grant.role) };
    format!("{verb} {} on {on} {to} {role}", privileges.join(", "))
}

pub(super) fn all(on: &str, grants: &[Grant]) -> String {
    grants.iter().map(|grant| grant_text(on, grant)).collect::<Vec<_>>().join(";\n")
}

pub(super) fn grants(catalog: &Catalog) -> Vec<Object> {
    let mut objects = Vec::new();
    for (table, definition) in catalog.tables.iter().filter(|(_, definition)| !definition.grants.is_empty()) {
        let create = all(&relation(table), &definition.grants);
        let key = format!("grants on {table}");
        objects.push(Object::new(Kind::Grants, &table.schema, key, create, String::new()).of(table));
    }
    for function in catalog.functions.iter().filter(|function| !function.grants.is_empty()) {
        let routine = routine(function);
        let create = all(&routine, &function.grants);
        let key = format!("grants on {routine}");
        objects.push(Object::new(Kind::Grants, &function.name.schema, key, create, String::new()));
    }
    objects
}

pub(super) fn comments(catalog: &Catalog) -> Vec<Object> {
    let mut objects = Vec::new();
    let comment = |schema: &str, on: String, text: &Option<String>| {
        let say = |text: &str| format!("comment on {on} is {text}");
        let create = say(&literal(text.as_deref()?));
        Some(Object::new(Kind::Comment, schema, format!("comment on {on}"), create, say("null")))
    };
    for (schema, text) in &catalog.schemas {
        objects
            .extend(comment(schema, format!("schema {}", name(schema)), text).filter(|_| schema != "public"));
    }
    for (table, definition) in &catalog.tables {
        let is_table = definition.kind == TableKind::Table;
        let word = match is_table {
            true => "table",
            false if definition.is_materialized() => "materialized view",
            false => "view",
        };
        let whole = comment(&table.schema, format!("{word} {}", relation(table)), &definition.comment);
        objects.extend(whole.map(|object| object.of(table)));
        // Columns of views have the comments of the columns they show.
        for column in definition.columns.iter().filter(|_| is_table) {
            let on = format!("column {}.{}", relation(table), name(&column.name));
            objects.extend(comment(&table.schema, on, &column.comment).map(|object| object.of(table)));
        }
    }
    for function in &catalog.functions {
        objects.extend(comment(&function.name.schema, routine(function), &function.comment));
    }
    objects
}

/// What is granted in advance comes last: all that is made before has its own grants.
pub(super) fn defaults(catalog: &Catalog) -> Vec<Object> {
    let one = |entry: &DefaultGrant| {
        let schema =
            entry.schema.as_ref().map(|schema| format!(" in schema {}", name(schema))).unwrap_or_default();
        let kind = if entry.functions { "functions" } else { "tables" };
        let say = |grant: &Grant| format!("alter default privileges{schema} {}", grant_text(kind, grant));
        let reverse = Grant { revoke: !entry.grant.revoke, ..entry.grant.clone() };
        let create = say(&entry.grant);
        let of = entry.schema.as_deref().unwrap_or_default();
        Object::new(Kind::DefaultGrants, of, create.clone(), create, say(&reverse))
    };
    catalog.default_grants.iter().map(one).collect()
}
