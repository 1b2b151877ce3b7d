//! Writes that share a commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truststream_kernel::Context;
use truststream_services::database::{DatabaseDriver, Insert, Migrate, OnConflict, Query, Select};

use super::support::{ids, note, notes, open, ready};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_write_takes_none_of_its_group_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let driver = Arc::new(ready(folder.path()).await);
    let writes: Vec<_> = (0..400)
        .map(|id| {
            let driver = Arc::clone(&driver);
            tokio::spawn(async move {
                // Every fourth repeats a key, or is half right.
                let write = match id % 4 {
                    3 => Insert::new(
                        notes(),
                        format!(r#"[{{"id":{id},"body":"x"}},{{"id":{id},"body":"y"}}]"#),
                    ),
                    _ => note(id),
                };
                driver.insert(&Context::system(), &write).await.map(|page| page.rows)
            })
        })
        .collect();
    for (id, write) in writes.into_iter().enumerate() {
        match write.await.unwrap() {
            Ok(rows) => assert!(id % 4 != 3 && rows == 1, "{id}"),
            Err(error) => assert_eq!((id % 4, error.code()), (3, "23505"), "{error:?}"),
        }
    }
    let expected: Vec<i64> = (0..400).filter(|id| id % 4 != 3).collect();
    assert_eq!(ids(&driver).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_share_commits_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = Arc::new(ready(folder.path()).await);
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let driver = Arc::clone(&driver);
            tokio::spawn(async move {
                for id in 0..16 {
                    driver.insert(&Context::system(), &note(writer * 1_000 + id)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let wanted: Vec<i64> = (0..64).flat_map(|writer| (0..16).map(move |id| writer * 1_000 + id)).collect();
    assert_eq!(ids(&driver).await, wanted);
}

#[tokio::test]
async fn a_pause_moves_the_log_into_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    for id in 0..100 {
        driver.insert(&Context::system(), &note(id)).await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        // The file alone, without its log.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("data.db"), copy.path().join("data.db")).unwrap();
        if let Ok(alone) = open(copy.path()).await
            && alone.select(&Context::system(), &Select::new(notes(), Query::all())).await.is_ok()
            && ids(&alone).await.len() == 100
        {
            break;
        }
        assert!(Instant::now() < deadline, "the log was not moved");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    driver.insert(&Context::system(), &note(100)).await.unwrap();
    assert_eq!(ids(&driver).await.len(), 101);
}

#[tokio::test]
async fn who_may_only_insert_inserts() {
    let folder = tempfile::tempdir().unwrap();
    let driver = ready(folder.path()).await;
    let sql = "grant insert on notes to anon;".to_owned();
    let migration = Migrate { name: "2_grants.sql".into(), sql, dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
    let anon = Context::role("anon");
    assert_eq!(driver.insert(&anon, &note(1)).await.unwrap().rows, 1);
    let upsert = Insert { on_conflict: Some(OnConflict { columns: None, merge: true }), ..note(1) };
    assert_eq!(driver.insert(&anon, &upsert).await.unwrap_err().code(), "42501");
}
