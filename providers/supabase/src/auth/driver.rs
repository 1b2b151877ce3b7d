//! The driver.

use jsonwebtoken::DecodingKey;
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, FeatureSet, Features, Identity, Result, Secret};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteFactor, AdminDeleteUser, AdminGetUser, AdminListFactors, AdminListUsers,
    AdminUpdateUser, AuthDriver, AuthFeature, Authenticate, Challenge, ChallengeFactor, Client as Caller,
    EnrollFactor, EnrolledFactor, Factor, GetUser, PublicKeys, PublicSettings, Refresh, Session, Settings,
    SignInWithPassword, SignOut, SignOutScope, SignUp, SignedUp, UnenrollFactor, UpdateUser, User,
    UserAttributes, UserPage, VerifyFactor,
};

use super::keys::ProjectKeys;
use crate::Config;
use crate::client::{Client, Reply, ask, json as decode, with_json};
use crate::error::{malformed, of_auth_api};

/// The users of a remote project.
pub struct RemoteAuth {
    pub(super) client: Client,
    /// Verifies tokens here; without it the project is asked.
    pub(super) secret: Option<DecodingKey>,
    pub(super) keys: ProjectKeys,
}

impl RemoteAuth {
    /// What the project can do.
    pub fn declares() -> Features {
        Features { native: FeatureSet::all::<AuthFeature>(), emulated: FeatureSet::EMPTY }
    }

    /// The users of a project; nothing is sent yet.
    ///
    /// # Errors
    /// `BACKEND_002` for a URL that is none.
    pub fn new(config: &Config) -> Result<Self> {
        let secret = config.jwt_secret.as_ref();
        let secret = secret.map(|secret| DecodingKey::from_secret(secret.expose().as_bytes()));
        Ok(RemoteAuth { client: Client::new(config)?, secret, keys: ProjectKeys::default() })
    }

    /// A request of nobody known.
    fn open(&self, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        self.client.with_bearer(self.client.credentials().api_key(), method, path)
    }

    async fn admin(&self, cx: &Context, method: Method, id: &str, body: Option<Json>) -> Result<User> {
        let writes = method != Method::GET;
        let request = self.client.request(cx, method, &["auth", "v1", "admin", "users", id])?;
        let request = match &body {
            Some(body) => with_json(request, body),
            None => request,
        };
        user(&ask(request, writes, of_auth_api).await?)
    }
}

fn from(request: RequestBuilder, caller: &Caller) -> RequestBuilder {
    match &caller.user_agent {
        Some(agent) => request.header("user-agent", agent),
        None => request,
    }
}

/// A JSON object of what there is.
fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(members.collect())
}

fn text(value: &Option<String>) -> Option<Json> {
    value.as_deref().map(Json::from)
}

fn secret(value: &Option<Secret>) -> Option<Json> {
    value.as_ref().map(|secret| Json::from(secret.expose()))
}

fn attributes(op: &UserAttributes) -> Json {
    object([
        ("role", text(&op.role)),
        ("email", text(&op.email)),
        ("phone", text(&op.phone)),
        ("password", secret(&op.password)),
        ("password_hash", secret(&op.password_hash)),
        ("email_confirm", op.email_confirm.then_some(Json::Bool(true))),
        ("phone_confirm", op.phone_confirm.then_some(Json::Bool(true))),
        ("user_metadata", op.user_metadata.clone().map(Json::Object)),
        ("app_metadata", op.app_metadata.clone().map(Json::Object)),
        ("ban_duration", text(&op.ban_duration)),
    ])
}

fn user(reply: &Reply) -> Result<User> {
    complete(decode(reply)?)
}

/// A user, with what the project leaves out or has as null.
fn complete(mut user: Map<String, Json>) -> Result<User> {
    let defaults = json!({
        "aud": "", "role": "", "email": "", "phone": "", "app_metadata": {}, "user_metadata": {},
        "identities": [], "factors": [], "created_at": "", "updated_at": "", "is_anonymous": false,
    });
    for (name, default) in defaults.as_object().into_iter().flatten() {
        let value = user.entry(name.clone()).or_insert(Json::Null);
        if value.is_null() {
            *value = default.clone();
        }
    }
    serde_json::from_value(Json::Object(user)).map_err(malformed)
}

