//! Failovers by the operator's API.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json as object;
use truststream_kernel::{Error, Result};

use super::Admin;
use super::reply::{error, json};

/// What a lost backend had.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    failover: u64,
    /// Rows that were changed since as well.
    #[serde(default)]
    force: bool,
}

/// What a failover would do and cost.
pub(super) async fn foresee(State(admin): State<Admin>) -> Response {
    answer(admin.runtime.steering().foresee().await)
}

pub(super) async fn start(State(admin): State<Admin>) -> Response {
    // To its end even if the caller goes away.
    let work = async move { admin.runtime.steering().fail_over().await };
    answer(tokio::spawn(work).await.unwrap_or_else(broke_off))
}

pub(super) async fn lost(State(admin): State<Admin>) -> Response {
    answer(admin.runtime.mirrors().lost().await)
}

pub(super) async fn apply(State(admin): State<Admin>, Json(of): Json<Of>) -> Response {
    let work = async move { admin.runtime.mirrors().apply_lost(of.failover, of.force).await };
    answer(tokio::spawn(work).await.unwrap_or_else(broke_off))
}

pub(super) async fn forget(State(admin): State<Admin>, Json(of): Json<Of>) -> Response {
    let dropped = admin.runtime.mirrors().drop_lost(of.failover).await;
    answer(dropped.map(|rows| object!({ "dropped": rows })))
}

fn broke_off<T>(failed: tokio::task::JoinError) -> Result<T> {
    Err(Error::internal("the failover broke off").with_source(failed))
}

fn answer(result: Result<impl Serialize>) -> Response {
    match result {
        Ok(value) => json(StatusCode::OK, &value),
        Err(failed) => error(&failed),
    }
}
