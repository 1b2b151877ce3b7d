//! Broadcasts over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use truststream_services::realtime::{Message, Payload, Publish};

use crate::GatewayState;

#[derive(Debug, Deserialize)]
pub(super) struct Messages {
    messages: Vec<Sent>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    topic: String,
    event: String,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    private: bool,
}

pub(super) async fn broadcast(
    State(state): State<GatewayState>,
    headers: HeaderMap,
    Json(Messages { messages }): Json<Messages>,
) -> Response {
    let cx = match state.identities.context(&headers).await {
        Ok(cx) => cx,
        Err(error) => return refuse(StatusCode::UNAUTHORIZED, error.message()),
    };
    let realtime = state.services.realtime.with(cx);
    for sent in messages {
        // Nobody can be on a private channel yet.
        if sent.private {
            continue;
        }
        let message = Message { event: sent.event, payload: Payload::Json(sent.payload.to_string()) };
        if let Err(error) = realtime.send(Publish { topic: sent.topic, message, except: None }).await {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, error.message());
        }
    }
    StatusCode::ACCEPTED.into_response()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
