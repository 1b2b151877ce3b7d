//! What a switch began can be taken back, and nothing else.

use truststream_kernel::Context;
use truststream_services::database::{
    AppliedMigration, DatabaseDriver, Describe, Insert, Migrate, Migrations, Prepare, TableName,
};

use super::support::{ids, note, notes, ready};

fn other() -> AppliedMigration {
    AppliedMigration {
        name: "2_other.sql".into(),
        sql: "create table other (id int primary key); insert into other values (1)".into(),
    }
}

#[tokio::test]
async fn a_refused_beginning_leaves_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    driver.insert(&cx, &note(1)).await.unwrap();
    let error = driver.prepare(&cx, &Prepare::Begin { migrations: vec![other()] }).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_011");
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
    assert_eq!(ids(&driver).await, [1]);
}

#[tokio::test]
async fn discarding_leaves_what_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    let before = driver.describe(&cx, &Describe::default()).await.unwrap();
    driver.prepare(&cx, &Prepare::Begin { migrations: vec![other()] }).await.unwrap();
    for id in 0..3 {
        driver.insert(&cx, &note(id)).await.unwrap();
    }
    driver.prepare(&cx, &Prepare::Finish).await.unwrap();
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
    assert_eq!(driver.describe(&cx, &Describe::default()).await.unwrap(), before);
    assert_eq!(driver.migrations(&cx, &Migrations).await.unwrap().len(), 1);
    assert!(ids(&driver).await.is_empty());
    let twice = Insert::new(notes(), r#"[{"id":1,"body":"a","kind":"k"},{"id":2,"body":"b","kind":"k"}]"#);
    assert_eq!(driver.insert(&cx, &twice).await.unwrap_err().code(), "23505");
    // It can begin again.
    driver.prepare(&cx, &Prepare::Begin { migrations: vec![other()] }).await.unwrap();
    driver.prepare(&cx, &Prepare::Finish).await.unwrap();
    driver.prepare(&cx, &Prepare::Keep).await.unwrap();
    driver.insert(&cx, &note(7)).await.unwrap();
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
    assert_eq!(ids(&driver).await, [7]);
    let again = Migrate { name: other().name, sql: other().sql, dry_run: false };
    driver.migrate(&cx, &again).await.unwrap();
    let table = TableName::public("other");
    assert!(driver.describe(&cx, &Describe::default()).await.unwrap().table(&table).is_some());
}
