//! Tenants between MongoDB and other engines: its policies are kept by TrustStream.

use super::*;
use crate::PATIENT;
use crate::pairs::servers::{Engine, Servers};

/// The same as elsewhere; MongoDB has no numbers that start behind those of another side by themselves.
async fn project(servers: &Servers, from: Engine, to: Engine) -> Arc<Runtime> {
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n{PATIENT}{}{}",
        servers.backend("main", from),
        servers.backend("cloud", to)
    );
    let config = truststream_runtime::Config::from_text(std::path::Path::new(""), &text).unwrap();
    let runtime = Runtime::open_in_memory(config).await.unwrap();
    let migrate = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    start(&runtime).await;
    runtime
}

async fn tenants_move_between(from: Engine, to: Engine) {
    let servers = Servers::start(&[from, to]);
    let runtime = Box::pin(project(&servers, from, to)).await;
    let members = Members::start_slowly(&runtime);
    moves(&runtime, "acme", true).await;
    moves(&runtime, "globex", true).await;
    for (org, other) in [("acme", "globex"), ("globex", "acme"), ("initech", "acme"), ("acme", "initech")] {
        let database = runtime.database().with(member(org));
        assert!(authors_of(&database, of(other, None)).await.unwrap().is_empty(), "{org} reads of {other}");
        let error = database.send(author(other, 66, "intruder")).await.unwrap_err();
        assert_eq!(error.code(), "42501", "{org} writes for {other}: {error:?}");
        let book = json!({ "org_id": org, "author": 1, "title": other }).to_string();
        let began = Instant::now();
        // Whoever loses to others on a busy server sends it again.
        loop {
            match database.send(Insert::new(table("books"), book.clone())).await {
                Err(error) if error.code() == "40001" && began.elapsed() < PATIENCE => {}
                sent => break drop(sent.unwrap()),
            }
        }
    }
    let has = |backend, org| {
        let runtime = &runtime;
        async move { there(runtime, backend, org).await.len() }
    };
    let at_first = has("main", "globex").await;
    let began = Instant::now();
    while has("main", "globex").await <= at_first {
        assert!(began.elapsed() < PATIENCE, "what it writes there is brought back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    moves(&runtime, "acme", false).await;
    runtime.switcher().move_part(None).await.unwrap();
    committed(&runtime).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    runtime.switcher().back().await.unwrap();
    members.finish(&runtime).await;
    no_strays(&runtime).await;
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_mongodb() {
    Box::pin(tenants_move_between(Engine::Postgres, Engine::Mongodb)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_mongodb_to_postgres() {
    Box::pin(tenants_move_between(Engine::Mongodb, Engine::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_mongodb() {
    Box::pin(tenants_move_between(Engine::Sqlite, Engine::Mongodb)).await;
}
