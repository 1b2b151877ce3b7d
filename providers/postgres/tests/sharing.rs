//! Reads that share a session: quick ones behind one another, each as its own caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use truststream_kernel::{Caller, Context, Identity, Result};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{DatabaseDriver, Query, Select, TableName};

use crate::support::{PATIENCE, client, database, runs, until};

const SCHEMA: &str = "
    create table notes (id bigint primary key, owner text not null);
    insert into notes select id, 'user ' || id % 3 from generate_series(1, 60) as id;
    alter table notes enable row level security;
    create policy own on notes for select using (owner = current_setting('request.jwt.claims')::json->>'sub');
    create function meddle(note bigint) returns bigint language plpgsql as $$ begin
        perform set_config('request.jwt.claims', '{\"sub\":\"user 0\"}', false);
        perform set_config('role', 'postgres', false);
        return note;
    end $$;
    create view meddled with (security_invoker) as select meddle(id) as id, owner from notes;
    create view broken with (security_invoker) as select id / (id - id) as id, owner from notes;
    create table pauses (seconds float8 not null);
    insert into pauses values (0);
    create view paused as select 1 as id, pg_sleep(seconds)::text as slept from pauses;
    grant select on notes, meddled, broken, paused, pauses to authenticated";

fn caller(user: usize) -> Context {
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(format!("user {user}")));
    Context { caller: Caller::Role(Arc::new(Identity::new("authenticated", claims))), ..Context::default() }
}

/// The database with the schema, and with the roles that whoever connects first makes.
async fn prepared(url: &str) -> Client {
    PostgresDriver::connect(Config::new(url)).await.unwrap();
    let direct = client(url).await;
    direct.batch_execute(SCHEMA).await.unwrap();
    direct
}

async fn driver(url: &str, max: usize, wait_ms: u64) -> PostgresDriver {
    // Nobody else uses its connections.
    let mut config = Config { schema_check_s: 0, ..Config::new(url) };
    (config.pool.max, config.pool.wait_ms) = (max, wait_ms);
    PostgresDriver::connect(config).await.unwrap()
}

async fn read(driver: &PostgresDriver, user: usize, table: &str) -> Result<Vec<Json>> {
    let select = Select::new(TableName::public(table), Query::all());
    let page = Box::pin(driver.select(&caller(user), &select)).await?;
    Ok(serde_json::from_slice(&page.body).unwrap())
}

/// One of many readers; now and then it gives up, and fails.
async fn reader(driver: PostgresDriver, number: usize) {
    for turn in 0..40 {
        let user = (number + turn / 8) % 3;
        let patience = if (turn + number).is_multiple_of(7) {
            Duration::from_micros(700)
        } else {
            Duration::from_secs(60)
        };
        let table = match (turn + number) % 11 {
            3 => "meddled",
            7 => "broken",
            _ => "notes",
        };
        let Ok(found) = timeout(patience, read(&driver, user, table)).await else { continue };
        match found {
            // What a function sets counts for the rest of its own statement.
            Ok(_) if table == "meddled" => {}
            Ok(rows) => {
                assert_eq!(rows.len(), 20, "{table} of user {user}");
                let owner = json!(format!("user {user}"));
                assert!(rows.iter().all(|row| row["owner"] == owner), "{table} of user {user}: {rows:?}");
            }
            Err(error) => assert_eq!((table, error.code()), ("broken", "22012"), "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_who_they_are_whatever_the_others_do() {
    let url = database().await;
    prepared(&url).await;
    let driver = driver(&url, 2, 120_000).await;
    let mut readers = JoinSet::new();
    for number in 0..24 {
        readers.spawn(reader(driver.clone(), number));
    }
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(read(&driver, 1, "notes").await.unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_read_waits_for_no_connection_and_outlives_who_leaves() {
    let url = database().await;
    let direct = prepared(&url).await;
    let impatient = driver(&url, 1, 200).await;
    let patient = driver(&url, 1, 120_000).await;
    let pauses = async |seconds: u32| {
        direct.batch_execute(&format!("update pauses set seconds = {seconds}")).await.unwrap();
    };
    let quick = async |driver: &PostgresDriver| {
        pauses(0).await;
        for _ in 0..4 {
            read(driver, 1, "paused").await.unwrap();
        }
    };
    let spawned = |driver: &PostgresDriver| {
        let driver = driver.clone();
        tokio::spawn(async move { read(&driver, 1, "paused").await })
    };
    let is_running = async || runs(&direct, "paused").await;
    // On a busy machine nothing may be quick for a while, or the pause over before anybody comes.
    let began = Instant::now();
    loop {
        quick(&impatient).await;
        pauses(1).await;
        let behind = async {
            sleep(Duration::from_millis(300)).await;
            (is_running().await, read(&impatient, 1, "paused").await)
        };
        let (first, (joined, second)) = tokio::join!(read(&impatient, 1, "paused"), behind);
        assert_eq!(first.unwrap().len(), 1);
        match second {
            Ok(rows) if joined => break assert_eq!(rows.len(), 1),
            Ok(_) => {}
            Err(error) => assert_eq!(error.code(), "PGRST003", "{error:?}"),
        }
        assert!(began.elapsed() < PATIENCE, "it always waits for a connection");
    }
    quick(&patient).await;
    pauses(3600).await;
    let first = spawned(&patient);
    until("it runs", is_running).await;
    let second = spawned(&patient);
    sleep(Duration::from_millis(300)).await;
    pauses(0).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled(), "it should still run");
    assert_eq!(second.await.unwrap().unwrap().len(), 1);
    // What proved slow has its connection to itself.
    pauses(1).await;
    read(&impatient, 1, "paused").await.unwrap();
    pauses(3600).await;
    let first = spawned(&impatient);
    until("it runs", is_running).await;
    assert_eq!(read(&impatient, 1, "paused").await.unwrap_err().code(), "PGRST003");
    first.abort();
}
