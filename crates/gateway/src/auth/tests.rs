//! The wire, with a service behind it that says what a test wants.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{BoxFuture, Call, Context, Error, ErrorKind, Features, Identity, Result, Service};
use truststream_services::auth::{Auth, AuthOp, AuthReply, AuthService, User, UserPage};

use crate::{ApiKeys, GatewayState, Identities, Peer, Services, Settings};

type Answer = fn(&AuthOp) -> Result<AuthReply>;

/// Believes three tokens and answers everything else as told.
struct Told(Answer);

impl Call<AuthService> for Told {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, op: &'a AuthOp) -> BoxFuture<'a, Result<AuthReply>> {
        let answer = match op {
            AuthOp::Authenticate(op) => match &*op.token {
                role @ ("anon" | "authenticated" | "service_role") => {
                    Ok(AuthReply::Authenticate(Identity::new(role, Map::new())))
                }
                _ => Err(Error::new(
                    ErrorKind::Unauthenticated,
                    "PGRST301",
                    "No suitable key or wrong key type",
                )),
            },
            op => (self.0)(op),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Services that no auth request may reach.
struct Nothing;

impl<S: Service> Call<S> for Nothing {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, _: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(std::future::ready(Err(Error::internal("reached"))))
    }
}

struct Wire(TowerToHyperService<Router>);

struct Response {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Response {
    fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn refused(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error_code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Wire {
    fn new(answer: Answer) -> Self {
        Wire::with(Settings::default(), answer)
    }

    fn with(settings: Settings, answer: Answer) -> Self {
        let nobody = Context::system;
        let auth = Auth::new(Arc::new(Told(answer)), nobody());
        let services = Services {
            database: truststream_services::database::Database::new(Arc::new(Nothing), nobody()),
            auth: auth.clone(),
            storage: truststream_services::storage::Storage::new(Arc::new(Nothing), nobody()),
            realtime: truststream_services::realtime::Realtime::new(Arc::new(Nothing), nobody()),
        };
        let identities = Arc::new(Identities::new(auth, "anon", ApiKeys::default()));
        let state = GatewayState { services: Arc::new(services), identities, settings: Arc::new(settings) };
        Wire(TowerToHyperService::new(super::router(state)))
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::builder().method(method).uri(format!("/auth/v1{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 1], 4242))));
        let response = self.0.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Response { status: parts.status, headers: parts.headers, text }
    }

    async fn post(&self, path: &str, body: &str) -> Response {
        self.ask(Method::POST, path, &[], body).await
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        self.ask(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "").await
    }
}

fn wrong_password(_: &AuthOp) -> Result<AuthReply> {
    Err(Error::new(ErrorKind::InvalidInput, "invalid_credentials", "Invalid login credentials"))
}

const SIGN_IN: &str = "/token?grant_type=password";
const WRONG: &str = r#"{"email":"a@example.com","password":"wrong"}"#;

#[tokio::test]
async fn errors_have_the_format_that_is_asked_for() {
    let wire = Wire::new(wrong_password);
    let old = wire.post(SIGN_IN, WRONG).await;
    assert_eq!(old.status, 400);
    assert_eq!(
        old.json(),
        json!({ "code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials" })
    );
    assert_eq!(old.header("x-sb-error-code"), "invalid_credentials");
    assert_eq!(old.header("x-supabase-api-version"), "");
    let new = wire.ask(Method::POST, SIGN_IN, &[("x-supabase-api-version", "2024-01-01")], WRONG).await;
    assert_eq!(new.json(), json!({ "code": "invalid_credentials", "message": "Invalid login credentials" }));
    assert_eq!(new.header("x-supabase-api-version"), "2024-01-01");
    assert_eq!(new.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_weak_password_is_told_why() {
    let wire = Wire::new(|_| {
        let error =
            Error::new(ErrorKind::Constraint, "weak_password", "Password should be at least 6 characters.");
        Err(error.with_details(json!({ "reasons": ["length"] })))
    });
    let reply = wire.post("/signup", WRONG).await;
    assert_eq!(reply.refused(), (422, "weak_password".to_owned()));
    assert_eq!(reply.json()["weak_password"], json!({ "reasons": ["length"] }));
}

#[tokio::test]
async fn what_went_wrong_inside_stays_inside() {
    let wire = Wire::new(|_| Err(Error::internal("relation auth.users, column encrypted_password")));
    let reply = wire.post(SIGN_IN, WRONG).await;
    assert_eq!(reply.refused(), (500, "unexpected_failure".to_owned()));
    assert!(!reply.text.contains("encrypted_password"));
}

#[tokio::test]
async fn nobody_guesses_for_ever_whatever_address_he_claims() {
    let mut settings = Settings::default();
    settings.auth.rate_limit.sign_in_sign_ups = 3;
    let wire = Wire::with(settings.clone(), wrong_password);
    for _ in 0..3 {
        assert_eq!(wire.post(SIGN_IN, WRONG).await.status, 400);
    }
    let limited = wire.post(SIGN_IN, WRONG).await;
    assert_eq!(
        limited.json(),
        json!({ "code": 429, "error_code": "over_request_rate_limit", "msg": "Request rate limit reached" })
    );
    let forged = [("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "203.0.113.9")];
    assert_eq!(wire.ask(Method::POST, SIGN_IN, &forged, WRONG).await.status, 429);
    assert_eq!(wire.post("/signup", WRONG).await.status, 400, "signing up has a limit of its own");
    settings.gateway.trust_forwarded_for = true;
    let behind_proxy = Wire::with(settings, wrong_password);
    for n in 0..9 {
        let from = [("x-forwarded-for", &*format!("10.0.0.{n}, 203.0.113.{n}"))];
        assert_eq!(behind_proxy.ask(Method::POST, SIGN_IN, &from, WRONG).await.status, 400);
    }
}

#[tokio::test]
async fn operators_only() {
    let wire = Wire::new(|op| match op {
        AuthOp::AdminListUsers(op) => Ok(AuthReply::AdminListUsers(UserPage {
            users: vec![User { id: format!("{}/{}", op.page, op.per_page), ..User::default() }],
            total: 5,
            aud: "authenticated".to_owned(),
        })),
        _ => Err(Error::internal("reached")),
    });
    let none = wire.ask(Method::GET, "/admin/users", &[], "").await;
    assert_eq!(none.refused(), (401, "no_authorization".to_owned()));
    for (token, code) in [("anon", "not_admin"), ("authenticated", "not_admin"), ("forged", "bad_jwt")] {
        assert_eq!(wire.get("/admin/users", token).await.refused(), (403, code.to_owned()));
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = wire.ask(method, "/admin/users/x", &[("authorization", "Bearer anon")], "{}").await;
        assert_eq!(reply.refused(), (403, "not_admin".to_owned()));
    }
    let list = wire.get("/admin/users?page=2&per_page=2", "service_role").await;
    assert_eq!((list.status.as_u16(), list.header("x-total-count")), (200, "5"));
    assert_eq!(
        list.header("link"),
        "</admin/users?page=3&per_page=2>; rel=\"next\", </admin/users?page=3&per_page=2>; rel=\"last\""
    );
    assert_eq!(list.json()["users"][0]["id"], "2/2");
    for page in ["page=x", "per_page=0", "per_page=-1", "per_page=99999999999999999999", "page=1'--"] {
        let reply = wire.get(&format!("/admin/users?{page}"), "service_role").await;
        assert_eq!(reply.refused(), (400, "validation_failed".to_owned()), "{page}");
    }
}

#[tokio::test]
async fn callers_give_themselves_nothing() {
    let wire = Wire::new(|op| match op {
        AuthOp::SignUp(op) => {
            let all = format!("{op:?}");
            assert!(!all.contains("service_role") && !all.contains("hunter2"), "{all}");
            wrong_password(&AuthOp::GetUser(truststream_services::auth::GetUser))
        }
        _ => Err(Error::internal("reached")),
    });
    let body = json!({
        "email": "a@example.com",
        "password": "hunter2",
        "role": "service_role",
        "aud": "service_role",
        "id": "service_role",
        "app_metadata": { "role": "service_role" },
    });
    assert_eq!(wire.post("/signup", &body.to_string()).await.status, 400);
}

#[tokio::test]
async fn bodies_that_are_refused_before_anything_happens() {
    let wire = Wire::new(|_| Err(Error::internal("reached")));
    let refresh = "/token?grant_type=refresh_token";
    for body in [r#"{"email":"#, "no", "", "[]", r#"{"email":"a","email":"b"}"#] {
        for path in ["/signup", SIGN_IN, refresh] {
            assert_eq!(wire.post(path, body).await.refused(), (400, "bad_json".to_owned()), "{path} {body}");
        }
    }
    for (path, body) in [("/signup", r#"{"email":1}"#), (refresh, r#"{"refresh_token":[]}"#)] {
        assert_eq!(wire.post(path, body).await.refused(), (400, "bad_json".to_owned()), "{path} {body}");
    }
    let large = " ".repeat((1 << 20) + 1);
    assert_eq!(wire.post("/signup", &large).await.status, 413);
    let announced = [("content-length", "134217728")];
    assert_eq!(wire.ask(Method::POST, "/signup", &announced, "{}").await.status, 413);
}

#[tokio::test]
async fn oauth_errors_are_as_oauth_has_them() {
    let wire = Wire::new(|_| Err(Error::internal("reached")));
    let reply = wire.post("/token?grant_type=magic", "{}").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (400, json!({ "error": "unsupported_grant_type" })));
    let reply = wire.post("/token?grant_type=refresh_token", r#"{"refresh_token":""}"#).await;
    let expected = json!({ "error": "invalid_request", "error_description": "refresh_token required" });
    assert_eq!((reply.status.as_u16(), reply.json()), (400, expected));
}

#[tokio::test]
async fn what_is_not_here_says_so_in_json() {
    let wire = Wire::new(|_| Err(Error::internal("reached")));
    for (method, path, status, code) in [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::DELETE, "/signup", 405, "validation_failed"),
        (Method::POST, "/recover", 400, "email_provider_disabled"),
        (Method::POST, "/otp", 422, "otp_disabled"),
        (Method::GET, "/verify?token=x&type=signup", 403, "otp_expired"),
        (Method::POST, "/factors", 401, "no_authorization"),
        (Method::PUT, "/factors", 405, "validation_failed"),
        (Method::GET, "/authorize?provider=github", 400, "validation_failed"),
        (Method::POST, "/logout?scope=moon", 401, "no_authorization"),
    ] {
        let reply = wire.ask(method, path, &[], "").await;
        assert_eq!(reply.refused(), (status, code.to_owned()), "{path}");
    }
    let scope =
        wire.ask(Method::POST, "/logout?scope=moon", &[("authorization", "Bearer authenticated")], "").await;
    assert_eq!(scope.refused(), (400, "validation_failed".to_owned()));
}
