//! Requests to the data API as steps of one transaction.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Page, Returning, Step};

use super::accept::negotiate;
use super::body::whole;
use super::request::{RestRequest, Target};
use super::{call, error, read, write};
use crate::GatewayState;

/// A request that is a step of several, and what its reply depends on.
pub(crate) struct RestStep {
    /// The step.
    pub(crate) step: Step,
    shows: bool,
    creates: bool,
}

impl RestStep {
    /// Reads a request as the data API would, without answering it.
    ///
    /// # Errors
    /// As the data API reports them; PGRST117 for a method that is no read or write.
    pub(crate) async fn read(state: &GatewayState, request: Request) -> Result<Self> {
        let request = RestRequest::read(state, request).await?;
        let mut accepted = negotiate(request.header("accept"), false)?;
        let format = accepted.drain(..).next().map(|accepted| accepted.format).unwrap_or_default();
        let returned = request.prefer.returning == Some(Returning::Representation);
        let (mut step, shows): (Step, bool) = match (&request.target, &request.method) {
            (Target::Table(_), &Method::GET) => (read::selection(state, &request)?.into(), true),
            (Target::Table(_), &Method::POST) => (write::insertion(state, &request).await?.into(), returned),
            (Target::Table(_), &Method::PUT) => (write::replacement(state, &request).await?.into(), returned),
            (Target::Table(_), &Method::PATCH) => (write::change(state, &request).await?.into(), returned),
            (Target::Table(_), &Method::DELETE) => (write::removal(state, &request)?.into(), returned),
            (Target::Function(_), &Method::GET | &Method::POST) => {
                (call::invocation(state, &request).await?.into(), true)
            }
            (_, method) => {
                let message = format!("Unsupported HTTP method: {method}");
                return Err(Error::new(ErrorKind::InvalidInput, "PGRST117", message));
            }
        };
        if let Some(asked) = step.format_mut() {
            *asked = format;
        }
        Ok(RestStep { step, shows, creates: request.method == Method::POST })
    }

    /// The status that the data API gives the reply.
    pub(crate) fn status(&self, page: &Page) -> StatusCode {
        if let Some(asked) = page.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            return asked;
        }
        match &self.step {
            Step::Insert(_) if self.creates || page.inserted.is_some_and(|rows| rows > 0) => {
                StatusCode::CREATED
            }
            _ if self.shows => StatusCode::OK,
            _ => StatusCode::NO_CONTENT,
        }
    }

    /// What of the page belongs into the reply.
    pub(crate) fn body(&self, page: &Page) -> Bytes {
        if self.shows { page.body.clone() } else { Bytes::new() }
    }
}

/// Who sends a request of several, with its body.
///
/// # Errors
/// As the data API reports them.
pub(crate) async fn envelope(
    state: &GatewayState,
    request: Request,
) -> Result<(Context, Arc<HeaderMap>, Bytes)> {
    let request = RestRequest::read(state, request).await?;
    let body = whole(&request.body).await?;
    Ok((request.cx, request.headers, body))
}

/// The reply to several requests of which one failed.
pub(crate) fn respond(state: &GatewayState, failure: &Error, cx: Option<&Context>) -> Response<Body> {
    let mut response = error::respond_of_several(failure, is_anonymous(state, cx));
    // The steps that were compared stand in the request: the caller can look again and repeat it.
    if failure.kind() == ErrorKind::Conflict {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    response
}

/// The reply to a statement that failed.
pub(crate) fn respond_alone(state: &GatewayState, failure: &Error, cx: Option<&Context>) -> Response<Body> {
    error::respond(failure, is_anonymous(state, cx))
}

fn is_anonymous(state: &GatewayState, cx: Option<&Context>) -> bool {
    let identity = cx.and_then(|cx| cx.identity());
    identity.is_some_and(|identity| identity.role == state.settings.rest.anon_role)
}

/// The headers that tell who is asking.
pub(crate) const CREDENTIALS: [header::HeaderName; 2] =
    [header::AUTHORIZATION, header::HeaderName::from_static("apikey")];
