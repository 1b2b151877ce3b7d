//! The operator's API: `/admin/v1`.
//!
//! Only requests that carry the admin token of this process are answered, and only if they name a
//! loopback host, so that no page in a browser can reach it by a rebound name.

mod access;
mod catalog;
mod failover;
mod queries;
mod reply;
mod schema;
mod switch;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use truststream_kernel::Secret;
use truststream_runtime::Runtime;

pub(crate) use access::names_loopback;
use reply::json;

/// What the handlers work with.
#[derive(Clone)]
struct Admin {
    runtime: Arc<Runtime>,
    token: Arc<Secret>,
}

/// The routes below `/admin/v1`; every request must carry `token` as a bearer token.
pub fn router(runtime: Arc<Runtime>, token: Secret) -> Router {
    let admin = Admin { runtime, token: Arc::new(token) };
    Router::new()
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/catalog", get(catalog::show))
        .route("/admin/v1/queries", get(queries::show))
        .route("/admin/v1/switch", get(switch::show).post(switch::start))
        .route("/admin/v1/failover", get(failover::foresee).post(failover::start))
        .route("/admin/v1/failover/lost", get(failover::lost))
        .route("/admin/v1/failover/apply", post(failover::apply))
        .route("/admin/v1/failover/drop", post(failover::forget))
        .route("/admin/v1/switch/plan", get(switch::plan))
        .route("/admin/v1/switch/rehearse", post(switch::rehearse))
        .route("/admin/v1/verify", post(switch::verify))
        .route("/admin/v1/switch/pause", post(switch::pause))
        .route("/admin/v1/switch/resume", post(switch::resume))
        .route("/admin/v1/switch/move", post(switch::move_part))
        .route("/admin/v1/switch/back", post(switch::back))
        .route("/admin/v1/switch/finalize", post(switch::finalize))
        .route("/admin/v1/switch/abort", post(switch::abort))
        .route("/admin/v1/schema/{operation}", post(schema::answer))
        .layer(middleware::from_fn_with_state(admin.clone(), access::check))
        .with_state(admin)
}

async fn status(State(admin): State<Admin>) -> Response {
    json(StatusCode::OK, &admin.runtime.status().await)
}
