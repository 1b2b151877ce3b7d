//! The root: what the API offers, as an OpenAPI 2 description in PostgREST's shape.

mod functions;
mod tables;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Describe, Page, Table, is_above_policies};

use super::accept::unavailable;
use super::request::RestRequest;
use super::response::Reply;
use crate::{GatewayState, OpenApiMode};

/// The media types of rows.
const ROWS: [&str; 4] = [
    "application/json",
    "application/vnd.pgrst.object+json;nulls=stripped",
    "application/vnd.pgrst.object+json",
    "text/csv",
];

pub(super) async fn answer(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let mode = state.settings.rest.openapi_mode;
    if mode == OpenApiMode::Disabled {
        return Err(Error::new(ErrorKind::NotFound, "PGRST126", "Root endpoint metadata is disabled"));
    }
    if let Some(header) = request.header("accept")
        && !["openapi+json", "application/json", "*/*"].iter().any(|known| header.contains(known))
    {
        return Err(unavailable(header));
    }
    request.timing.planned();
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => {
            let catalog = state.services.database.send(Describe::default()).await?;
            let schemas = &state.settings.rest.schemas;
            let schema = request.profile.as_ref().or(schemas.first()).map_or("", String::as_str);
            let host = request.header("host").unwrap_or("localhost");
            let caller = (mode == OpenApiMode::FollowPrivileges).then_some(&request.cx);
            let mut described = description(&catalog, schema, host, caller);
            if state.settings.rest.openapi_security_active {
                secure(&mut described);
            }
            Body::from(described.to_string())
        }
    };
    request.timing.done();
    let mut response = Reply::new(StatusCode::OK, &Page::default()).finish(&request, &Page::default());
    *response.body_mut() = body;
    let content_type = HeaderValue::from_static("application/openapi+json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// What a schema offers to a caller, or to anybody.
fn description(catalog: &Catalog, schema: &str, host: &str, caller: Option<&Context>) -> Json {
    let mut paths = Map::new();
    paths.insert("/".to_owned(), root());
    let (mut definitions, mut parameters) = (Map::new(), shared());
    let role = caller.and_then(Context::identity).map(|identity| identity.role.as_str());
    let role = role.filter(|role| !is_above_policies(role));
    let shown = |table: &Table| role.is_none_or(|role| table.is_reachable_by(role));
    for (name, table) in catalog.tables.iter().filter(|(name, table)| name.schema == schema && shown(table)) {
        definitions.insert(name.name.clone(), tables::definition(catalog, name, table));
        parameters.extend(tables::parameters(&name.name, table));
        paths.insert(format!("/{}", name.name), tables::path(&name.name, table));
    }
    let callable =
        catalog.functions.iter().filter(|function| function.name.schema == schema && function.is_callable());
    for function in callable.filter(|function| role.is_none_or(|role| function.is_open_to(role))) {
        // Of overloads the last one is described.
        paths.insert(format!("/rpc/{}", function.name.name), functions::path(catalog, function));
    }
    let comment = catalog.schemas.get(schema).and_then(Option::as_deref);
    let (title, text) = comment.map_or(("TrustStream", ""), titled);
    json!({
        "swagger": "2.0",
        "info": { "title": title, "description": text, "version": env!("CARGO_PKG_VERSION") },
        "host": host,
        "basePath": "/",
        "schemes": ["http"],
        "consumes": ROWS,
        "produces": ROWS,
        "paths": paths,
        "definitions": definitions,
        "parameters": parameters,
    })
}

/// Says that requests carry tokens.
fn secure(description: &mut Json) {
    description["securityDefinitions"] = json!({ "JWT": {
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "Add the token prepending \"Bearer \" (without quotes) to it",
    } });
    description["security"] = json!([{ "JWT": [] }]);
}

/// A comment's first line, and what follows it.
fn titled(comment: &str) -> (&str, &str) {
    let (first, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    (first, rest.trim_start_matches('\n'))
}

/// Adds the two parts of a comment to the description of a method.
fn commented(method: &mut Json, comment: Option<&str>) {
    let Some((summary, description)) = comment.map(titled) else { return };
    method["summary"] = summary.into();
    if !description.is_empty() {
        method["description"] = description.into();
    }
}

fn root() -> Json {
    json!({ "get": {
        "tags": ["Introspection"],
        "summary": "OpenAPI description (this document)",
        "produces": ["application/openapi+json", "application/json"],
        "responses": { "200": { "description": "OK" } },
    } })
}

/// Parameters that the methods of all tables share.
fn shared() -> Map<String, Json> {
    let prefer = |of: &[&str]| json!({ "name": "Prefer", "description": "Preference", "required": false, "in": "header", "type": "string", "enum": of });
    let given = |name: &str, place: &str, description: &str| json!({ "name": name, "description": description, "required": false, "in": place, "type": "string" });
    let paging = "Limiting and Pagination";
    let returns = ["return=representation", "return=minimal", "return=none"];
    let resolutions = ["resolution=ignore-duplicates", "resolution=merge-duplicates"];
    let mut unit = given("Range-Unit", "header", paging);
    unit["default"] = "items".into();
    let all = [
        ("preferParams", prefer(&["params=single-object"])),
        ("preferReturn", prefer(&returns)),
        ("preferCount", prefer(&["count=none"])),
        ("preferPost", prefer(&[&returns[..], &resolutions[..]].concat())),
        ("select", given("select", "query", "Filtering Columns")),
        ("on_conflict", given("on_conflict", "query", "On Conflict")),
        ("order", given("order", "query", "Ordering")),
        ("range", given("Range", "header", paging)),
        ("rangeUnit", unit),
        ("offset", given("offset", "query", paging)),
        ("limit", given("limit", "query", paging)),
    ];
    all.into_iter().map(|(name, parameter)| (name.to_owned(), parameter)).collect()
}

/// Type and format of values of a type, by its name in SQL.
fn typed(catalog: &Catalog, type_name: &str) -> Map<String, Json> {
    let name = type_name.split('(').next().unwrap_or(type_name).trim();
    let mut schema = Map::new();
    schema.insert("format".to_owned(), name.into());
    if let Some(element) = name.strip_suffix("[]") {
        schema.insert("type".to_owned(), "array".into());
        let items = typed(catalog, element).remove("type").map(|kind| json!({ "type": kind }));
        schema.insert("items".to_owned(), items.unwrap_or_else(|| json!({})));
        return schema;
    }
    let kind = match name {
        "boolean" => Some("boolean"),
        "smallint" | "integer" | "bigint" => Some("integer"),
        "numeric" | "real" | "double precision" => Some("number"),
        // Anything at all.
        "json" | "jsonb" => None,
        _ => Some("string"),
    };
    schema.extend(kind.map(|kind| ("type".to_owned(), kind.into())));
    let labels = catalog.enums.iter().find(|(known, _)| {
        name == known.name || name.split_once('.') == Some((known.schema.as_str(), known.name.as_str()))
    });
    schema.extend(labels.map(|(_, labels)| ("enum".to_owned(), labels.clone().into())));
    schema
}

#[cfg(test)]
mod tests {
    use truststream_services::database::Migrate;

    use super::*;
    use crate::native::tests::sites;

    const SCHEMA: &str = "
comment on table tracks is 'Tracks\nof all records';
create type mood as enum ('calm', 'wild');
create table plays (
  id bigint generated always as identity primary key,
  track int not null references tracks (id),
  name varchar(30) not null default 'so''s',
  mood mood, tags text[], more jsonb);
alter table plays enable row level security;
create table hidden (id int primary key);
create domain price as numeric(17, 2);
create view of_tracks as select id, track, mood from plays;
grant select on of_tracks to anon;
create table partly (id int primary key, shown text, price price);
revoke all on partly from anon;
grant select (shown) on partly to anon;
create function stamp() returns trigger language plpgsql as $$ begin return new; end $$;
create function halve(a int, b int default 2) returns int language sql stable as 'select a / b';
";

    #[tokio::test(flavor = "multi_thread")]
    async fn the_root_describes_what_a_caller_may_reach() {
        for site in sites().await {
            let migrate = Migrate { name: "2.sql".into(), sql: SCHEMA.into(), dry_run: false };
            site.runtime.database().send(migrate).await.unwrap();
            let of_anybody = site.ask("GET /rest/v1/", &[], Json::Null).await.body;
            assert!(of_anybody["definitions"]["hidden"].is_null(), "{of_anybody}");
            for open in ["plays", "of_tracks", "partly"] {
                assert!(of_anybody["definitions"][open].is_object(), "{open}: {of_anybody}");
            }
            assert!(
                of_anybody["paths"]["/rpc/stamp"].is_null() && of_anybody["paths"]["/rpc/halve"].is_object()
            );
            let price = &of_anybody["definitions"]["partly"]["properties"]["price"];
            assert_eq!((&price["format"], &price["type"]), (&json!("numeric"), &json!("number")), "{price}");
            assert!(of_anybody.get("security").is_none());

            let all = site.serve("GET /rest/v1/", &[], Json::Null).await.body;
            assert!(all["paths"]["/hidden"].is_object());
            let plays = &all["definitions"]["plays"];
            assert_eq!(plays["required"], json!(["id", "track", "name"]));
            let of = |column: &str| plays["properties"][column].clone();
            assert_eq!(
                of("track"),
                json!({ "type": "integer", "format": "integer",
                    "description": "Note:\nThis is a Foreign Key to `tracks.id`.<fk table='tracks' column='id'/>" })
            );
            let viewed = &all["definitions"]["of_tracks"]["properties"];
            assert_eq!(viewed["track"], of("track"));
            assert_eq!(viewed["id"]["description"], "Note:\nThis is a Primary Key.<pk/>");
            assert_eq!(of("id")["description"], "Note:\nThis is a Primary Key.<pk/>");
            assert_eq!(
                (&of("name")["maxLength"], &of("name")["default"]),
                (&json!(30), &json!("so's")),
                "{plays}"
            );
            assert_eq!(of("mood")["enum"], json!(["calm", "wild"]), "{plays}");
            assert_eq!(of("tags")["items"], json!({ "type": "string" }));
            assert!(of("more").get("type").is_none());

            let tracks = &all["paths"]["/tracks"]["get"];
            assert_eq!(
                (&tracks["summary"], &tracks["description"]),
                (&json!("Tracks"), &json!("of all records"))
            );
            let filter = json!({ "$ref": "#/parameters/rowFilter.tracks.title" });
            assert!(tracks["parameters"].as_array().unwrap().contains(&filter));
            let halve = &all["paths"]["/rpc/halve"];
            assert_eq!(halve["get"]["parameters"][0]["name"], "a");
            assert_eq!(halve["post"]["parameters"][0]["schema"]["required"], json!(["a"]));
        }
    }
}
