//! Programs that write to the databases of both sides directly while a switch is made.

mod conflicts;
mod redefined;
mod writer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use truststream_kernel::{ErrorKind, Row, Value};
use truststream_layers::{Fault, FaultId};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{
    Database, Filter, Insert, Migrate, Query, Scan, Select, TableName, Update,
};
use truststream_switch::{Options, Phase, Stray};

use super::PATIENT;
use writer::{Place, Program};

const PATIENCE: Duration = Duration::from_secs(180);

/// A project between two databases, with a table of notes.
async fn project(main: &Place, cloud: &Place) -> Arc<Runtime> {
    let auth = "[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n";
    let (main, cloud) = (main.settings("main"), cloud.settings("cloud"));
    let text = format!("active = \"main\"\n{auth}{PATIENT}{main}{cloud}");
    let config = Config::from_text(Path::new(""), &text).unwrap();
    let runtime = Runtime::open_in_memory(config).await.unwrap();
    let sql = "create table notes (id bigint primary key, body text not null);
               create table kinds (id bigint primary key, name text unique)";
    let migrate = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    let rows: Vec<Json> = (0..3000).map(|id| json!({ "id": id, "body": "first" })).collect();
    insert(runtime.database(), json!(rows)).await.unwrap();
    runtime
}

fn notes() -> TableName {
    TableName::public("notes")
}

async fn insert(database: &Database, rows: Json) -> truststream_kernel::Result<()> {
    database.send(Insert::new(notes(), rows.to_string())).await.map(drop)
}

/// Makes a copy take its time until the fault is removed.
fn slow_copy(runtime: &Runtime) -> FaultId {
    runtime.faults().add(Fault::latency(Duration::from_secs(1)).on("database.apply"))
}

/// Starts a switch and waits until it has flipped.
async fn flip(runtime: &Arc<Runtime>, options: Options) {
    runtime.switcher().start("cloud", options).await.unwrap();
    flipped(runtime).await;
}

async fn flipped(runtime: &Arc<Runtime>) {
    let mut progress = runtime.switcher().watch().unwrap();
    let ended = progress.wait_for(|progress| !progress.phase.is_before_commit());
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().clone();
    assert_eq!((ended.phase, ended.failure), (Phase::Committed, None));
    assert_eq!(runtime.route().owner, "cloud");
}

/// Waits until some rows are copied.
async fn copying(runtime: &Runtime) {
    let mut progress = runtime.switcher().watch().unwrap();
    let copying = progress.wait_for(|progress| progress.phase == Phase::Copying && progress.rows_done > 0);
    tokio::time::timeout(PATIENCE, copying).await.unwrap().unwrap();
}

async fn ids(runtime: &Runtime, backend: &str) -> BTreeSet<i64> {
    let database = runtime.database_of(Some(backend)).await.unwrap();
    let chunk = database.send(Scan::new(notes(), None, 1_000_000)).await.unwrap();
    let id = |row: &Row| match row.get("id") {
        Some(Value::Int(id)) => *id,
        other => panic!("{other:?}"),
    };
    chunk.rows.iter().map(id).collect()
}

