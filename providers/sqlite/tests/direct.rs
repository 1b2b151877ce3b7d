//! Programs that write to the file beside TrustStream, without its functions.

use std::time::Duration;

use rusqlite::Connection;
use truststream_kernel::{Context, Value};
use truststream_services::database::{
    Capture, Change, ChangeKind, Changes, DatabaseDriver, Fence, FenceStep, Migrate, Position, TableName,
};
use truststream_sqlite::SqliteDriver;

use super::support::{ids, note, notes, open, ready};

async fn changes(driver: &SqliteDriver, after: &Position) -> Vec<Change> {
    let ask = Changes { after: Some(after.clone()), limit: 100, wait: Duration::ZERO };
    driver.changes(&Context::system(), &ask).await.unwrap().changes
}

fn fence(epoch: u64, step: FenceStep) -> Fence {
    Fence { tables: vec![notes()], streams: "switch-1/".into(), epoch, step }
}

#[tokio::test]
async fn what_they_write_is_captured() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let capture = Capture { consumer: "test".into(), tables: vec![notes()] };
    let start = driver.capture(&Context::system(), &capture).await.unwrap();
    let direct = Connection::open(folder.path().join("data.db")).unwrap();
    direct.busy_timeout(Duration::from_secs(120)).unwrap();
    driver.insert(&Context::system(), &note(1)).await.unwrap();
    direct.execute_batch("insert into notes (id, body) values (2, 'it''s direct')").unwrap();
    direct
        .execute_batch("update notes set body = 'changed' where id = 1; delete from notes where id = 2")
        .unwrap();
    let found = changes(&driver, &start).await;
    let kinds: Vec<_> = found.iter().map(|change| change.kind).collect();
    use ChangeKind::{Delete, Insert, Update};
    assert_eq!(kinds, [Insert, Insert, Update, Delete]);
    let text = |text: &str| Some(Value::Text(text.into()));
    let body = |row: &Option<truststream_kernel::Row>| row.as_ref().and_then(|row| row.get("body").cloned());
    assert_eq!(body(&found[1].new), text("it's direct"));
    assert_eq!((body(&found[2].old), body(&found[2].new)), (text("note 1"), text("changed")));
    assert!(found.iter().all(|change| change.origin.is_none() && change.made_at > 1_700_000_000_000_000));
}

#[tokio::test]
async fn they_are_refused_in_words_while_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    driver.fence(&cx, &fence(1, FenceStep::Install)).await.unwrap();
    let direct = Connection::open(folder.path().join("data.db")).unwrap();
    direct.busy_timeout(Duration::from_secs(120)).unwrap();
    direct.execute_batch("insert into notes (id, body) values (1, 'in time')").unwrap();
    driver.fence(&cx, &fence(2, FenceStep::Close { hold: None })).await.unwrap();
    for sql in [
        "insert into notes (id, body) values (2, 'late')",
        "update notes set body = 'late'",
        "delete from notes",
    ] {
        let error = direct.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("this table is closed: another backend serves"), "{error}");
    }
    assert_eq!(ids(&driver).await, [1]);
    // A migration makes its triggers anew, and so does the next process.
    let sql = "alter table notes add column more text";
    driver.migrate(&cx, &Migrate { name: "2.sql".into(), sql: sql.into(), dry_run: false }).await.unwrap();
    direct.execute_batch("delete from notes").unwrap_err();
    drop(driver);
    let driver = open(folder.path()).await.unwrap();
    direct.execute_batch("delete from notes").unwrap_err();
    driver.fence(&cx, &fence(3, FenceStep::Remove)).await.unwrap();
    direct.execute_batch("delete from notes").unwrap();
    assert!(ids(&driver).await.is_empty());
}

#[tokio::test]
async fn triggers_of_an_older_version_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let capture = Capture { consumer: "test".into(), tables: vec![notes()] };
    let start = driver.capture(&Context::system(), &capture).await.unwrap();
    drop(driver);
    let direct = Connection::open(folder.path().join("data.db")).unwrap();
    direct
        .execute_batch(
            "drop trigger truststream_insert_notes;
             create trigger truststream_insert_notes after insert on notes begin
               insert into truststream_changes (tbl, op, new, origin, made_at)
               values ('[\"public\",\"notes\"]', 'INSERT', json_object('id', new.id), ts_origin(), 1); end;
             insert into truststream_changes (tbl, op, new, made_at)
               values ('[\"public\",\"notes\"]', 'INSERT', '{\"id\":1}', 1)",
        )
        .unwrap();
    let driver = open(folder.path()).await.unwrap();
    let ask = Changes { after: Some(start), limit: 100, wait: Duration::ZERO };
    assert_eq!(driver.changes(&Context::system(), &ask).await.unwrap_err().code(), "BACKEND_010");
    let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
    let now = driver.changes(&Context::system(), &ask).await.unwrap().position;
    driver.insert(&Context::system(), &note(2)).await.unwrap();
    let found = changes(&driver, &now).await;
    assert_eq!((found.len(), &found[0].table), (1, &TableName::public("notes")));
}
