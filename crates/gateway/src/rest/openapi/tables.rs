//! Tables and views in the description.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};
use truststream_kernel::Type;
use truststream_services::database::{Catalog, Column, Reference, Table, TableKind, TableName};

use super::{commented, typed};

/// The rows of a table as a JSON schema.
pub(super) fn definition(catalog: &Catalog, name: &TableName, table: &Table) -> Json {
    let references = references(catalog, name);
    let required: Vec<_> =
        table.columns.iter().filter(|column| !column.nullable).map(|column| column.name.as_str()).collect();
    let property = |column: &Column| property(catalog, column, keys(table, &references, &column.name));
    let properties: Map<String, Json> =
        table.columns.iter().map(|column| (column.name.clone(), property(column))).collect();
    let mut definition = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        definition["required"] = required.into();
    }
    if let Some(comment) = &table.comment {
        definition["description"] = comment.as_str().into();
    }
    definition
}

/// What a table or view refers to by one column each, tables before views.
fn references(catalog: &Catalog, name: &TableName) -> Vec<Reference> {
    let mut found = catalog.references(name);
    found.retain(|reference| reference.columns.len() == 1);
    let is_view = |to: &str| {
        let to = catalog.table(&TableName::new(&name.schema, to));
        to.is_some_and(|to| to.kind != TableKind::Table)
    };
    found.sort_by_key(|reference| is_view(&reference.to));
    found
}

fn property(catalog: &Catalog, column: &Column, keys: Vec<String>) -> Json {
    let type_name = type_name(column);
    let mut property = typed(catalog, &type_name);
    let length = type_name.strip_prefix("character").and_then(|name| name.split_once('('));
    if let Some(length) = length.and_then(|(_, length)| length.trim_end_matches(')').parse::<u32>().ok()) {
        property.insert("maxLength".to_owned(), length.into());
    }
    if let Some(default) = column.default.as_deref().and_then(|default| constant(&property, default)) {
        property.insert("default".to_owned(), default);
    }
    let description = match (&column.comment, keys.is_empty()) {
        (None, true) => None,
        (Some(comment), true) => Some(comment.clone()),
        (None, false) => Some(format!("Note:\n{}", keys.join("\n"))),
        (Some(comment), false) => Some(format!("{comment}\n\nNote:\n{}", keys.join("\n"))),
    };
    property.extend(description.map(|text| ("description".to_owned(), text.into())));
    property.into()
}

/// The name of a column's type; of a domain, that of what it is made of.
fn type_name(column: &Column) -> Cow<'_, str> {
    let of_enum = match &column.ty {
        Type::Array(element) => matches!(**element, Type::Enum(_)),
        ty => matches!(ty, Type::Enum(_)),
    };
    if of_enum || Type::parse(&column.type_name) == column.ty {
        return Cow::Borrowed(&column.type_name);
    }
    Cow::Owned(column.ty.sql_name())
}

/// What tools read of keys: PostgREST tells it so.
fn keys(table: &Table, references: &[Reference], column: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if table.primary_key.iter().any(|key| key == column) {
        notes.push("This is a Primary Key.<pk/>".to_owned());
    }
    if let Some(Reference { to, referenced, .. }) = references.iter().find(|one| one.columns[0] == column) {
        let other = &referenced[0];
        notes.push(format!("This is a Foreign Key to `{to}.{other}`.<fk table='{to}' column='{other}'/>"));
    }
    notes
}

/// A default as JSON; an expression of a text is shown as it is, any other that is no constant is not.
fn constant(property: &Map<String, Json>, default: &str) -> Option<Json> {
    let plain = default.rsplit_once("::").map_or(default, |(value, _)| value);
    if property.get("type").and_then(Json::as_str) != Some("string") {
        return serde_json::from_str(plain.trim_matches('\'')).ok();
    }
    let text = plain.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    Some(text.map_or_else(|| default.into(), |text| text.replace("''", "'").into()))
}

/// Parameters of one table: its rows in a body, and a filter for each column.
pub(super) fn parameters(name: &str, table: &Table) -> Vec<(String, Json)> {
    let body = json!({
        "name": name, "description": name, "required": false, "in": "body",
        "schema": { "$ref": format!("#/definitions/{name}") },
    });
    let filters = table.columns.iter().map(|column| {
        let filter = json!({
            "name": column.name, "description": column.comment, "required": false, "in": "query", "type": "string",
        });
        (format!("rowFilter.{name}.{}", column.name), filter)
    });
    [(format!("body.{name}"), body)].into_iter().chain(filters).collect()
}

/// What can be done with a table.
pub(super) fn path(name: &str, table: &Table) -> Json {
    let named = |name: &str| json!({ "$ref": format!("#/parameters/{name}") });
    let filters: Vec<Json> =
        table.columns.iter().map(|column| named(&format!("rowFilter.{name}.{}", column.name))).collect();
    let with = |filters: &[Json], others: &[&str]| -> Json {
        filters.iter().cloned().chain(others.iter().copied().map(named)).collect()
    };
    let method = |parameters: Json, responses: Json| {
        let mut method = json!({ "tags": [name], "parameters": parameters, "responses": responses });
        commented(&mut method, table.comment.as_deref());
        method
    };
    let body = format!("body.{name}");
    let rows = json!({ "type": "array", "items": { "$ref": format!("#/definitions/{name}") } });
    let read = ["select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"];
    let found = json!({
        "200": { "description": "OK", "schema": rows }, "206": { "description": "Partial Content" },
    });
    let silent = json!({ "204": { "description": "No Content" } });
    let (insertable, updatable, deletable) = match table.kind {
        TableKind::Table => (true, true, true),
        TableKind::View { insertable, updatable, deletable, .. } => (insertable, updatable, deletable),
    };
    let mut path = json!({ "get": method(with(&filters, &read), found) });
    if insertable {
        let created = json!({ "201": { "description": "Created" } });
        path["post"] = method(with(&[], &[&body, "select", "preferPost"]), created);
    }
    if deletable {
        path["delete"] = method(with(&filters, &["preferReturn"]), silent.clone());
    }
    if updatable {
        path["patch"] = method(with(&filters, &[&body, "preferReturn"]), silent);
    }
    path
}
