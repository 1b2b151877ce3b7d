//! Signing up, in and out, and refreshing.

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use truststream_kernel::{Error, ErrorKind, Secret};
use truststream_services::auth::{
    Object, Refresh, SignInWithPassword, SignOut, SignOutScope, SignUp, SignedUp,
};

use super::AuthApi;
use super::body::read;
use super::reply::{Refusal, Reply, json_reply};

#[derive(Default, Deserialize)]
#[serde(default)]
struct SignUpBody {
    email: Option<String>,
    phone: Option<String>,
    password: Option<Secret>,
    data: Option<Object>,
}

pub(super) async fn sign_up(State(api): State<AuthApi>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let body: SignUpBody = read(&parts.headers, body).await?;
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let anonymous = !given(&body.email) && !given(&body.phone);
    let limit = if anonymous { &api.limits.anonymous } else { &api.limits.sign_up };
    limit.count(api.address(&parts))?;
    let sign_up = SignUp {
        email: body.email,
        phone: body.phone,
        password: body.password,
        data: body.data.unwrap_or_default(),
        client: api.client(&parts),
    };
    match api.as_anyone().send(sign_up).await? {
        SignedUp::Session(session) => json_reply(&session),
        SignedUp::Unconfirmed(user) => json_reply(&user),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Grant {
    grant_type: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PasswordBody {
    email: Option<String>,
    phone: Option<String>,
    password: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefreshBody {
    refresh_token: Option<Secret>,
}

pub(super) async fn token(State(api): State<AuthApi>, Query(grant): Query<Grant>, request: Request) -> Reply {
    match &*grant.grant_type {
        "password" => password(api, request).await,
        "refresh_token" => refresh(api, request).await,
        "id_token" => Err(Refusal::from(Error::new(
            ErrorKind::InvalidInput,
            "provider_disabled",
            "Provider is not enabled",
        ))),
        "pkce" => Err(Refusal::from(Error::new(
            ErrorKind::NotFound,
            "flow_state_not_found",
            "invalid flow state, no valid flow state found",
        ))),
        "web3" => Err(Refusal::from(Error::new(
            ErrorKind::Unsupported,
            "web3_provider_disabled",
            "Web3 provider is disabled",
        ))),
        _ => Err(Refusal::oauth("unsupported_grant_type", "")),
    }
}

async fn password(api: AuthApi, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let body: PasswordBody = read(&parts.headers, body).await?;
    api.limits.sign_in.count(api.address(&parts))?;
    let sign_in = SignInWithPassword {
        email: body.email,
        phone: body.phone,
        password: body.password.unwrap_or_default(),
        client: api.client(&parts),
    };
    json_reply(&api.as_anyone().send(sign_in).await?)
}

async fn refresh(api: AuthApi, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let body: RefreshBody = read(&parts.headers, body).await?;
    let token = body.refresh_token.filter(|token| !token.expose().is_empty());
    let Some(refresh_token) = token else {
        return Err(Refusal::oauth("invalid_request", "refresh_token required"));
    };
    api.limits.refresh.count(api.address(&parts))?;
    let refresh = Refresh { refresh_token, client: api.client(&parts) };
    json_reply(&api.as_anyone().send(refresh).await?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    scope: String,
}

pub(super) async fn sign_out(
    State(api): State<AuthApi>,
    Query(scope): Query<Scope>,
    headers: HeaderMap,
) -> Reply {
    let auth = api.as_caller(&headers).await?;
    let scope = match &*scope.scope {
        "" | "global" => SignOutScope::Global,
        "local" => SignOutScope::Local,
        "others" => SignOutScope::Others,
        other => {
            let message = format!("Unsupported logout scope {other:?}");
            return Err(Error::new(ErrorKind::InvalidInput, "validation_failed", message).into());
        }
    };
    auth.send(SignOut { scope }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