fn session(reply: &Reply) -> Result<Session> {
    let mut session: Map<String, Json> = decode(reply)?;
    if let Some(Json::Object(found)) = session.remove("user") {
        session.insert("user".to_owned(), serde_json::to_value(complete(found)?).map_err(malformed)?);
    }
    serde_json::from_value(Json::Object(session)).map_err(malformed)
}

impl AuthDriver for RemoteAuth {
    fn features(&self) -> Features {
        RemoteAuth::declares()
    }

    async fn authenticate(&self, _: &Context, op: &Authenticate) -> Result<Identity> {
        self.verify(&op.token).await
    }

    async fn sign_up(&self, _: &Context, op: &SignUp) -> Result<SignedUp> {
        let body = object([
            ("email", text(&op.email)),
            ("phone", text(&op.phone)),
            ("password", secret(&op.password)),
            ("data", Some(Json::Object(op.data.clone()))),
        ]);
        let request = from(self.open(Method::POST, &["auth", "v1", "signup"])?, &op.client);
        let reply = ask(with_json(request, &body), true, of_auth_api).await?;
        let signed_in = decode::<Map<String, Json>>(&reply)?.contains_key("access_token");
        if signed_in {
            session(&reply).map(SignedUp::Session)
        } else {
            user(&reply).map(SignedUp::Unconfirmed)
        }
    }

    async fn sign_in_with_password(&self, _: &Context, op: &SignInWithPassword) -> Result<Session> {
        let password = Some(Json::from(op.password.expose()));
        let body = object([("email", text(&op.email)), ("phone", text(&op.phone)), ("password", password)]);
        let request = from(self.open(Method::POST, &["auth", "v1", "token"])?, &op.client);
        let request = with_json(request.query(&[("grant_type", "password")]), &body);
        session(&ask(request, true, of_auth_api).await?)
    }

    async fn refresh(&self, _: &Context, op: &Refresh) -> Result<Session> {
        let body = json!({ "refresh_token": op.refresh_token.expose() });
        let request = from(self.open(Method::POST, &["auth", "v1", "token"])?, &op.client);
        let request = with_json(request.query(&[("grant_type", "refresh_token")]), &body);
        session(&ask(request, true, of_auth_api).await?)
    }

    async fn get_user(&self, cx: &Context, _: &GetUser) -> Result<User> {
        let request = self.client.request(cx, Method::GET, &["auth", "v1", "user"])?;
        user(&ask(request, false, of_auth_api).await?)
    }

    async fn update_user(&self, cx: &Context, op: &UpdateUser) -> Result<User> {
        let body = object([
            ("email", text(&op.email)),
            ("phone", text(&op.phone)),
            ("password", secret(&op.password)),
            ("data", op.data.clone().map(Json::Object)),
            ("app_metadata", op.app_metadata.clone().map(Json::Object)),
        ]);
        let request = self.client.request(cx, Method::PUT, &["auth", "v1", "user"])?;
        user(&ask(with_json(request, &body), true, of_auth_api).await?)
    }

    async fn sign_out(&self, cx: &Context, op: &SignOut) -> Result<()> {
        let scope = match op.scope {
            SignOutScope::Global => "global",
            SignOutScope::Local => "local",
            SignOutScope::Others => "others",
        };
        let request = self.client.request(cx, Method::POST, &["auth", "v1", "logout"])?;
        ask(request.query(&[("scope", scope)]), true, of_auth_api).await.map(drop)
    }

    async fn enroll_factor(&self, cx: &Context, op: &EnrollFactor) -> Result<EnrolledFactor> {
        let body = object([
            ("factor_type", Some(Json::from(op.factor_type.as_str()))),
            ("friendly_name", Some(Json::from(op.friendly_name.as_str()))),
            ("issuer", text(&op.issuer)),
            ("phone", text(&op.phone)),
        ]);
        let request = self.client.request(cx, Method::POST, &["auth", "v1", "factors"])?;
        decode(&ask(with_json(request, &body), true, of_auth_api).await?)
    }

