//! Through pgbouncer in transaction mode, where the next transaction may be on another connection and
//! other clients use ours.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use truststream_conformance::passing::Passing;
use truststream_conformance::{database, run};
use truststream_kernel::{Caller, Context, Driven, Identity, Stack};
use truststream_postgres::{Config, Pooler as Mode, PostgresDriver};
use truststream_services::database::{
    Begin, DatabaseDriver, DatabaseService, Migrate, Query, Raw, Select, Step, TableName,
};

use crate::support::{Pooler, client, database as new_database, is_cancelled, passing_database, until};

fn config(pooler: &Pooler, url: &str) -> Config {
    let mut config = Config { pooler: Some(Mode::Transaction), ..Config::new(pooler.url(url)) };
    config.direct_url = Some(url.into());
    config
}

fn raw(sql: &str) -> Raw {
    Raw { sql: sql.to_owned(), parameters: vec![], read_only: true }
}

fn caller(sub: usize) -> Context {
    let claims: Map<_, _> = [("sub".to_owned(), json!(sub.to_string()))].into_iter().collect();
    Context { caller: Caller::Role(Arc::new(Identity::new("anon", claims))), ..Context::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_through_pgbouncer() {
    static PASSING: Passing = Passing::new();
    let pooler = Arc::new(Pooler::start(2));
    run("postgres", database::CASES, move || {
        let pooler = Arc::clone(&pooler);
        async move {
            let url = passing_database(&PASSING).await;
            let mut config = config(&pooler, &url);
            (config.pool.max, config.pool.wait_ms) = (6, 120_000);
            let stack: Stack<DatabaseService> = Arc::new(Driven(PostgresDriver::connect(config).await?));
            Ok(stack)
        }
    })
    .await;
}

const SCHEMA: &str = "create table seen (id int primary key, who text not null);
    alter table seen enable row level security;
    create policy own on seen to anon using (who = current_setting('request.jwt.claims')::json->>'sub');
    insert into seen select id, (id % 40)::text from generate_series(0, 399) id;
    grant select on seen to anon";

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_connections_and_nothing_else() {
    let (url, pooler) = (new_database().await, Pooler::start(2));
    let settings = Config { statement_timeout_ms: Some(7_000), ..config(&pooler, &url) };
    let mut settings = Config { app_settings: [("app.mark".into(), "ours".into())].into(), ..settings };
    settings.pool.max = 10;
    let driver = PostgresDriver::connect(settings).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();

    let read = Select::new(TableName::public("seen"), Query::default());
    let asked = (0..200).map(|number| {
        let (driver, read) = (&driver, &read);
        async move {
            let page = driver.select(&caller(number % 40), read).await.unwrap();
            let rows: Vec<serde_json::Value> = serde_json::from_slice(&page.body).unwrap();
            assert_eq!(rows.len(), 10);
            let who = json!((number % 40).to_string());
            assert!(rows.iter().all(|row| row["who"] == who), "{rows:?}");
        }
    });
    // A transaction that is open meanwhile keeps its connection to itself.
    let mut open =
        driver.begin(&Context::system(), &Begin { isolation: None, read_only: true }).await.unwrap();
    let cx = Context::system();
    let mut own = async || {
        let page = open.step(&cx, &Step::Raw(raw("select pg_backend_pid() as pid"))).await.unwrap();
        page.unwrap().body
    };
    let first = own().await;
    futures::future::join_all(asked).await;
    assert_eq!(own().await, first);
    drop(open);

    // Another client of the pooler finds the connections as the server makes them.
    let (direct, other) = (client(&url).await, client(&pooler.url(&url)).await);
    let standing = "select current_setting('statement_timeout') || current_setting('intervalstyle') || current_user
        || coalesce(current_setting('app.mark', true), '') || coalesce(current_setting('request.jwt.claims', true), '')
        || (select count(*) from pg_prepared_statements where name <> '' and prepare_time < now() - interval '1s')";
    let standing = |client: tokio_postgres::Client| async move {
        let rows = client.simple_query(standing).await.unwrap();
        rows.into_iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    };
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(standing(other).await, standing(direct).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_cancelled_and_changes_heard_of_around_the_pooler() {
    let (url, pooler) = (new_database().await, Pooler::start(2));
    let settings = Config { schema_check_s: 0, ..config(&pooler, &url) };
    let driver = PostgresDriver::connect(settings).await.unwrap();
    let watcher = client(&url).await;
    let (cx, slow) = (Context::system(), raw("select 'left in the pooler', pg_sleep(3600)"));
    is_cancelled(&watcher, "left in the pooler", Box::pin(driver.raw(&cx, &slow))).await;

    watcher.batch_execute("create table told (id int primary key)").await.unwrap();
    let told = TableName::public("told");
    let is_known = async || driver.describe(&cx, &Default::default()).await.unwrap().table(&told).is_some();
    until("the new table is heard of", is_known).await;
}
