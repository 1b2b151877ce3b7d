//! What everybody may ask.

use axum::extract::State;
use serde_json::json;
use truststream_services::auth::{PublicKeys, Settings};

use super::AuthApi;
use super::reply::{Reply, json_reply};

pub(super) async fn settings(State(api): State<AuthApi>) -> Reply {
    json_reply(&api.as_anyone().send(Settings).await?)
}

pub(super) async fn keys(State(api): State<AuthApi>) -> Reply {
    json_reply(&api.as_anyone().send(PublicKeys).await?)
}

pub(super) async fn health() -> Reply {
    json_reply(&json!({
        "version": concat!("truststream-", env!("CARGO_PKG_VERSION")),
        "name": "GoTrue",
        "description": "GoTrue is a user registration and authentication API",
    }))
}
