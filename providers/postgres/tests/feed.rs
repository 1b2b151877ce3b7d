//! The change feed under concurrent writers, and what preparing leaves behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use truststream_kernel::{Context, Value};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{
    AppliedMigration, Capture, Change, Changes, DatabaseDriver, Migrate, Migrations, Position, Prepare,
    TableName,
};

use crate::support;

const WRITERS: u32 = 12;
const TRANSACTIONS: u32 = 60;
const KEYS: u32 = 5;

async fn opened(url: &str) -> PostgresDriver {
    PostgresDriver::connect(Config::new(url)).await.unwrap()
}

async fn counters(driver: &PostgresDriver) -> Position {
    let sql = "create table counters (id int primary key, count int not null);
               insert into counters select id, 0 from generate_series(1, 5) id;
               create table bulk (id int primary key);";
    let op = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let tables = vec![TableName::public("counters"), TableName::public("bulk")];
    let op = Capture { consumer: "test".into(), tables };
    driver.capture(&Context::system(), &op).await.unwrap()
}

/// Reads until `done` and nothing more is there.
async fn read_all(
    driver: &PostgresDriver,
    mut position: Position,
    mut done: impl FnMut() -> bool,
) -> Vec<Change> {
    let mut found = Vec::new();
    loop {
        let last = done();
        let op = Changes { after: Some(position), limit: 50, wait: Duration::from_millis(30) };
        let batch = driver.changes(&Context::system(), &op).await.unwrap();
        found.extend(batch.changes);
        position = batch.position;
        if last && batch.at_end {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_lost_doubled_or_inverted() {
    let url = support::database().await;
    let driver = opened(&url).await;
    let start = counters(&driver).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let url = url.clone();
            tokio::spawn(async move {
                let client = support::client(&url).await;
                for turn in 0..TRANSACTIONS {
                    // Two keys in ascending order, so that writers wait and never deadlock; some take long,
                    // some are undone.
                    let (first, second) = (1 + (writer + turn) % (KEYS - 1), KEYS);
                    let pause = if turn % 7 == 0 { "select pg_sleep(0.01);" } else { "" };
                    let end = if turn % 5 == 0 { "rollback" } else { "commit" };
                    let sql = format!(
                        "begin; update counters set count = count + 1 where id = {first}; {pause}
                         update counters set count = count + 1 where id = {second}; {end}"
                    );
                    client.batch_execute(&sql).await.unwrap();
                }
            })
        })
        .collect();
    let finished = || writers.iter().all(|writer| writer.is_finished());
    let found = read_all(&driver, start, finished).await;
    let committed = WRITERS * (0..TRANSACTIONS).filter(|turn| turn % 5 != 0).count() as u32;
    assert_eq!(found.len() as u32, committed * 2);
    let mut counts: HashMap<i64, i64> = HashMap::new();
    for change in &found {
        let row = change.new.as_ref().unwrap();
        let (Some(Value::Int(id)), Some(Value::Int(count))) = (row.get("id"), row.get("count")) else {
            panic!("{change:?}")
        };
        let before = counts.insert(*id, *count).unwrap_or(0);
        assert_eq!(*count, before + 1, "key {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_is_cut_between_transactions() {
    let url = support::database().await;
    let driver = opened(&url).await;
    let start = counters(&driver).await;
    let client = support::client(&url).await;
    // The first of them commits last.
    let slow = support::client(&url).await;
    slow.batch_execute("begin; insert into bulk values (-1)").await.unwrap();
    for turn in 0..150 {
        let first = turn * 100;
        let sql = format!("insert into bulk select generate_series({first}, {first} + 99)");
        client.batch_execute(&sql).await.unwrap();
    }
    let op = Changes { after: Some(start), limit: 50, wait: Duration::ZERO };
    let first = driver.changes(&Context::system(), &op).await.unwrap();
    assert!(!first.at_end);
    assert_eq!(first.changes.len() % 100, 0);
    slow.batch_execute("commit").await.unwrap();
    let rest = read_all(&driver, first.position.clone(), || true).await;
    let mut ids: Vec<i64> = first
        .changes
        .iter()
        .chain(&rest)
        .map(|change| match change.new.as_ref().unwrap().get("id") {
            Some(Value::Int(id)) => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (-1..15_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn truncating_deletes_every_row() {
    let url = support::database().await;
    let driver = opened(&url).await;
    let start = counters(&driver).await;
    support::client(&url).await.batch_execute("truncate counters").await.unwrap();
    let found = read_all(&driver, start, || true).await;
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|change| change.new.is_none() && change.old.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn discarding_leaves_the_database_as_it_was() {
    let url = support::database().await;
    let driver = opened(&url).await;
    let cx = Context::system();
    let kept = "create table kept (id int primary key, word text unique)";
    let op = Migrate { name: "0.sql".into(), sql: kept.into(), dry_run: false };
    driver.migrate(&cx, &op).await.unwrap();
    let sql = "create type mood as enum ('a'); create table made (id int primary key, kept int references kept, m mood);
               create function f() returns int language sql as 'select 1'; create schema more;
               create table more.other (id int primary key);";
    let migrations = vec![
        AppliedMigration { name: "0.sql".into(), sql: kept.into() },
        AppliedMigration { name: "1.sql".into(), sql: sql.into() },
    ];
    driver.prepare(&cx, &Prepare::Begin { migrations }).await.unwrap();
    let client = support::client(&url).await;
    client
        .batch_execute("insert into kept values (1, 'x'), (2, 'x'); insert into made values (1, 9)")
        .await
        .unwrap();
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
    let left = "select to_regclass('made') is null and to_regclass('more.other') is null
                  and to_regtype('mood') is null and to_regproc('f') is null
                  and not exists (select from kept) and to_regclass('kept_word_key') is not null";
    let row = client.query_one(left, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    let names: Vec<String> =
        driver.migrations(&cx, &Migrations).await.unwrap().into_iter().map(|applied| applied.name).collect();
    assert_eq!(names, ["0.sql"]);
    // A second time there is nothing to do.
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_leaves_no_transaction_behind() {
    let url = support::database().await;
    let mut config = Config::new(&url);
    config.pool.max = 1;
    let driver = PostgresDriver::connect(config).await.unwrap();
    counters(&driver).await;
    let slow = Changes { after: None, limit: 1, wait: Duration::ZERO };
    let dropped = tokio::time::timeout(Duration::ZERO, driver.changes(&Context::system(), &slow)).await;
    drop(dropped);
    let started = Instant::now();
    driver.changes(&Context::system(), &slow).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(60));
}
