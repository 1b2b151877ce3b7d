//! The calling user.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use truststream_kernel::Secret;
use truststream_services::auth::{GetUser, Object, UpdateUser};

use super::AuthApi;
use super::body::read;
use super::reply::{Reply, json_reply};

pub(super) async fn show(State(api): State<AuthApi>, headers: HeaderMap) -> Reply {
    let auth = api.as_caller(&headers).await?;
    json_reply(&auth.send(GetUser).await?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changes {
    email: Option<String>,
    phone: Option<String>,
    password: Option<Secret>,
    data: Option<Object>,
    app_metadata: Option<Object>,
}

pub(super) async fn update(State(api): State<AuthApi>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let auth = api.as_caller(&parts.headers).await?;
    api.limits.user.count(api.address(&parts))?;
    let changes: Changes = read(&parts.headers, body).await?;
    let update = UpdateUser {
        email: changes.email,
        phone: changes.phone,
        password: changes.password,
        data: changes.data,
        app_metadata: changes.app_metadata,
    };
    json_reply(&auth.send(update).await?)
}