    async fn challenge_factor(&self, cx: &Context, op: &ChallengeFactor) -> Result<Challenge> {
        let path = ["auth", "v1", "factors", &op.factor, "challenge"];
        let request = from(self.client.request(cx, Method::POST, &path)?, &op.client);
        decode(&ask(with_json(request, &json!({})), true, of_auth_api).await?)
    }

    async fn verify_factor(&self, cx: &Context, op: &VerifyFactor) -> Result<Session> {
        let path = ["auth", "v1", "factors", &op.factor, "verify"];
        let body = json!({ "challenge_id": op.challenge, "code": op.code.expose() });
        let request = from(self.client.request(cx, Method::POST, &path)?, &op.client);
        session(&ask(with_json(request, &body), true, of_auth_api).await?)
    }

    async fn unenroll_factor(&self, cx: &Context, op: &UnenrollFactor) -> Result<()> {
        let request = self.client.request(cx, Method::DELETE, &["auth", "v1", "factors", &op.factor])?;
        ask(request, true, of_auth_api).await.map(drop)
    }

    async fn admin_list_factors(&self, cx: &Context, op: &AdminListFactors) -> Result<Vec<Factor>> {
        let path = ["auth", "v1", "admin", "users", &op.user, "factors"];
        decode(&ask(self.client.request(cx, Method::GET, &path)?, false, of_auth_api).await?)
    }

    async fn admin_delete_factor(&self, cx: &Context, op: &AdminDeleteFactor) -> Result<Factor> {
        let path = ["auth", "v1", "admin", "users", &op.user, "factors", &op.factor];
        decode(&ask(self.client.request(cx, Method::DELETE, &path)?, true, of_auth_api).await?)
    }

    async fn admin_create_user(&self, cx: &Context, op: &AdminCreateUser) -> Result<User> {
        let mut body = attributes(&op.attributes);
        if let Some(id) = &op.id {
            body["id"] = Json::from(id.as_str());
        }
        let request = self.client.request(cx, Method::POST, &["auth", "v1", "admin", "users"])?;
        user(&ask(with_json(request, &body), true, of_auth_api).await?)
    }

    async fn admin_list_users(&self, cx: &Context, op: &AdminListUsers) -> Result<UserPage> {
        let mut query = vec![("page", op.page.to_string()), ("per_page", op.per_page.to_string())];
        query.extend(op.filter.clone().map(|filter| ("filter", filter)));
        let request = self.client.request(cx, Method::GET, &["auth", "v1", "admin", "users"])?;
        let reply = ask(request.query(&query), false, of_auth_api).await?;
        let total = reply.header("x-total-count").and_then(|total| total.parse().ok());
        let mut page: Map<String, Json> = decode(&reply)?;
        let aud = page.get("aud").and_then(Json::as_str).unwrap_or_default().to_owned();
        let found: Vec<Map<String, Json>> =
            serde_json::from_value(page.remove("users").unwrap_or_default()).map_err(malformed)?;
        let users: Vec<User> = found.into_iter().map(complete).collect::<Result<_>>()?;
        Ok(UserPage { total: total.unwrap_or(users.len() as u64), users, aud })
    }

    async fn admin_get_user(&self, cx: &Context, op: &AdminGetUser) -> Result<User> {
        self.admin(cx, Method::GET, &op.id, None).await
    }

    async fn admin_update_user(&self, cx: &Context, op: &AdminUpdateUser) -> Result<User> {
        self.admin(cx, Method::PUT, &op.id, Some(attributes(&op.attributes))).await
    }

    async fn admin_delete_user(&self, cx: &Context, op: &AdminDeleteUser) -> Result<()> {
        let request = self.client.request(cx, Method::DELETE, &["auth", "v1", "admin", "users", &op.id])?;
        let request = with_json(request, &json!({ "should_soft_delete": op.soft }));
        ask(request, true, of_auth_api).await.map(drop)
    }

    async fn settings(&self, _: &Context, _: &Settings) -> Result<PublicSettings> {
        decode(&ask(self.open(Method::GET, &["auth", "v1", "settings"])?, false, of_auth_api).await?)
    }

    async fn public_keys(&self, _: &Context, _: &PublicKeys) -> Result<Json> {
        let path = ["auth", "v1", ".well-known", "jwks.json"];
        decode(&ask(self.open(Method::GET, &path)?, false, of_auth_api).await?)
    }
}
