//! Statements in the database's own SQL, for the service role.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value as Json;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::Raw;

use crate::GatewayState;
use crate::rest::steps::{envelope, respond_alone};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sql: String,
    #[serde(default)]
    parameters: Vec<Json>,
    #[serde(default)]
    read_only: bool,
}

pub(super) async fn answer(State(state): State<GatewayState>, request: Request) -> Response {
    let (cx, _, body) = match envelope(&state, request).await {
        Ok(envelope) => envelope,
        Err(error) => return respond_alone(&state, &error, None),
    };
    match run(&state, &cx, &body).await {
        Ok(rows) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], rows).into_response(),
        Err(error) => respond_alone(&state, &error, Some(&cx)),
    }
}

async fn run(state: &GatewayState, cx: &Context, body: &[u8]) -> Result<String> {
    let Asked { sql, parameters, read_only } = serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "PGRST102", format!("the body is not as expected: {error}"))
    })?;
    let page = state.services.database.with(cx.clone()).send(Raw { sql, parameters, read_only }).await?;
    let rows = String::from_utf8_lossy(&page.body);
    Ok(format!(r#"{{"count":{},"rows":{rows}}}"#, page.rows))
}
