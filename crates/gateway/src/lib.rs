//! The gateway: one folder per wire protocol, each a `router` that [`app`] plugs in.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin;
pub mod auth;
mod cors;
pub mod health;
mod identity;
pub mod native;
mod patience;
pub mod realtime;
pub mod rest;
mod server;
mod settings;
mod state;
pub mod storage;
mod targets;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use identity::{ApiKeys, Identities};
pub use server::{Listening, Peer};
pub use settings::{GatewaySettings, OpenApiMode, RestSettings, Settings, TxEnd};
pub use state::{GatewayState, Services};

/// All protocols for applications on one router.
pub fn app(state: GatewayState) -> Router {
    Router::new()
        .merge(rest::router(state.clone()))
        .merge(auth::router(state.clone()))
        .merge(storage::router(state.clone()))
        .merge(realtime::router(state.clone()))
        .merge(native::router(state))
        .route("/health", get(alive))
        .fallback(not_found)
        .layer(middleware::from_fn(cors::allow))
}

/// The process answers; what stands behind it is `truststream status`'s to tell.
async fn alive() -> Response {
    ([("content-type", "application/json")], r#"{"status":"ok"}"#).into_response()
}

async fn not_found() -> Response {
    let body = r#"{"message":"no such path; the APIs are below /rest/v1, /auth/v1, /storage/v1, /realtime/v1 and /truststream/v1"}"#;
    (StatusCode::NOT_FOUND, [("content-type", "application/json")], body).into_response()
}
