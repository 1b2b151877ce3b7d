//! Reads from a streaming replica: who may, who must not yet, and what happens when it goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, json};
use truststream_kernel::{Caller, Context, Identity, Secret};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{
    DatabaseDriver, Insert, Migrate, Query, Select, TableName, WriteOptions,
};

use crate::support::{PATIENCE, client, replica_of, start};

const SCHEMA: &str = "create table notes (id int primary key);
    create view place as select pg_is_in_recovery() as replica, (select count(*) from notes) as notes;
    grant all on notes, place to anon";

fn caller(sub: &str) -> Context {
    let claims: Map<_, _> = [("sub".to_owned(), json!(sub))].into_iter().collect();
    Context { caller: Caller::Role(Arc::new(Identity::new("anon", claims))), ..Context::default() }
}

/// Whether a caller read from the replica, and how many notes there were.
async fn place(driver: &PostgresDriver, cx: &Context) -> (bool, u64) {
    let page = driver.select(cx, &Select::new(TableName::public("place"), Query::default())).await.unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    (rows[0]["replica"].as_bool().unwrap(), rows[0]["notes"].as_u64().unwrap())
}

async fn until_at(driver: &PostgresDriver, cx: &Context, replica: bool) -> u64 {
    let until = Instant::now() + PATIENCE;
    loop {
        let (found, notes) = place(driver, cx).await;
        if found == replica {
            return notes;
        }
        assert!(Instant::now() < until, "reads did not move");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn write(driver: &PostgresDriver, cx: &Context, id: u32) {
    let op = Insert {
        table: TableName::public("notes"),
        rows: format!(r#"{{"id":{id}}}"#).into(),
        columns: None,
        missing_default: false,
        on_conflict: None,
        query: Query::default(),
        options: WriteOptions::default(),
    };
    driver.insert(cx, &op).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_reads_it_and_others_read_from_the_replica() {
    let primary = start();
    let replica = replica_of(&primary);
    let config = Config { replica_url: Some(Secret::new(replica.url())), ..Config::new(primary.url()) };
    let driver = PostgresDriver::connect(config).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let (ann, bob) = (caller("ann"), caller("bob"));
    assert_eq!(until_at(&driver, &ann, true).await, 0);
    assert_eq!(place(&driver, &bob).await, (true, 0));

    let standby = client(&replica.url()).await;
    standby.batch_execute("select pg_wal_replay_pause()").await.unwrap();
    Box::pin(write(&driver, &ann, 1)).await;
    assert_eq!(place(&driver, &ann).await, (false, 1), "a caller reads what it wrote");
    assert_eq!(place(&driver, &bob).await, (true, 0), "others are not held back");
    standby.batch_execute("select pg_wal_replay_resume()").await.unwrap();
    assert_eq!(until_at(&driver, &ann, true).await, 1);

    // A new table is there for everybody.
    standby.batch_execute("select pg_wal_replay_pause()").await.unwrap();
    let sql = "create table later (id int primary key); grant all on later to anon";
    let op = Migrate { name: "2.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let later = Select::new(TableName::public("later"), Query::default());
    assert_eq!(&driver.select(&bob, &later).await.unwrap().body[..], b"[]");
    standby.batch_execute("select pg_wal_replay_resume()").await.unwrap();
    until_at(&driver, &bob, true).await;

    tokio::task::block_in_place(|| replica.stop());
    assert_eq!(place(&driver, &bob).await, (false, 1), "the primary answers for a replica that is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writes_are_each_read_back() {
    let primary = start();
    let replica = replica_of(&primary);
    let config = Config { replica_url: Some(Secret::new(replica.url())), ..Config::new(primary.url()) };
    let driver = PostgresDriver::connect(config).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let ann = caller("ann");
    until_at(&driver, &ann, true).await;
    for id in 1..=100 {
        Box::pin(write(&driver, &ann, id)).await;
        let (_, notes) = place(&driver, &ann).await;
        assert_eq!(notes, u64::from(id), "a write was not read back");
    }
}
