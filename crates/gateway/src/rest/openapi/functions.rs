//! Functions in the description.

use serde_json::{Map, Value as Json, json};
use truststream_services::database::{Catalog, Function, Parameter};

use super::{commented, typed};

const PRODUCES: [&str; 3] = [
    "application/json",
    "application/vnd.pgrst.object+json;nulls=stripped",
    "application/vnd.pgrst.object+json",
];

/// How a function is called: with its parameters in a body, or in the URL where it only reads.
pub(super) fn path(catalog: &Catalog, function: &Function) -> Json {
    let method = |parameters: Json| {
        let mut method = json!({
            "tags": [format!("(rpc) {}", function.name.name)],
            "produces": PRODUCES,
            "parameters": parameters,
            "responses": { "200": { "description": "OK" } },
        });
        commented(&mut method, function.comment.as_deref());
        method
    };
    let mut path = json!({
        "post": method(json!([arguments(catalog, function), { "$ref": "#/parameters/preferParams" }])),
    });
    if function.reads_only {
        let named = function.parameters.iter().map(|parameter| in_url(catalog, parameter));
        path["get"] = method(named.collect());
    }
    path
}

fn arguments(catalog: &Catalog, function: &Function) -> Json {
    let properties: Map<String, Json> = function
        .parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), typed(catalog, &parameter.type_name).into()))
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    let required: Vec<&str> = function
        .parameters
        .iter()
        .filter(|parameter| parameter.required)
        .map(|parameter| parameter.name.as_str())
        .collect();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if let Some(comment) = &function.comment {
        schema["description"] = comment.as_str().into();
    }
    json!({ "name": "args", "required": true, "in": "body", "schema": schema })
}

/// A parameter in the URL: arrays are texts there (`{1,2}`), but for a variadic one, which comes
/// several times.
fn in_url(catalog: &Catalog, parameter: &Parameter) -> Json {
    let mut schema = typed(catalog, &parameter.type_name);
    if parameter.variadic {
        schema.insert("collectionFormat".to_owned(), "multi".into());
    } else if schema.remove("items").is_some() || !schema.contains_key("type") {
        schema.insert("type".to_owned(), "string".into());
    }
    schema.insert("name".to_owned(), parameter.name.as_str().into());
    schema.insert("in".to_owned(), "query".into());
    schema.insert("required".to_owned(), parameter.required.into());
    schema.into()
}
