//! Schemas that are changed while a switch is under way: no feed has that in it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use truststream_kernel::ErrorKind;
use truststream_layers::{Fault, FaultId};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Insert, Migrate, Query, Select, TableName};
use truststream_switch::{Options, Phase, Record};

const PATIENCE: Duration = Duration::from_secs(120);

const CONFIG: &str = "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n\
    [backend.main.database]\nprovider = \"memory\"\n[backend.main.storage]\nprovider = \"memory\"\n\
    [backend.cloud.database]\nprovider = \"memory\"\n[backend.cloud.storage]\nprovider = \"memory\"\n";

async fn project() -> Arc<Runtime> {
    let runtime = Runtime::open_in_memory(Config::from_text(Path::new(""), CONFIG).unwrap()).await.unwrap();
    migrate(&runtime, "1.sql", "create table notes (id bigint primary key, body text not null);").await;
    let rows: Vec<Json> = (0..2_000).map(|id| json!({ "id": id, "body": "first" })).collect();
    let insert = Insert::new(TableName::public("notes"), json!(rows).to_string());
    runtime.database().send(insert).await.unwrap();
    runtime
}

async fn migrate(runtime: &Runtime, name: &str, sql: &str) {
    let migrate = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
}

async fn rows(runtime: &Runtime, table: &str) -> u64 {
    let select = Select::new(TableName::public(table), Query::all());
    runtime.database().send(select).await.unwrap().rows
}

fn has_ended(phase: Phase) -> bool {
    matches!(phase, Phase::Aborted | Phase::Committed)
}

async fn until(runtime: &Runtime, holds: impl Fn(&Record) -> bool) -> Record {
    let began = Instant::now();
    loop {
        let record = runtime.switcher().latest().await.unwrap().unwrap();
        if holds(&record) {
            return record;
        }
        assert!(began.elapsed() < PATIENCE, "{:?} {:?}", record.phase, record.report);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Begins a switch whose copy takes its time until [`hurry`].
async fn copying(runtime: &Runtime) -> [FaultId; 2] {
    let slow = ["database.apply", "database.load"]
        .map(|operation| runtime.faults().add(Fault::latency(Duration::from_secs(1)).on(operation)));
    let options = Options { chunk: 100, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    until(runtime, |record| record.phase == Phase::Copying).await;
    slow
}

fn hurry(runtime: &Runtime, slow: [FaultId; 2]) {
    for fault in slow {
        runtime.faults().remove(fault);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_defined_while_rows_are_copied_is_not_left_behind() {
    let runtime = project().await;
    let slow = copying(&runtime).await;
    migrate(
        &runtime,
        "2.sql",
        "create table more (id bigint primary key); insert into more values (1), (2);",
    )
    .await;
    hurry(&runtime, slow);
    let record = until(&runtime, |record| has_ended(record.phase)).await;
    let failure = record.report.failure.unwrap_or_default();
    assert_eq!((record.phase, runtime.route().owner.as_str()), (Phase::Aborted, "main"));
    for told in ["`main`", "migration 2.sql", "table public.more"] {
        assert!(failure.contains(told), "{failure}");
    }

    runtime.switcher().start("cloud", runtime.switch_options()).await.unwrap();
    let record = until(&runtime, |record| has_ended(record.phase)).await;
    assert_eq!((record.phase, record.report.failure), (Phase::Committed, None));
    assert_eq!((rows(&runtime, "more").await, rows(&runtime, "notes").await), (2, 2_000));

    migrate(&runtime, "3.sql", "alter table notes add column more text default 'x';").await;
    let error = runtime.switcher().back().await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_011");
    for told in ["`cloud`", "migration 3.sql", "table public.notes"] {
        assert!(error.message().contains(told), "{error}");
    }
    assert_eq!(runtime.route().owner, "cloud");
    let insert = Insert::new(TableName::public("more"), r#"{"id":3}"#);
    runtime.database().send(insert).await.unwrap();
    runtime.switcher().finalize().await.unwrap();
    assert_eq!((rows(&runtime, "more").await, rows(&runtime, "notes").await), (3, 2_000));
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_migrations_are_not_read_again_once_they_are_applied_to_the_target() {
    let runtime = project().await;
    let slow = copying(&runtime).await;
    let texts = runtime.faults().add(Fault::error(ErrorKind::Unavailable).on("database.migrations"));
    let names = runtime.faults().add(Fault::default().on("database.migration_names"));
    hurry(&runtime, slow);
    let record = until(&runtime, |record| has_ended(record.phase)).await;
    assert_eq!((record.phase, record.report.failure), (Phase::Committed, None));
    let back = runtime.switcher().back().await.unwrap();
    assert_eq!(back.phase, Phase::RolledBack);
    assert_eq!(runtime.faults().remove(texts), Some(0));
    assert!(runtime.faults().remove(names).unwrap() > 0);
    runtime.close(PATIENCE).await;
}
