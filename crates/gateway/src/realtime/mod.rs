//! The realtime API: `/realtime/v1`, the Phoenix channel protocol over WebSocket, versions 1 and 2.

mod channel;
mod frame;
mod http;
mod rows;
mod session;

use axum::Router;
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use truststream_kernel::{Context, Result};

use crate::GatewayState;
use frame::Version;

/// Largest message a client may send.
const LARGEST: usize = 1 << 20;

/// The routes of the realtime API.
pub fn router(state: GatewayState) -> Router {
    Router::new()
        .route("/realtime/v1/websocket", get(connect))
        .route("/realtime/v1/api/broadcast", post(http::broadcast))
        .with_state(state)
}

#[derive(Debug, Deserialize)]
struct Parameters {
    apikey: Option<String>,
    vsn: Option<String>,
}

async fn connect(
    State(state): State<GatewayState>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let cx = match caller(&state, &parameters, &headers).await {
        Ok(cx) => cx,
        Err(error) => return (StatusCode::UNAUTHORIZED, error.message().to_owned()).into_response(),
    };
    let version = if parameters.vsn.as_deref() == Some("2.0.0") { Version::Two } else { Version::One };
    upgrade
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(move |socket| session::run(state, socket, version, cx))
}

async fn caller(state: &GatewayState, parameters: &Parameters, headers: &HeaderMap) -> Result<Context> {
    match parameters.apikey.as_deref().filter(|key| !key.is_empty()) {
        None => state.identities.context(headers).await,
        Some(key) => match state.identities.of_key(key) {
            None => Ok(state.identities.anonymous()),
            Some(token) => state.identities.of_token(&token).await,
        },
    }
}
