//! What the feed forgets, it says.

use std::time::Duration;

use truststream_kernel::Context;
use truststream_services::database::{Capture, Changes, DatabaseDriver, Position};
use truststream_sqlite::{Config, SqliteDriver};

use super::support::{migrate, note, notes};

#[tokio::test]
async fn a_trimmed_position_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { path: folder.path().join("data.db"), feed_retention_s: 1, ..Config::default() };
    let driver = SqliteDriver::open(config).await.unwrap();
    migrate(&driver).await;
    let cx = Context::system();
    let capture = Capture { consumer: "test".into(), tables: vec![notes()] };
    let start = driver.capture(&cx, &capture).await.unwrap();
    driver.insert(&cx, &note(1)).await.unwrap();
    let after =
        |position: &Position| Changes { after: Some(position.clone()), limit: 10, wait: Duration::ZERO };
    let first = driver.changes(&cx, &after(&start)).await.unwrap();
    assert_eq!(first.changes.len(), 1);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    // Whoever reads, trims what is too old, and whoever has read it is not harmed.
    driver.insert(&cx, &note(2)).await.unwrap();
    // It is kept however long this takes.
    let direct = rusqlite::Connection::open(folder.path().join("data.db")).unwrap();
    direct.busy_timeout(Duration::from_secs(120)).unwrap();
    let later = "update truststream_changes set made_at = made_at + 3600000000 where new like '%note 2%'";
    assert_eq!(direct.execute(later, []).unwrap(), 1);
    let second = driver.changes(&cx, &after(&first.position)).await.unwrap();
    assert_eq!(second.changes.len(), 1);
    assert!(driver.changes(&cx, &after(&second.position)).await.unwrap().changes.is_empty());
    let error = driver.changes(&cx, &after(&start)).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_010");
    assert_eq!(driver.changes(&cx, &after(&first.position)).await.unwrap().changes.len(), 1);
}
