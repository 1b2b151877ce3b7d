//! Copies under more inserts than they can keep up with, pauses, and comparisons that repair.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use truststream_layers::Fault;
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Database, Insert, Migrate, Query, Select, TableName};
use truststream_switch::{Options, Phase, Progress};

use super::PATIENT;
use super::pairs::servers::{Engine, Servers};

const PATIENCE: Duration = Duration::from_secs(180);

const SCHEMA: &str = "create table notes (id bigint primary key, body text not null);
                      create table tokens (id uuid primary key, note bigint not null);";

/// A project between two engines, whose first backend holds so many notes and tokens.
async fn project(servers: &Servers, (main, cloud): (Engine, Engine), rows: i64) -> Arc<Runtime> {
    let backends = servers.backend("main", main) + &servers.backend("cloud", cloud);
    let runtime = serving("main", &backends).await;
    write(runtime.database(), 0..rows).await;
    runtime
}

async fn serving(active: &str, backends: &str) -> Arc<Runtime> {
    let auth = "[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n";
    let text = format!("active = \"{active}\"\n{auth}{PATIENT}{backends}");
    let config = Config::from_text(Path::new(""), &text).unwrap();
    let runtime = Runtime::open_in_memory(config).await.unwrap();
    migrate(runtime.database()).await;
    runtime
}

async fn migrate(database: &Database) {
    let migrate = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    database.send(migrate).await.unwrap();
}

/// A note each, and a token whose key is anywhere among the others.
async fn write(database: &Database, ids: std::ops::Range<i64>) {
    let notes: Vec<Json> = ids.clone().map(|id| json!({ "id": id, "body": format!("note {id}") })).collect();
    let tokens: Vec<Json> = ids.map(|id| json!({ "id": scattered(id), "note": id })).collect();
    insert(database, "notes", json!(notes)).await;
    insert(database, "tokens", json!(tokens)).await;
}

async fn insert(database: &Database, table: &str, rows: Json) {
    database.send(Insert::new(TableName::public(table), rows.to_string())).await.unwrap();
}

fn scattered(id: i64) -> String {
    let spread = id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{:08x}-{:04x}-4000-8000-{:012x}", spread >> 32, spread >> 16 & 0xffff, spread & 0xffff)
}

async fn rows(runtime: &Runtime, backend: &str, table: &str) -> Vec<String> {
    let database = runtime.database_of(Some(backend)).await.unwrap();
    let page = database.send(Select::new(TableName::public(table), Query::all())).await.unwrap();
    let rows: Vec<Json> = serde_json::from_slice(&page.body).unwrap();
    let mut rows: Vec<_> = rows.iter().map(Json::to_string).collect();
    rows.sort();
    rows
}

async fn reached(runtime: &Runtime, reached: impl Fn(&Progress) -> bool) -> Progress {
    let mut progress = runtime.switcher().watch().unwrap();
    let ended = tokio::time::timeout(PATIENCE, progress.wait_for(|progress| reached(progress))).await;
    ended.unwrap_or_else(|_| panic!("it did not come to that")).unwrap().clone()
}

fn is_past_copying(progress: &Progress) -> bool {
    !matches!(progress.phase, Phase::Planned | Phase::Preparing | Phase::Copying)
}

