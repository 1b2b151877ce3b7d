//! What goes beyond the protocols of others: `/truststream/v1`, as `docs/api.md` describes it.

mod atomic;
mod query;

#[cfg(test)]
pub(crate) mod tests;

use axum::Router;
use axum::routing::post;

use crate::GatewayState;

/// The routes of TrustStream's own API.
pub fn router(state: GatewayState) -> Router {
    Router::new()
        .route("/truststream/v1/atomic", post(atomic::answer))
        .route("/truststream/v1/query", post(query::answer))
        .with_state(state)
}
