//! Second factors.

use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use truststream_kernel::Secret;
use truststream_services::auth::{
    AdminDeleteFactor, AdminListFactors, ChallengeFactor, EnrollFactor, UnenrollFactor, VerifyFactor,
};

use super::AuthApi;
use super::body::read;
use super::reply::{Reply, json_reply};

#[derive(Default, Deserialize)]
#[serde(default)]
struct EnrollBody {
    factor_type: String,
    friendly_name: Option<String>,
    issuer: Option<String>,
    phone: Option<String>,
}

pub(super) async fn enroll(State(api): State<AuthApi>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let auth = api.as_caller(&parts.headers).await?;
    api.limits.user.count(api.address(&parts))?;
    let body: EnrollBody = read(&parts.headers, body).await?;
    let enroll = EnrollFactor {
        factor_type: body.factor_type,
        friendly_name: body.friendly_name.unwrap_or_default(),
        issuer: body.issuer,
        phone: body.phone,
    };
    json_reply(&auth.send(enroll).await?)
}

pub(super) async fn challenge(
    State(api): State<AuthApi>,
    Path(factor): Path<String>,
    request: Request,
) -> Reply {
    let (parts, _) = request.into_parts();
    let auth = api.as_caller(&parts.headers).await?;
    api.limits.user.count(api.address(&parts))?;
    json_reply(&auth.send(ChallengeFactor { factor, client: api.client(&parts) }).await?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VerifyBody {
    challenge_id: String,
    code: Option<Secret>,
}

pub(super) async fn verify(
    State(api): State<AuthApi>,
    Path(factor): Path<String>,
    request: Request,
) -> Reply {
    let (parts, body) = request.into_parts();
    let cx = api.caller(&parts.headers).await?;
    api.limits.code.count(api.address(&parts))?;
    if let Some(user) = cx.identity().and_then(|identity| identity.subject()) {
        api.limits.code_of_user.count_of(&user.to_owned())?;
    }
    let body: VerifyBody = read(&parts.headers, body).await?;
    let verify = VerifyFactor {
        factor,
        challenge: body.challenge_id,
        code: body.code.unwrap_or_default(),
        client: api.client(&parts),
    };
    json_reply(&api.state.services.auth.with(cx).send(verify).await?)
}

pub(super) async fn unenroll(
    State(api): State<AuthApi>,
    Path(factor): Path<String>,
    headers: HeaderMap,
) -> Reply {
    let auth = api.as_caller(&headers).await?;
    let id = factor.clone();
    auth.send(UnenrollFactor { factor }).await?;
    json_reply(&json!({ "id": id }))
}

pub(super) async fn list(State(api): State<AuthApi>, Path(user): Path<String>, headers: HeaderMap) -> Reply {
    let auth = api.as_admin(&headers).await?;
    json_reply(&auth.send(AdminListFactors { user }).await?)
}

pub(super) async fn remove(
    State(api): State<AuthApi>,
    Path((user, factor)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    let auth = api.as_admin(&headers).await?;
    json_reply(&auth.send(AdminDeleteFactor { user, factor }).await?)
}