async fn flipped(runtime: &Runtime) {
    let ended = reached(runtime, |progress| !progress.phase.is_before_commit()).await;
    assert_eq!((ended.phase, ended.failure), (Phase::Committed, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_ends_although_rows_come_faster_than_it_reads_them() {
    let servers = Servers::start(&[Engine::Postgres]);
    let runtime = project(&servers, (Engine::Sqlite, Engine::Postgres), 400).await;
    // Ten notes in 20 ms at most, of which the writer adds more than that.
    let slow = runtime.faults().add(Fault::latency(Duration::from_millis(20)).on("database.scan"));
    let (stop, writer) = (Arc::new(AtomicBool::new(false)), Arc::clone(&runtime));
    let (over, rounds) = (Arc::clone(&stop), Arc::new(AtomicU64::new(0)));
    let round = Arc::clone(&rounds);
    let writer = tokio::spawn(async move {
        let mut next = 1_000;
        while !over.load(Ordering::Relaxed) {
            let notes: Vec<Json> = (next..next + 100).map(|id| json!({ "id": id, "body": "late" })).collect();
            insert(writer.database(), "notes", json!(notes)).await;
            insert(writer.database(), "tokens", json!({ "id": scattered(next), "note": next })).await;
            next += 100;
            round.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        next
    });
    // Nothing is copied before there is something behind where the copy ends.
    let held = runtime.faults().add(Fault::latency(Duration::from_secs(1)).on("database.apply"));
    // As fast as it can beside a writer that never rests.
    let options = Options { chunk: 10, max_slowdown: u16::MAX, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    reached(&runtime, |progress| progress.phase == Phase::Copying && progress.rows_done > 0).await;
    let before = rounds.load(Ordering::Relaxed);
    while rounds.load(Ordering::Relaxed) < before + 5 {
        assert!(!writer.is_finished(), "the writer stopped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runtime.faults().remove(held);
    reached(&runtime, is_past_copying).await;
    runtime.faults().remove(slow);
    flipped(&runtime).await;
    stop.store(true, Ordering::Relaxed);
    let last = writer.await.unwrap();
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    let written = usize::try_from((last - 1_000) / 100).unwrap();
    // It ended where the notes ended when it began; the writer had gone on from there.
    let bound = record.bounds.iter().flatten().find(|bound| bound.table == TableName::public("notes"));
    let bound: i64 = bound.unwrap().after[0].parse().unwrap();
    assert!(bound + 200 < last, "nothing was written behind {bound}");
    let most = u64::try_from(400 + (bound - 999).max(0)).unwrap() + 400 + written as u64;
    assert!(record.report.rows <= most, "{} rows were copied, not {most}", record.report.rows);
    assert_eq!(rows(&runtime, "cloud", "notes").await.len(), 400 + written * 100);
    assert_eq!(rows(&runtime, "cloud", "tokens").await.len(), 400 + written);
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_paused_while_it_copies_and_while_it_compares() {
    let servers = Servers::start(&[]);
    let runtime = project(&servers, (Engine::Sqlite, Engine::Sqlite), 400).await;
    let slow =
        |operation: &str, ms| runtime.faults().add(Fault::latency(Duration::from_millis(ms)).on(operation));
    let mut slows = slow("database.apply", 1_000);
    let options = Options { chunk: 20, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    let mut copied = 0;
    for phase in [Phase::Copying, Phase::Verifying] {
        reached(&runtime, |progress| progress.phase == phase && progress.rows_done > 40).await;
        let paused = runtime.switcher().pause().await.unwrap();
        assert_eq!((paused.phase, paused.paused), (phase, true));
        let before = rows(&runtime, "cloud", "notes").await.len();
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(rows(&runtime, "cloud", "notes").await.len(), before, "it goes on while {phase:?}");
        copied = copied.max(paused.report.rows);
        runtime.faults().remove(slows);
        if phase == Phase::Copying {
            slows = slow("database.scan", 300);
        }
        runtime.switcher().resume().await.unwrap();
    }
    flipped(&runtime).await;
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    assert!(record.report.rows >= 800 && copied > 0, "{} rows, {copied} before", record.report.rows);
    assert_eq!(rows(&runtime, "cloud", "notes").await, rows(&runtime, "main", "notes").await);
    runtime.close(PATIENCE).await;
}

/// Rows that are missing, changed or too many on the second side are named, and made right if asked.
async fn repaired(source: Engine, target: Engine) {
    let servers = Servers::start(&[source, target]);
    let backends = servers.backend("main", source) + &servers.backend("cloud", target);
    // Each in its turn, so that both have what TrustStream keeps for itself.
    let runtime = serving("cloud", &backends).await;
    let cloud = runtime.database();
    write(cloud, 0..120).await;
    insert(cloud, "notes", json!([{ "id": 150, "body": "changed" }, { "id": 999, "body": "extra" }])).await;
    insert(cloud, "tokens", json!({ "id": scattered(999), "note": 999 })).await;
    runtime.close(PATIENCE).await;
    // A file is let go with the last that holds its runtime.
    drop(runtime);
    let runtime = serving("main", &backends).await;
    write(runtime.database(), 0..300).await;
    let options = Options { chunk: 50, ..runtime.switch_options() };
    let error = runtime.switcher().verify("main", "cloud", &options).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_009");
    assert!(error.message().contains("public.notes: 181 rows"), "{}", error.message());
    assert!(error.message().contains("public.tokens: 181 rows"), "{}", error.message());
    let repair = Options { repair: true, ..options.clone() };
    let reports = runtime.switcher().verify("main", "cloud", &repair).await.unwrap();
    assert!(reports.iter().all(|report| report.source == report.target), "{reports:?}");
    runtime.switcher().verify("main", "cloud", &options).await.unwrap();
    for table in ["notes", "tokens"] {
        assert_eq!(rows(&runtime, "cloud", table).await, rows(&runtime, "main", table).await);
    }
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_repairs_postgres() {
    repaired(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_repairs_mongodb() {
    repaired(Engine::Postgres, Engine::Mongodb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_repairs_sqlite() {
    repaired(Engine::Mongodb, Engine::Sqlite).await;
}
