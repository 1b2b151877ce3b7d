//! A remote project, which has neither a feed of changes nor a place for one: a switch from it or to
//! it is refused before anything is touched.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;
use truststream_gateway::{ApiKeys, GatewayState, Identities, Listening, Services, Settings, app};
use truststream_kernel::{ErrorKind, Secret};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Insert, Migrate, TableName};

use super::content::{read, same};
use super::servers::{Engine, Servers};

const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

const SCHEMA: &str = "create table notes (id bigint primary key, body text not null);";

/// A project that serves as long as this value lives: our own gateway, on PostgreSQL.
struct Remote {
    inside: Arc<Runtime>,
    settings: String,
    _serving: oneshot::Sender<()>,
}

impl Remote {
    async fn start(servers: &Servers) -> Self {
        let text =
            format!("[auth]\njwt_secret = \"{SECRET}\"\n{}", servers.backend("main", Engine::Postgres));
        let config = Config::from_text(Path::new(""), &text).unwrap();
        let settings = Settings::read(&config).unwrap();
        let listening = Listening::bind(0).await.unwrap();
        let url = format!("http://127.0.0.1:{}", listening.port());
        let inside = Runtime::open_in_memory(config).await.unwrap();
        let services = Services {
            database: inside.database().clone(),
            auth: inside.auth().clone(),
            storage: inside.storage().clone(),
            realtime: inside.realtime().clone(),
        };
        let key = inside.keys().api_key("service_role").unwrap();
        let keys = ApiKeys { service_role: Some(Secret::new(key.clone())), ..ApiKeys::default() };
        let identities = Identities::new(services.auth.clone(), &settings.rest.anon_role, keys);
        let state = GatewayState {
            services: Arc::new(services),
            identities: Arc::new(identities),
            settings: Arc::new(settings),
        };
        let (serving, gone) = oneshot::channel();
        tokio::spawn(listening.serve(app(state), async move { gone.await.unwrap_or(()) }));
        let one = |service: &str| {
            format!(
                "[backend.far.{service}]\nprovider = \"supabase\"\nurl = \"{url}\"\nservice_key = \"{key}\"\n"
            )
        };
        let settings = ["database", "auth", "storage"].map(one).concat();
        fill(&inside).await;
        Remote { inside, settings, _serving: serving }
    }
}

async fn fill(runtime: &Runtime) {
    let migrate = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    let row = json!({ "id": 1, "body": "kept" }).to_string();
    runtime.database().send(Insert::new(TableName::public("notes"), row)).await.unwrap();
}

/// Both ways of asking are refused in words, and both sides are as they were.
async fn refused(active: &str, to: &str) {
    let servers = Servers::start(&[Engine::Postgres]);
    let remote = Remote::start(&servers).await;
    let near = servers.backend("near", Engine::Postgres);
    let text = format!("active = \"{active}\"\n[auth]\njwt_secret = \"{SECRET}\"\n{near}{}", remote.settings);
    let runtime = Runtime::open_in_memory(Config::from_text(Path::new(""), &text).unwrap()).await.unwrap();
    if active == "near" {
        fill(&runtime).await;
    }
    let before = (read(&runtime, "near", &[]).await, read(&remote.inside, "main", &[]).await);
    let plan = runtime.switcher().plan(to).await.unwrap();
    let far = plan.problems.iter().find(|problem| problem.statement == "backend far").unwrap();
    assert!(far.reason.contains("a remote project's data API"), "{far:?}");
    let error = runtime.switcher().start(to, runtime.switch_options()).await.err().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"));
    assert!(runtime.switcher().latest().await.unwrap().is_none(), "a switch was begun");
    assert_eq!(runtime.route().owner, active);
    same("this side", &before.0, &read(&runtime, "near", &[]).await).unwrap();
    same("the remote side", &before.1, &read(&remote.inside, "main", &[]).await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_is_refused_as_a_target() {
    refused("near", "far").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_is_refused_as_a_source() {
    refused("far", "near").await;
}
