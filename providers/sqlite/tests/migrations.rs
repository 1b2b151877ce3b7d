//! What is told of the migrations that were applied.

use rusqlite::Connection;
use truststream_kernel::Context;
use truststream_services::database::{DatabaseDriver, MigrationNames, Migrations};

use super::support::{SCHEMA, ready};

#[tokio::test]
async fn names_are_told_without_reading_texts() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let cx = Context::system();
    let listed = driver.migrations(&cx, &Migrations).await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].sql.as_str()), ("1_notes.sql", SCHEMA));
    let direct = Connection::open(folder.path().join("data.db")).unwrap();
    direct.execute_batch("alter table truststream_migrations rename column sql to hidden").unwrap();
    assert!(driver.migrations(&cx, &Migrations).await.is_err());
    assert_eq!(driver.migration_names(&cx, &MigrationNames).await.unwrap(), ["1_notes.sql"]);
}
