//! A remote project, reached by its URL and keys only. With TrustStream's helper in it, it is a side like
//! any other; without, a switch from it or to it is refused before anything is touched.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use truststream_gateway::{ApiKeys, GatewayState, Identities, Listening, Services, Settings, app};
use truststream_kernel::{ErrorKind, Secret};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Describe, Insert, Migrate, TableName};
use truststream_switch::Strategy;

use super::app::{App, migrate_all};
use super::content::{read, same};
use super::servers::{Engine, Servers};
use super::story::live;
use crate::PATIENT;

const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

const SCHEMA: &str = "create table notes (id bigint primary key, body text not null);";

/// Longest that one strategy may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// A project that serves as long as this value lives: our own gateway, on PostgreSQL.
struct Remote {
    inside: Arc<Runtime>,
    url: String,
    key: String,
    _serving: oneshot::Sender<()>,
}

impl Remote {
    async fn start(database: &str) -> Self {
        let text = format!("{PATIENT}[auth]\njwt_secret = \"{SECRET}\"\n{database}");
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
        Remote { inside, url, key, _serving: serving }
    }

    /// Services of a backend that are this project's.
    fn settings(&self, backend: &str, services: &[&str]) -> String {
        let (url, key) = (&self.url, &self.key);
        let one = |service: &&str| {
            format!(
                "[backend.{backend}.{service}]\nprovider = \"supabase\"\nurl = \"{url}\"\nservice_key = \"{key}\"\n\
                 anon_key = \"{key}\"\njwt_secret = \"{SECRET}\"\n"
            )
        };
        services.iter().map(one).collect()
    }
}

const ALL: &[&str] = &["database", "auth", "storage"];

/// A project with the application's schema and the helper.
async fn helped(servers: &Servers, triggers: bool) -> Remote {
    let database = servers.backend("main", Engine::Postgres);
    let remote = Remote::start(&database).await;
    migrate_all(&remote.inside, triggers).await;
    let line = database.lines().find(|line| line.starts_with("url")).unwrap();
    let name = line.trim_end_matches('"').rsplit('/').next().unwrap();
    servers.sql(name, &truststream_runtime::remote_helper().unwrap());
    remote.inside.database_of(None).await.unwrap().send(Describe { fresh: true }).await.unwrap();
    remote
}

/// A database beside the project, which keeps accounts and files for both.
fn beside(servers: &Servers, name: &str, engine: Engine, remote: &Remote) -> String {
    let backend = servers.backend(name, engine);
    let database = backend.split(&format!("[backend.{name}.storage]")).next().unwrap();
    format!("{database}{}", remote.settings(name, &["auth", "storage"]))
}

/// The story of every pair, with each strategy.
async fn between(near: Engine, to_the_project: bool) {
    // By parts with one of each kind: reads are compared and moved above both sides.
    let by_parts = matches!(near, Engine::Sqlite | Engine::Mongodb).then_some(Strategy::Gradual);
    for strategy in [Strategy::BlueGreen, Strategy::Immediate].into_iter().chain(by_parts) {
        let servers = Servers::start(&[Engine::Postgres, near]);
        let triggers = near.has_triggers();
        let remote = helped(&servers, triggers).await;
        let far = if to_the_project { "cloud" } else { "main" };
        let near_name = if to_the_project { "main" } else { "cloud" };
        let text = format!(
            "active = \"main\"\n{PATIENT}[auth]\njwt_secret = \"{SECRET}\"\n{}{}",
            beside(&servers, near_name, near, &remote),
            remote.settings(far, ALL)
        );
        let config = Config::from_text(Path::new(""), &text).unwrap();
        let runtime = Runtime::open_in_memory(config).await.unwrap();
        if to_the_project {
            migrate_all(&runtime, triggers).await;
        }
        let app = App::fill(&runtime, triggers).await;
        let told = tokio::time::timeout(PATIENCE, Box::pin(live(&runtime, app, strategy))).await;
        let told = told.unwrap_or_else(|_| Err("it did not end".to_owned()));
        told.unwrap_or_else(|why| panic!("{near:?}, to the project {to_the_project}, {strategy:?}: {why}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_to_a_remote_project() {
    between(Engine::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_to_a_remote_project() {
    between(Engine::Postgres, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_to_sqlite() {
    between(Engine::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_to_postgres() {
    between(Engine::Postgres, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_to_a_remote_project() {
    between(Engine::Mongodb, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_to_mongodb() {
    between(Engine::Mongodb, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_to_a_remote_project() {
    between(Engine::Memory, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_to_memory() {
    between(Engine::Memory, false).await;
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
    let remote = Remote::start(&servers.backend("main", Engine::Postgres)).await;
    fill(&remote.inside).await;
    let (near, far) = (servers.backend("near", Engine::Postgres), remote.settings("far", ALL));
    let text = format!("active = \"{active}\"\n{PATIENT}[auth]\njwt_secret = \"{SECRET}\"\n{near}{far}");
    let runtime = Runtime::open_in_memory(Config::from_text(Path::new(""), &text).unwrap()).await.unwrap();
    if active == "near" {
        fill(&runtime).await;
    }
    let before = (read(&runtime, "near", &[]).await, read(&remote.inside, "main", &[]).await);
    let plan = runtime.switcher().plan(to).await.unwrap();
    let far = plan.problems.iter().find(|problem| problem.statement == "backend far").unwrap();
    assert!(far.reason.contains("a remote project's data API"), "{far:?}");
    assert!(far.reason.contains("truststream remote script"), "it does not say what to do: {far:?}");
    let users = plan.problems.iter().find(|problem| problem.reason.contains("password hashes"));
    assert!(users.is_some_and(|users| users.statement == "backend far"), "{:?}", plan.problems);
    let error = runtime.switcher().start(to, runtime.switch_options()).await.err().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"));
    assert!(runtime.switcher().latest().await.unwrap().is_none(), "a switch was begun");
    assert_eq!(runtime.route().owner, active);
    same("this side", &before.0, &read(&runtime, "near", &[]).await).unwrap();
    same("the remote side", &before.1, &read(&remote.inside, "main", &[]).await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_is_refused_as_a_target() {
    Box::pin(refused("near", "far")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_project_is_refused_as_a_source() {
    Box::pin(refused("far", "near")).await;
}
