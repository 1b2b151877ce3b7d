//! Changed rows as clients take them.

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Row, Type, Value};
use truststream_services::database::ChangeKind;
use truststream_services::realtime::RowChange;

/// The payload of a `postgres_changes` message; `ids` are those of the wishes it answers.
pub(super) fn payload(change: &RowChange, ids: &[u64]) -> Json {
    let kind = match change.kind {
        ChangeKind::Insert => "INSERT",
        ChangeKind::Update => "UPDATE",
        ChangeKind::Delete => "DELETE",
    };
    let columns: Vec<_> =
        change.columns.iter().map(|(name, ty, _)| json!({ "name": name, "type": type_name(ty) })).collect();
    let mut data = Map::new();
    data.insert("schema".to_owned(), json!(change.table.schema));
    data.insert("table".to_owned(), json!(change.table.name));
    data.insert("type".to_owned(), json!(kind));
    data.insert(
        "commit_timestamp".to_owned(),
        member(&Value::Timestamptz(change.made_at), &Type::Timestamptz),
    );
    data.insert("columns".to_owned(), Json::Array(columns));
    if let Some(row) = change.new.as_ref().filter(|_| change.kind != ChangeKind::Delete) {
        data.insert("record".to_owned(), record(row, change));
    }
    if let Some(row) = &change.old {
        data.insert("old_record".to_owned(), record(row, change));
    }
    data.insert("errors".to_owned(), Json::Null);
    json!({ "ids": ids, "data": data })
}

fn record(row: &Row, change: &RowChange) -> Json {
    let members = row.columns.iter().zip(&row.values).map(|(name, value)| {
        let ty =
            change.columns.iter().find(|(column, ..)| column == name).map_or(&Type::Text, |(_, ty, _)| ty);
        (name.clone(), member(value, ty))
    });
    Json::Object(members.collect())
}

/// A value as JSON. Clients read numbers as doubles, so what a double can't hold is no loss here.
fn member(value: &Value, ty: &Type) -> Json {
    let text = value.to_json_as(ty);
    RawValue::from_string(text)
        .ok()
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or(Json::Null)
}

/// The name PostgreSQL's catalog has for a type.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Int2 => "int2".to_owned(),
        Type::Int4 => "int4".to_owned(),
        Type::Int8 => "int8".to_owned(),
        Type::Float4 => "float4".to_owned(),
        Type::Float8 => "float8".to_owned(),
        Type::Numeric(_) => "numeric".to_owned(),
        Type::Text => "text".to_owned(),
        Type::Varchar(_) => "varchar".to_owned(),
        Type::Char(_) => "bpchar".to_owned(),
        Type::Bytes => "bytea".to_owned(),
        Type::Uuid => "uuid".to_owned(),
        Type::Timestamptz => "timestamptz".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Date => "date".to_owned(),
        Type::Time => "time".to_owned(),
        Type::Interval => "interval".to_owned(),
        Type::Json => "json".to_owned(),
        Type::Jsonb => "jsonb".to_owned(),
        Type::Array(element) => format!("_{}", type_name(element)),
        Type::Enum(name) | Type::Other(name) => name.rsplit('.').next().unwrap_or(name).to_owned(),
    }
}
