//! The schema by the operator's API: what types of applications are made from.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use truststream_services::database::Describe;

use super::Admin;
use super::reply::{error, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// The backend; the one that serves if absent.
    backend: Option<String>,
}

pub(super) async fn show(State(admin): State<Admin>, Query(of): Query<Of>) -> Response {
    match admin.runtime.database_of(of.backend.as_deref()).await {
        Ok(database) => match database.send(Describe { fresh: true }).await {
            Ok(catalog) => json(StatusCode::OK, &*catalog),
            Err(failed) => error(&failed),
        },
        Err(failed) => error(&failed),
    }
}
