//! The root: what the API offers, as an OpenAPI 2 description.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, Error, ErrorKind, Result, Type};
use truststream_services::database::{Column, Describe, Page, Table};

use super::accept::unavailable;
use super::request::RestRequest;
use super::response::Reply;
use crate::{GatewayState, OpenApiMode};

pub(super) async fn answer(state: &GatewayState, request: &RestRequest) -> Result<Response<Body>> {
    let mode = state.settings.rest.openapi_mode;
    if mode == OpenApiMode::Disabled {
        return Err(Error::new(ErrorKind::NotFound, "PGRST126", "Root endpoint metadata is disabled"));
    }
    if let Some(header) = request.header("accept")
        && !["openapi+json", "application/json", "*/*"].iter().any(|known| header.contains(known))
    {
        return Err(unavailable(header));
    }
    let catalog = state.services.database.send(Describe::default()).await?;
    let schema =
        request.profile.as_ref().or(state.settings.rest.schemas.first()).cloned().unwrap_or_default();
    let (mut definitions, mut paths) = (Map::new(), Map::new());
    paths.insert("/".to_owned(), json!({ "get": { "summary": "OpenAPI description (this document)" } }));
    let shown = |table: &Table| mode == OpenApiMode::IgnorePrivileges || may_reach(&request.cx, table);
    for (name, table) in catalog.tables.iter().filter(|(name, table)| name.schema == schema && shown(table)) {
        definitions.insert(name.name.clone(), definition(table));
        paths.insert(format!("/{}", name.name), methods(&name.name));
    }
    let description = json!({
        "swagger": "2.0",
        "info": { "title": "TrustStream", "version": env!("CARGO_PKG_VERSION") },
        "basePath": "/",
        "paths": paths,
        "definitions": definitions,
    });
    let body =
        if request.method == Method::HEAD { Body::empty() } else { Body::from(description.to_string()) };
    let mut response = Reply::new(StatusCode::OK, &Page::default()).finish(request, &Page::default());
    *response.body_mut() = body;
    let content_type = HeaderValue::from_static("application/openapi+json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// Whether a caller has any privilege on a table. One with row-level security can be reached by
/// anybody, whose rows its policies decide; any other has been granted.
fn may_reach(cx: &Context, table: &Table) -> bool {
    let Some(identity) = cx.identity().filter(|identity| identity.role != "service_role") else {
        return true;
    };
    let granted = |role: &str| {
        let last = table.grants.iter().rev().find(|grant| grant.role == role);
        last.is_some_and(|grant| !grant.revoke)
    };
    table.row_security || granted(&identity.role) || granted("public")
}

fn definition(table: &Table) -> Json {
    let required: Vec<_> = table
        .columns
        .iter()
        .filter(|column| !column.nullable && column.default.is_none() && column.identity.is_none())
        .map(|column| column.name.as_str())
        .collect();
    let properties: Map<String, Json> =
        table.columns.iter().map(|column| (column.name.clone(), property(column))).collect();
    json!({ "type": "object", "required": required, "properties": properties, "description": table.comment })
}

fn property(column: &Column) -> Json {
    let kind = match &column.ty {
        Type::Bool => "boolean",
        Type::Int2 | Type::Int4 | Type::Int8 => "integer",
        Type::Float4 | Type::Float8 | Type::Numeric(_) => "number",
        Type::Array(_) => "array",
        _ => "string",
    };
    json!({ "type": kind, "format": column.type_name, "description": column.comment })
}

fn methods(name: &str) -> Json {
    let reply = json!({ "200": { "description": "OK", "schema": { "type": "array", "items": { "$ref": format!("#/definitions/{name}") } } } });
    let silent = json!({ "204": { "description": "No Content" } });
    json!({
        "get": { "tags": [name], "responses": reply },
        "post": { "tags": [name], "responses": { "201": { "description": "Created" } } },
        "patch": { "tags": [name], "responses": silent },
        "delete": { "tags": [name], "responses": silent },
    })
}
