//! The data API: `/rest/v1`, as PostgREST 14 answers it.

mod accept;
mod body;
mod call;
mod csv;
mod error;
mod facts;
mod members;
mod openapi;
mod options;
mod prefer;
mod raised;
mod range;
mod read;
mod request;
mod response;
mod send;
pub(crate) mod steps;
mod timing;
mod write;

#[cfg(test)]
mod lost;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::any;
use truststream_kernel::{Error, ErrorKind, Result};

use crate::GatewayState;
use request::{RestRequest, Target};

/// The routes of the data API.
pub fn router(state: GatewayState) -> Router {
    Router::new()
        .route("/rest/v1", any(answer))
        .route("/rest/v1/", any(answer))
        .route("/rest/v1/{*path}", any(answer))
        .with_state(state)
}

async fn answer(State(state): State<GatewayState>, request: Request) -> Response {
    let anonymous_role = &state.settings.rest.anon_role;
    let mut anonymous = false;
    let answered = async {
        let request = RestRequest::read(&state, request).await?;
        anonymous = request.cx.identity().is_some_and(|identity| identity.role == *anonymous_role);
        dispatch(&state, request).await
    }
    .await;
    match answered {
        Ok(response) => response,
        Err(error) => error::respond(&error, anonymous),
    }
}

async fn dispatch(state: &GatewayState, request: RestRequest) -> Result<Response<Body>> {
    match (&request.target, &request.method) {
        (_, &Method::OPTIONS) => options::answer(state, &request).await,
        (Target::Root, &Method::GET | &Method::HEAD) => openapi::answer(state, request).await,
        (Target::Function(_), &Method::GET | &Method::HEAD | &Method::POST) => {
            call::answer(state, request).await
        }
        (Target::Table(_), &Method::GET | &Method::HEAD) => read::answer(state, request).await,
        (Target::Table(_), &Method::POST) => write::insert(state, request).await,
        (Target::Table(_), &Method::PUT) => write::put(state, request).await,
        (Target::Table(_), &Method::PATCH) => write::update(state, request).await,
        (Target::Table(_), &Method::DELETE) => write::delete(state, request).await,
        (Target::Function(_), method) => {
            let message = format!("Cannot use the {method} method on RPC");
            Err(Error::new(ErrorKind::InvalidInput, "PGRST101", message))
        }
        (_, method) => {
            Err(Error::new(ErrorKind::InvalidInput, "PGRST117", format!("Unsupported HTTP method: {method}")))
        }
    }
}
