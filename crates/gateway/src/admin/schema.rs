//! Migrations and schemas by the operator's API: the operations of the Database service as they are.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, ErrorKind, Request, Result};
use truststream_services::database::{
    Adopt, Database, DatabaseService, Introspect, Migrate, Migrations, Rehearse, Revert, Review,
};

use super::Admin;
use super::reply::{error, json};

/// The backend that is meant, if it is not the one that serves.
#[derive(Debug, Deserialize)]
pub(super) struct Of {
    backend: Option<String>,
}

/// `POST /admin/v1/schema/{operation}`: its fields in, its reply out.
pub(super) async fn answer(
    State(admin): State<Admin>,
    Path(operation): Path<String>,
    Query(of): Query<Of>,
    body: Bytes,
) -> Response {
    // A migration must not be broken off by a caller who goes away.
    let work = async move {
        let database = admin.runtime.database_of(of.backend.as_deref()).await?;
        dispatch(&database, &operation, &body).await
    };
    let broken = |failed| Err(Error::internal("the operation broke off").with_source(failed));
    match tokio::spawn(work).await.unwrap_or_else(broken) {
        Ok(value) => json(StatusCode::OK, &value),
        Err(failed) => error(&failed),
    }
}

async fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Result<serde_json::Value> {
    match operation {
        "migrations" => encoded(&database.send(Migrations).await?),
        "review" => sent::<Review>(database, body).await,
        "migrate" => sent::<Migrate>(database, body).await,
        "revert" => sent::<Revert>(database, body).await,
        "adopt" => sent::<Adopt>(database, body).await,
        "introspect" => sent::<Introspect>(database, body).await,
        "rehearse" => sent::<Rehearse>(database, body).await,
        other => {
            Err(Error::new(ErrorKind::NotFound, "BACKEND_002", format!("there is no operation `{other}`")))
        }
    }
}

async fn sent<R>(database: &Database, body: &[u8]) -> Result<serde_json::Value>
where
    R: Request<DatabaseService, Reply: Serialize> + DeserializeOwned,
{
    let request: R = serde_json::from_slice(body)
        .map_err(|error| Error::invalid_input(format!("this is no such operation: {error}")))?;
    encoded(&database.send(request).await?)
}

fn encoded(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal("the reply can't be written").with_source(error))
}
