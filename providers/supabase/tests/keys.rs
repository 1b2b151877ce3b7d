//! Projects that sign with a key of their own instead of a secret that is shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use truststream_kernel::{Context, Driven, ErrorKind, Handle, Identity, Result};
use truststream_services::auth::{Auth, Authenticate};
use truststream_supabase::{Config, RemoteAuth};

const FIRST: &str = include_str!("keys/first.pem");
const SECOND: &str = include_str!("keys/second.pem");
/// 2032-11-11
const LATE: u64 = 1_983_812_996;

/// A project that tells nothing but its keys.
struct Project {
    listed: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
    auth: Auth,
}

impl Project {
    async fn start(keys: &[(&str, &str)]) -> Project {
        let (listed, asked) = (Arc::new(Mutex::new(set(keys))), Arc::new(AtomicUsize::new(0)));
        let (state, count) = (Arc::clone(&listed), Arc::clone(&asked));
        let answer = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            Json(state.lock().clone())
        };
        let router = Router::new().route("/auth/v1/.well-known/jwks.json", get(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config =
            Config { jwt_secret: Some("s".repeat(40).as_str().into()), ..Config::new(url, "service") };
        let auth = Handle::new(Arc::new(Driven(RemoteAuth::new(&config).unwrap())), Context::system());
        Project { listed, asked, auth }
    }

    async fn authenticate(&self, token: &str) -> Result<Identity> {
        self.auth.send(Authenticate { token: token.to_owned() }).await
    }

    async fn refuses(&self, token: &str, code: &str, message: &str) {
        let error = self.authenticate(token).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, code), "{error}");
        assert_eq!(error.message(), message);
    }
}

fn set(keys: &[(&str, &str)]) -> Value {
    let one = |(kid, pem): &(&str, &str)| {
        let mut jwk = Jwk::from_encoding_key(&private(pem), Algorithm::ES256).unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
        serde_json::to_value(jwk).unwrap()
    };
    json!({ "keys": keys.iter().map(one).collect::<Vec<_>>() })
}

fn private(pem: &str) -> EncodingKey {
    EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()
}

fn token(kid: Option<&str>, pem: &str, expires: u64) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
    encode(&header, &json!({ "sub": "ada", "role": "authenticated", "exp": expires }), &private(pem)).unwrap()
}

#[tokio::test]
async fn tokens_are_believed_by_the_keys_that_the_project_tells() {
    let project = Project::start(&[("a", FIRST)]).await;
    let ada = project.authenticate(&token(Some("a"), FIRST, LATE)).await.unwrap();
    assert_eq!((ada.role.as_str(), ada.subject()), ("authenticated", Some("ada")));
    for _ in 0..5 {
        project.authenticate(&token(Some("a"), FIRST, LATE)).await.unwrap();
    }
    assert_eq!(project.asked.load(Ordering::SeqCst), 1, "keys are kept");
    project.refuses(&token(Some("a"), FIRST, 1), "PGRST303", "JWT expired").await;
    project.refuses(&token(Some("a"), SECOND, LATE), "PGRST301", "No suitable key or wrong key type").await;
    project.refuses(&token(None, FIRST, LATE), "PGRST301", "No suitable key or wrong key type").await;
}

#[tokio::test]
async fn keys_change_while_it_runs_and_strangers_can_not_make_it_ask_at_will() {
    let project = Project::start(&[("a", FIRST)]).await;
    let began = Instant::now();
    project.authenticate(&token(Some("a"), FIRST, LATE)).await.unwrap();
    let new = token(Some("b"), SECOND, LATE);
    for _ in 0..20 {
        project.refuses(&new, "PGRST301", "No suitable key or wrong key type").await;
    }
    let asked = project.asked.load(Ordering::SeqCst);
    assert!(asked as u64 <= 1 + began.elapsed().as_secs() / 2, "once in two seconds, not {asked} times");
    *project.listed.lock() = set(&[("b", SECOND)]);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    project.authenticate(&new).await.unwrap();
    assert_eq!(project.asked.load(Ordering::SeqCst), asked + 1);
    // Told with the new one, that the old one is gone.
    let old = token(Some("a"), FIRST, LATE);
    project.refuses(&old, "PGRST301", "No suitable key or wrong key type").await;
}

#[tokio::test]
async fn a_public_key_is_no_secret_and_secrets_are_not_listed() {
    let project = Project::start(&[("a", FIRST)]).await;
    let listed = project.listed.lock()["keys"][0].to_string();
    // Signed with the text of the public key, as if it were a secret.
    let header = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
    let claims = json!({ "sub": "ada", "role": "service_role", "exp": LATE });
    let forged = encode(&header, &claims, &EncodingKey::from_secret(listed.as_bytes())).unwrap();
    project.refuses(&forged, "PGRST301", "No suitable key or wrong key type").await;
    // A symmetric key in the list, and one without its algorithm, are nobody's.
    let symmetric = json!({ "kty": "oct", "kid": "c", "alg": "HS256", "k": "c2VjcmV0" });
    let mut nameless = set(&[("d", SECOND)])["keys"][0].clone();
    nameless.as_object_mut().unwrap().remove("alg");
    *project.listed.lock() = json!({ "keys": [symmetric, nameless, { "kty": "new" }] });
    project.refuses(&token(Some("d"), SECOND, LATE), "PGRST301", "No suitable key or wrong key type").await;
    assert_eq!(project.asked.load(Ordering::SeqCst), 1);
}
