//! Shapes of the queries that were answered, by the operator's API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Admin;
use super::reply::json;

pub(super) async fn show(State(admin): State<Admin>) -> Response {
    json(StatusCode::OK, &admin.runtime.observed_queries())
}