async fn all_of_a_switch(main: Place, cloud: Place) {
    let runtime = project(&main, &cloud).await;
    let program = Program::start(&main, 1_000_000).await;
    let slow = slow_copy(&runtime);
    let options = Options { chunk: 100, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    copying(&runtime).await;
    program.writes_on(6).await;
    runtime.faults().remove(slow);
    flipped(&runtime).await;
    // It goes on for as long as it is let, and every row that it was told is stored has come along.
    let (written, refused) = tokio::time::timeout(PATIENCE, program.until_refused()).await.unwrap();
    assert!(refused.contains("another backend serves"), "{refused}");
    let there = ids(&runtime, "cloud").await;
    assert!(written.iter().all(|id| there.contains(id)), "a row written directly is missing");
    assert_eq!(there.len(), 3000 + written.len());
    assert_eq!(runtime.switcher().strays().await.unwrap(), None);
    // Now the other side is the one to write to, directly too.
    let program = Program::start(&cloud, 2_000_000).await;
    insert(runtime.database(), json!({ "id": 3_000_000, "body": "after" })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    runtime.switcher().back().await.unwrap();
    let (written_there, refused) = program.finish().await;
    assert!(refused.as_ref().is_none_or(|text| text.contains("another backend serves")), "{refused:?}");
    let home = ids(&runtime, "main").await;
    assert!(written_there.iter().all(|id| home.contains(id)), "a row written directly is missing");
    let late = cloud.connect().await.run("delete from notes").await.unwrap_err();
    assert!(late.contains("another backend serves"), "{late}");
    main.connect().await.run("insert into notes (id, body) values (4000000, 'home again')").await.unwrap();
    insert(runtime.database(), json!({ "id": 4_000_001, "body": "home again" })).await.unwrap();
    runtime.switcher().finalize().await.unwrap();
    main.connect().await.run("delete from notes where id < 100").await.unwrap();
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_they_are_followed_and_then_refused() {
    all_of_a_switch(Place::postgres(), Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_they_are_followed_and_then_refused() {
    all_of_a_switch(Place::sqlite(), Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_closes_by_itself_when_its_time_is_over() {
    let (main, cloud) = (Place::sqlite(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    let within = |ms| Options { rollback_window_ms: Some(ms), ..runtime.switch_options() };
    flip(&runtime, within(3_600_000)).await;
    assert!(runtime.switcher().finalize_in_time().await.unwrap().is_none(), "an hour is not over");
    runtime.switcher().back().await.unwrap();
    let returned = runtime.switcher().finalize_in_time().await.unwrap();
    assert!(returned.is_none(), "who went back says when to clean up");
    runtime.switcher().finalize().await.unwrap();
    flip(&runtime, within(1)).await;
    closed(&runtime).await;
    // Nothing shuts out who writes there directly any more.
    main.connect().await.run("delete from notes").await.unwrap();
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_could_not_be_closed_is_closed_later() {
    let (main, cloud) = (Place::sqlite(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    flip(&runtime, Options { rollback_window_ms: Some(3_600_000), ..runtime.switch_options() }).await;
    let down = runtime.faults().add(Fault::error(ErrorKind::Unavailable).on("database.capture"));
    runtime.switcher().finalize().await.unwrap_err();
    assert_eq!(runtime.switcher().latest().await.unwrap().unwrap().phase, Phase::Finalizing);
    runtime.faults().remove(down);
    closed(&runtime).await;
    runtime.close(PATIENCE).await;
}

/// Waits until the way back is closed.
async fn closed(runtime: &Arc<Runtime>) {
    let mut progress = runtime.switcher().watch().unwrap();
    let closed = progress.wait_for(|progress| progress.phase == Phase::Finalized);
    tokio::time::timeout(PATIENCE, closed).await.unwrap().unwrap();
    assert_eq!(runtime.switcher().latest().await.unwrap().unwrap().phase, Phase::Finalized);
}

/// Waits until so many strays were seen.
async fn seen(runtime: &Runtime, count: u64) -> truststream_switch::StrayLog {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(log) = runtime.switcher().strays().await.unwrap().filter(|log| log.seen >= count) {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("strays were not seen");
}

fn of(id: i64) -> Query {
    let mut query = Query::all();
    query.and(Filter::eq("id", id.to_string()));
    query
}

async fn body(runtime: &Runtime, backend: &str, id: i64) -> Json {
    let database = runtime.database_of(Some(backend)).await.unwrap();
    let page = database.send(Select::new(notes(), of(id))).await.unwrap();
    let rows: Json = serde_json::from_slice(&page.body).unwrap();
    rows[0]["body"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn strays_are_forwarded_and_both_sides_end_equal() {
    let (main, cloud) = (Place::postgres(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    flip(&runtime, Options { stray: Stray::Forward, ..runtime.switch_options() }).await;
    let direct = main.connect().await;
    direct.run("update notes set body = 'stray' where id = 1; delete from notes where id = 2").await.unwrap();
    let log = seen(&runtime, 2).await;
    assert_eq!((log.forwarded, log.kept_in_all), (2, 0));
    assert_eq!(body(&runtime, "cloud", 1).await, "stray");
    assert_eq!(body(&runtime, "cloud", 2).await, Json::Null);
    // What the side that serves writes afterwards is what both end with.
    runtime.database().send(Update::new(notes(), r#"{"body":"later"}"#.to_owned(), of(1))).await.unwrap();
    runtime.switcher().back().await.unwrap();
    assert_eq!(body(&runtime, "main", 1).await, "later");
    assert_eq!(ids(&runtime, "main").await.len(), 2999);
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strays_that_can_not_be_applied_are_kept_back() {
    let (main, cloud) = (Place::sqlite(), Place::postgres());
    let runtime = project(&main, &cloud).await;
    flip(&runtime, Options { stray: Stray::Forward, ..runtime.switch_options() }).await;
    let kinds = |id: i64| Insert::new(TableName::public("kinds"), format!(r#"{{"id":{id},"name":"one"}}"#));
    let direct = main.connect().await;
    let (stray, served) = tokio::join!(
        direct.run("insert into kinds (id, name) values (7, 'one')"),
        runtime.database().send(kinds(8))
    );
    stray.unwrap();
    served.unwrap();
    let log = seen(&runtime, 1).await;
    assert_eq!((log.forwarded, log.kept_in_all, log.kept.len()), (0, 1, 1), "{log:?}");
    assert!(log.failure.unwrap().contains("kinds"));
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strays_are_set_down_across_a_restart() {
    let (main, cloud) = (Place::postgres(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    flip(&runtime, Options { stray: Stray::Quarantine, ..runtime.switch_options() }).await;
    let direct = main.connect().await;
    direct.run("insert into notes values (-5, 'secret')").await.unwrap();
    let log = seen(&runtime, 1).await;
    assert_eq!((log.forwarded, log.kept_in_all), (0, 1));
    let [kept] = &log.kept[..] else { panic!("{log:?}") };
    assert_eq!((&kept.table, kept.old.is_none()), (&notes(), true));
    let row = kept.new.as_ref().unwrap();
    assert!(row.contains(&("body".into(), Some("secret".into()))), "{row:?}");
    assert_eq!(body(&runtime, "cloud", -5).await, Json::Null);
    // The way back finds that both sides differ, and says where.
    let error = runtime.switcher().back().await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_009", "{error:?}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("truststream verify cloud main --repair"), "{hint}");
    assert_eq!(runtime.route().owner, "cloud");
    // What it says is what helps.
    let repair = Options { repair: true, ..runtime.switch_options() };
    runtime.switcher().verify("cloud", "main", &repair).await.unwrap();
    runtime.switcher().back().await.unwrap();
    assert_eq!(body(&runtime, "main", -5).await, Json::Null);
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_holds_rows_delays_the_flip_and_nothing_else() {
    let (main, cloud) = (Place::postgres(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    let direct = main.connect().await;
    direct.run("insert into notes values (-1, 'first')").await.unwrap();
    // The program has its rows before the end.
    let slow = slow_copy(&runtime);
    let options = Options { max_pause_ms: 1_500, chunk: 100, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    copying(&runtime).await;
    direct.run("begin; update notes set body = 'held' where id = -1").await.unwrap();
    runtime.faults().remove(slow);
    let mut progress = runtime.switcher().watch().unwrap();
    let noted = progress.wait_for(|progress| progress.note.is_some());
    let noted = tokio::time::timeout(PATIENCE, noted).await.unwrap().unwrap().clone();
    assert!(noted.note.unwrap().contains("writes could not be held for less than 1500 ms"));
    // The source serves as before.
    insert(runtime.database(), json!({ "id": -2, "body": "meanwhile" })).await.unwrap();
    assert_eq!(runtime.route().owner, "main");
    direct.run("commit").await.unwrap();
    flipped(&runtime).await;
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    assert!(record.report.flips[0].attempts > 1);
    assert_eq!(body(&runtime, "cloud", -1).await, "held");
    assert_eq!(body(&runtime, "cloud", -2).await, "meanwhile");
    runtime.close(PATIENCE).await;
}
