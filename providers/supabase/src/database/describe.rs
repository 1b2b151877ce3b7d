//! The catalog from the OpenAPI description at the root of a data API.
//!
//! It tells columns with their types, primary and foreign keys, enums, and functions; it does not
//! tell policies, which the project enforces itself, nor the names of constraints.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Result, Type};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Function, Parameter, ReferentialAction, Returns, Table, TableName,
};

use crate::client::{Reply, json};

#[derive(Deserialize)]
#[serde(default)]
struct Description {
    definitions: Map<String, Json>,
    paths: Map<String, Json>,
}

impl Default for Description {
    fn default() -> Self {
        Description { definitions: Map::new(), paths: Map::new() }
    }
}

/// Adds what the description of one schema tells.
pub(super) fn add(catalog: &mut Catalog, schema: &str, reply: &Reply) -> Result<()> {
    let description: Description = json(reply)?;
    catalog.schemas.insert(schema.to_owned(), None);
    for (name, definition) in &description.definitions {
        let table = table(catalog, schema, name, definition);
        catalog.tables.insert(TableName::new(schema, name), table);
    }
    let functions = description.paths.iter().filter_map(|(path, methods)| {
        path.strip_prefix("/rpc/").map(|name| function(TableName::new(schema, name), methods))
    });
    catalog.functions.extend(functions);
    Ok(())
}

fn table(catalog: &mut Catalog, schema: &str, name: &str, definition: &Json) -> Table {
    let required: Vec<&str> = members(&definition["required"]).filter_map(Json::as_str).collect();
    let mut table = Table { comment: text(&definition["description"]), ..Table::default() };
    let properties = definition["properties"].as_object();
    for (column, property) in properties.into_iter().flatten() {
        let comment = text(&property["description"]);
        let notes = comment.as_deref().unwrap_or_default();
        if notes.contains("<pk/>") {
            table.primary_key.push(column.clone());
        }
        table.foreign_keys.extend(foreign_key(schema, name, column, notes));
        let written = property["format"].as_str().unwrap_or("text");
        let labels: Vec<String> = members(&property["enum"]).filter_map(text).collect();
        if !labels.is_empty() {
            let (of, named) = written.split_once('.').unwrap_or((schema, written));
            catalog.enums.insert(TableName::new(of, named.trim_matches('"')), labels);
        }
        table.columns.push(Column {
            name: column.clone(),
            ty: Type::parse(written),
            type_name: written.to_owned(),
            nullable: !required.contains(&column.as_str()),
            default: default(&property["default"]),
            identity: None,
            generated: None,
            comment: own_words(notes),
        });
    }
    table
}

fn members(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn default(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(sql) => Some(sql.clone()),
        other => Some(other.to_string()),
    }
}

/// A comment without the notes that PostgREST adds to it.
fn own_words(comment: &str) -> Option<String> {
    let own = comment.split("Note:\n").next().unwrap_or_default().trim();
    (!own.is_empty()).then(|| own.to_owned())
}

/// `<fk table='artists' column='id'/>`
fn foreign_key(schema: &str, table: &str, column: &str, notes: &str) -> Option<ForeignKey> {
    let tag = notes.split_once("<fk ")?.1.split_once("/>")?.0;
    let attribute = |name: &str| {
        let value = tag.split_once(&format!("{name}='"))?.1;
        Some(value.split_once('\'')?.0.to_owned())
    };
    Some(ForeignKey {
        // The name is not told; this is how PostgreSQL names a key by itself.
        name: format!("{table}_{column}_fkey"),
        columns: vec![column.to_owned()],
        references: TableName::new(schema, attribute("table")?),
        referenced_columns: vec![attribute("column")?],
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
        deferred: false,
    })
}

fn function(name: TableName, methods: &Json) -> Function {
    let body = members(&methods["post"]["parameters"]).find(|one| one["in"] == "body");
    let schema = body.map_or(&Json::Null, |body| &body["schema"]);
    let required: Vec<&str> = members(&schema["required"]).filter_map(Json::as_str).collect();
    let parameters =
        schema["properties"].as_object().into_iter().flatten().map(|(name, property)| Parameter {
            name: name.clone(),
            type_name: property["format"].as_str().unwrap_or("text").to_owned(),
            required: required.contains(&name.as_str()),
            variadic: false,
            default: None,
        });
    Function {
        name,
        parameters: parameters.collect(),
        // What comes back is only known once it is there.
        returns: Returns { type_name: "unknown".to_owned(), ..Returns::default() },
        reads_only: methods.get("get").is_some(),
        language: "unknown".to_owned(),
        comment: text(&methods["post"]["summary"]),
        ..Function::default()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;

    fn described(description: &Json) -> Catalog {
        let body = description.to_string().into();
        let reply = Reply { status: StatusCode::OK, headers: HeaderMap::new(), body };
        let mut catalog = Catalog::default();
        add(&mut catalog, "public", &reply).unwrap();
        catalog
    }

    #[test]
    fn what_postgrest_describes_becomes_a_catalog() {
        let catalog = described(&json!({
            "swagger": "2.0",
            "paths": {
                "/": {},
                "/tracks": { "get": {}, "post": {} },
                "/rpc/add": { "get": {}, "post": { "summary": "Adds", "parameters": [{ "in": "body", "name": "args",
                    "schema": { "required": ["a"], "properties": {
                        "a": { "format": "integer", "type": "integer" }, "b": { "format": "integer" } } } }] } },
            },
            "definitions": { "tracks": { "description": "All of them", "required": ["id", "title"], "type": "object",
                "properties": {
                    "id": { "description": "Note:\nThis is a Primary Key.<pk/>", "format": "bigint", "type": "integer" },
                    "title": { "description": "As printed", "format": "text", "type": "string", "default": "?" },
                    "mood": { "enum": ["sad", "ok"], "format": "public.mood", "type": "string" },
                    "artist_id": { "format": "bigint", "type": "integer", "description":
                        "Note:\nThis is a Foreign Key to `artists.id`.<fk table='artists' column='id'/>" },
                } } },
        }));
        let tracks = catalog.table(&TableName::public("tracks")).unwrap();
        assert_eq!(tracks.primary_key, ["id"]);
        assert_eq!((tracks.columns[0].ty.clone(), tracks.columns[0].nullable), (Type::Int8, false));
        assert_eq!(tracks.columns[0].comment, None);
        assert_eq!(tracks.columns[1].comment.as_deref(), Some("As printed"));
        assert!(tracks.columns[3].nullable);
        assert_eq!(tracks.foreign_keys[0].references, TableName::public("artists"));
        assert_eq!(catalog.enums[&TableName::public("mood")], ["sad", "ok"]);
        let add = &catalog.functions[0];
        assert_eq!((add.name.name.as_str(), add.reads_only, add.parameters.len()), ("add", true, 2));
        assert_eq!((add.parameters[0].required, add.parameters[1].required), (true, false));
    }
}
