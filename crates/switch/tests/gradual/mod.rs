//! Reads that move to the other side before the flip.

pub(crate) mod gateways;
mod parts;
mod record;
mod tenants;
mod tenants_of_postgres;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tokio::task::JoinHandle;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::{Context, Identity};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Filter, Insert, Migrate, Query, Select, TableName, Update};
use truststream_switch::{Options, Phase, ReadOptions, Strategy};

use super::PATIENT;
use record::{are_compared, latest, ready};

const PATIENCE: Duration = Duration::from_secs(180);

const SCHEMA: &str = "
create table counters (id bigint primary key, owner text not null, count bigint not null);
alter table counters enable row level security;
create policy own on counters for all to authenticated
  using (owner = auth.uid()::text) with check (owner = auth.uid()::text);
create table notes (id bigint primary key, body text not null);
";

/// A project between two databases, and the URL of the second.
async fn project() -> (Arc<Runtime>, String) {
    let (runtime, url) = project_of(SCHEMA).await;
    let rows: Vec<Json> = (0..50).map(|id| json!({ "id": id, "body": format!("secret {id}") })).collect();
    let rows = Insert::new(TableName::public("notes"), json!(rows).to_string());
    runtime.database().send(rows).await.unwrap();
    (runtime, url)
}

/// A project of this schema.
async fn project_of(schema: &str) -> (Arc<Runtime>, String) {
    let folder = truststream_conformance::scratch::folder_of_the_run().unwrap();
    let url = PostgresServer::of_the_run().new_database().unwrap();
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n{PATIENT}\
         [backend.main.database]\nprovider = \"sqlite\"\npath = {:?}\n[backend.main.storage]\nprovider = \"memory\"\n\
         [backend.cloud.database]\nprovider = \"postgres\"\nurl = \"{url}\"\n[backend.cloud.storage]\nprovider = \"memory\"\n",
        folder.join("data.db")
    );
    let runtime = Runtime::open_in_memory(Config::from_text(Path::new(""), &text).unwrap()).await.unwrap();
    let migrate = Migrate { name: "1.sql".into(), sql: schema.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    (runtime, url)
}

fn user(number: u64) -> Context {
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(subject(number)));
    Context::of(Identity::new("authenticated", claims))
}

fn subject(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn of(id: u64) -> Query {
    let mut query = Query::all();
    query.and(Filter::eq("id", id.to_string()));
    query
}

/// A user who counts, and after each step must see what was counted.
fn counter(runtime: &Arc<Runtime>, number: u64, stop: &Arc<AtomicBool>) -> JoinHandle<u64> {
    let (runtime, stop) = (Arc::clone(runtime), Arc::clone(stop));
    tokio::spawn(async move {
        let database = runtime.database().with(user(number));
        let table = || TableName::public("counters");
        let row = json!({ "id": number, "owner": subject(number), "count": 0 });
        database.send(Insert::new(table(), row.to_string())).await.unwrap();
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) || count <= 5 {
            count += 1;
            let step = json!({ "count": count }).to_string();
            database.send(Update::new(table(), step, of(number))).await.unwrap();
            // At once, and again when the other side may be asked.
            for pause in [0, 30, 60] {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let page = database.send(Select::new(table(), Query::all())).await.unwrap();
                let rows: Json = serde_json::from_slice(&page.body).unwrap();
                assert_eq!(rows, json!([{ "id": number, "owner": subject(number), "count": count }]));
            }
        }
        count
    })
}

fn options(runtime: &Runtime, step_ms: u64) -> Options {
    let reads = ReadOptions { sample: 100, comparisons: 30, step_ms };
    Options { strategy: Strategy::Gradual, reads, ..runtime.switch_options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_reads_it_wherever_reads_are_answered() {
    let (runtime, _) = project().await;
    let stop = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (1..=4).map(|number| counter(&runtime, number, &stop)).collect();
    let mut step_ms = 500;
    loop {
        runtime.switcher().start("cloud", options(&runtime, step_ms)).await.unwrap();
        let mut progress = runtime.switcher().watch().unwrap();
        let ended = progress.wait_for(|progress| !progress.phase.is_before_commit());
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().clone();
        assert_eq!((ended.phase, ended.failure), (Phase::Committed, None));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let record = latest(&runtime).await;
        let part = record.report.parts.into_iter().find(|part| part.name == "counters").unwrap();
        let reads = part.reads.unwrap();
        if are_compared(&reads, 30) && reads.equal >= 30 && reads.served > 10 {
            break assert!(reads.target_ms[0] > 0.0, "{reads:?}");
        }
        // A busy machine needs more time for as many.
        assert!(step_ms < 10_000, "{reads:?}");
        step_ms *= 4;
        runtime.switcher().back().await.unwrap();
        runtime.switcher().finalize().await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for user in users {
        assert!(user.await.unwrap() > 5);
    }
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_answers_otherwise_does_not_come_to_serve() {
    let (runtime, url) = project().await;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (runtime, stop) = (Arc::clone(&runtime), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::SeqCst) {
                let page =
                    runtime.database().send(Select::new(TableName::public("notes"), Query::all())).await;
                let body = page.unwrap().body;
                assert!(!body.windows(8).any(|part| part == b"tampered"), "nobody sees the other answer");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    // It ends with the first answer that differs.
    let options = Options { by_hand: true, ..options(&runtime, 20_000) };
    runtime.switcher().start("cloud", options).await.unwrap();
    ready(&runtime).await;
    let (direct, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    direct.batch_execute("update notes set body = 'tampered' where id = 7").await.unwrap();
    let mut progress = runtime.switcher().watch().unwrap();
    runtime.switcher().move_part(Some("notes")).await.unwrap();
    let ended = progress.wait_for(|progress| progress.phase == Phase::Aborted);
    let failure = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().failure.clone().unwrap();
    stop.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    assert!(failure.contains("cloud answers a read otherwise: select public.notes"), "{failure}");
    assert_eq!(runtime.route().owner, "main");
    let record = latest(&runtime).await;
    let reads = record.report.reads.unwrap();
    assert_eq!((reads.different[0].how.as_str(), reads.served), ("other values", 0));
    let told = serde_json::to_string(&reads).unwrap() + &failure;
    assert!(!told.contains("secret") && !told.contains("tampered"), "{told}");
    runtime.close(PATIENCE).await;
}
