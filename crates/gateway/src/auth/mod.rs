//! The auth API: `/auth/v1`, as Supabase Auth (GoTrue) answers it.

mod absent;
mod admin;
mod body;
mod caller;
mod factors;
mod limits;
mod public;
mod reply;
mod session;
mod user;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::{any, delete, get, post};
use axum::{Router, middleware};
use truststream_kernel::{Error, ErrorKind};

use crate::GatewayState;
use limits::Limits;
use reply::Refusal;

/// What the handlers work with.
#[derive(Clone)]
struct AuthApi {
    state: GatewayState,
    limits: Arc<Limits>,
}

/// The routes of the auth API.
pub fn router(state: GatewayState) -> Router {
    let limits = Arc::new(Limits::new(&state.settings));
    let api = AuthApi { state, limits };
    let routes = Router::new()
        .route("/signup", post(session::sign_up))
        .route("/token", post(session::token))
        .route("/logout", post(session::sign_out))
        .route("/user", get(user::show).put(user::update))
        .route("/factors", post(factors::enroll))
        .route("/factors/{id}", delete(factors::unenroll))
        .route("/factors/{id}/challenge", post(factors::challenge))
        .route("/factors/{id}/verify", post(factors::verify))
        .route("/settings", get(public::settings))
        .route("/health", get(public::health))
        .route("/.well-known/jwks.json", get(public::keys))
        .route("/admin/users", get(admin::list).post(admin::create))
        .route("/admin/users/{id}", get(admin::show).put(admin::update).delete(admin::remove))
        .route("/admin/users/{id}/factors", get(factors::list))
        .route("/admin/users/{id}/factors/{factor}", delete(factors::remove));
    let routes = absent::ROUTES
        .iter()
        .fold(routes, |routes, (path, refusal)| routes.route(path, any(move || async move { refusal() })));
    let routes = routes
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(middleware::from_fn(reply::errors))
        .with_state(api);
    Router::new().nest("/auth/v1", routes)
}

async fn nowhere() -> Refusal {
    Refusal::from(Error::new(ErrorKind::NotFound, "not_found", "no such path below /auth/v1"))
}

async fn wrong_method() -> Refusal {
    let error = Error::new(ErrorKind::InvalidInput, "validation_failed", "Method Not Allowed");
    Refusal::with_status(StatusCode::METHOD_NOT_ALLOWED, error)
}
