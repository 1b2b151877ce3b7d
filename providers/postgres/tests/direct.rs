//! Programs that write to the database beside TrustStream.

use std::time::{Duration, Instant};

use truststream_kernel::{Context, ErrorKind};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{DatabaseDriver, Fence, FenceStep, Migrate, TableName};

use crate::support;

const CLOSE: FenceStep = FenceStep::Close { hold: None };

fn fence(epoch: u64, step: FenceStep) -> Fence {
    let tables = vec![TableName::public("notes"), TableName::public("parted")];
    Fence { tables, streams: "switch-1/".into(), epoch, step }
}

async fn installed() -> (String, PostgresDriver) {
    let url = support::database().await;
    let driver = PostgresDriver::connect(Config::new(&url)).await.unwrap();
    let sql = "create table notes (id int primary key, body text);
               create table parted (id int primary key) partition by range (id);
               create table part partition of parted for values from (0) to (100);
               insert into notes values (1, 'one');";
    let op = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    driver.fence(&Context::system(), &fence(1, FenceStep::Install)).await.unwrap();
    (url, driver)
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.as_db_error().unwrap().code().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_write_is_refused_while_it_is_closed() {
    let (url, driver) = installed().await;
    let direct = support::client(&url).await;
    direct.batch_execute("insert into notes values (2, 'two'); insert into part values (1)").await.unwrap();
    driver.fence(&Context::system(), &fence(2, CLOSE)).await.unwrap();
    for sql in [
        "insert into notes values (3, 'three')",
        "update notes set body = 'x' where false",
        "delete from notes",
        "truncate notes",
        "copy notes from program 'echo 4'",
        "insert into part values (2)",
        "set session_replication_role = replica; insert into notes values (5, 'five')",
        "merge into notes using (values (6)) v (id) on notes.id = v.id when not matched then insert values (v.id, '')",
    ] {
        let error = direct.batch_execute(sql).await.unwrap_err();
        assert_eq!(code(&error), "25006", "{sql}: {error:?}");
        assert!(error.as_db_error().unwrap().hint().unwrap().contains("truststream switch status"));
    }
    assert_eq!(direct.query("select from notes", &[]).await.unwrap().len(), 2);
    driver.fence(&Context::system(), &fence(3, FenceStep::Remove)).await.unwrap();
    direct.batch_execute("delete from notes; delete from parted").await.unwrap();
    let left = "select from pg_trigger where tgname = 'truststream_fence'";
    assert!(direct.query(left, &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_began_before_is_refused_too() {
    let (url, driver) = installed().await;
    let old = support::client(&url).await;
    let snapshot = "begin isolation level repeatable read; select * from notes";
    old.batch_execute(snapshot).await.unwrap();
    driver.fence(&Context::system(), &fence(2, CLOSE)).await.unwrap();
    assert_eq!(code(&old.batch_execute("delete from notes").await.unwrap_err()), "25006");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_is_waited_for() {
    let (url, driver) = installed().await;
    let writer = support::client(&url).await;
    writer.batch_execute("begin; insert into notes values (2, 'under way')").await.unwrap();
    // One that does not end in time keeps it open.
    let error = driver.fence(&Context::system(), &fence(2, CLOSE)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let closing = fence(2, CLOSE);
    let cx = Context::system();
    let began = Instant::now();
    loop {
        let ends = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            writer.batch_execute("update notes set body = 'still' where id = 1; commit").await.unwrap();
        };
        let asked = Instant::now();
        let (closed, ()) = tokio::join!(driver.fence(&cx, &closing), ends);
        let Err(error) = closed else {
            assert!(asked.elapsed() >= Duration::from_millis(300));
            break;
        };
        // On a busy machine the end may come too late, and then it is told so as before.
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(began.elapsed() < support::PATIENCE, "it never waits");
        writer.batch_execute("begin; update notes set body = 'under way'").await.unwrap();
    }
    let error = writer.batch_execute("insert into notes values (4, 'late')").await.unwrap_err();
    assert_eq!(code(&error), "25006");
}
