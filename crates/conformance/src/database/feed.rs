//! The change feed: every committed change once, in order, from any position on.

use std::time::{Duration, Instant};

use truststream_kernel::{Result, Value};
use truststream_services::database::{
    Batch, Capture, Change, ChangeBatch, ChangeKind, Changes, Database, DatabaseService, Delete, Filter,
    Position, Query, Step, Update,
};

use super::build::{QueryExt, filled, insert, insert_returning, ready, refused, table};
use crate::{Env, Outcome};

async fn capture(database: &Database, tables: &[&str]) -> Result<Position> {
    let tables = tables.iter().map(|name| table(name)).collect();
    database.send(Capture { consumer: "test".into(), tables }).await
}

async fn changes(database: &Database, after: &Position, limit: usize) -> Result<ChangeBatch> {
    database.send(Changes { after: Some(after.clone()), limit, wait: Duration::ZERO }).await
}

/// All changes after a position, reading on until there is nothing more.
pub(super) async fn all_after(database: &Database, after: &Position) -> Result<Vec<Change>> {
    let mut found = Vec::new();
    let mut position = after.clone();
    loop {
        let batch = changes(database, &position, 100).await?;
        found.extend(batch.changes);
        if batch.at_end {
            return Ok(found);
        }
        position = batch.position;
    }
}

fn code(row: Option<&truststream_kernel::Row>) -> Option<String> {
    match row?.get("code")? {
        Value::Text(code) => Some(code.clone()),
        other => Some(format!("{other:?}")),
    }
}

fn update(code: &str, values: &str) -> Update {
    Update::new(table("genres"), values.to_owned(), Query::all().matching(Filter::eq("code", code)))
}

pub(super) async fn changes_come_in_order(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = capture(&database, &["genres"]).await?;
    insert(&database, "genres", r#"[{"code":"a","name":"A"},{"code":"b","name":"B"}]"#).await?;
    database.send(update("a", r#"{"name":"AA"}"#)).await?;
    database.send(Delete::new(table("genres"), Query::all().matching(Filter::eq("code", "b")))).await?;
    let found = all_after(&database, &start).await?;
    let seen: Vec<_> = found
        .iter()
        .map(|change| (change.kind, code(change.old.as_ref()), code(change.new.as_ref())))
        .collect();
    let (a, b) = (|| Some("a".to_owned()), || Some("b".to_owned()));
    assert_eq!(
        seen,
        [
            (ChangeKind::Insert, None, a()),
            (ChangeKind::Insert, None, b()),
            (ChangeKind::Update, a(), a()),
            (ChangeKind::Delete, b(), None),
        ]
    );
    assert!(found.iter().all(|change| change.table == table("genres") && change.origin.is_none()));
    let name = |row: &Option<truststream_kernel::Row>| row.as_ref().and_then(|row| row.get("name").cloned());
    assert_eq!(name(&found[2].old), Some(Value::Text("A".into())));
    assert_eq!(name(&found[2].new), Some(Value::Text("AA".into())));
    assert!(found.windows(2).all(|pair| pair[0].mark.sequence < pair[1].mark.sequence));
    Ok(())
}

pub(super) async fn reading_goes_on_from_a_position(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = capture(&database, &["genres"]).await?;
    for at in 0..25 {
        insert(&database, "genres", &format!(r#"{{"code":"{at:02}","name":"n"}}"#)).await?;
    }
    let mut found = Vec::new();
    let mut position = start.clone();
    for _ in 0..40 {
        let batch = changes(&database, &position, 4).await?;
        for change in &batch.changes {
            assert!(!position.covers(change.mark) && batch.position.covers(change.mark));
        }
        found.extend(batch.changes.iter().filter_map(|change| code(change.new.as_ref())));
        // A position survives being stored.
        let stored = serde_json::to_string(&batch.position)?;
        position = serde_json::from_str(&stored)?;
        if batch.at_end {
            break;
        }
    }
    assert_eq!(found, (0..25).map(|at| format!("{at:02}")).collect::<Vec<_>>());
    assert!(all_after(&database, &position).await?.is_empty());
    let end = database.send(Changes { after: None, limit: 1, wait: Duration::ZERO }).await?;
    assert!(end.changes.is_empty() && all_after(&database, &end.position).await?.is_empty());
    insert(&database, "genres", r#"{"code":"z","name":"n"}"#).await?;
    assert_eq!(all_after(&database, &end.position).await?.len(), 1);
    Ok(())
}

pub(super) async fn only_captured_tables_are_read(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let start = capture(&database, &["genres", "albums"]).await?;
    insert(&database, "artists", r#"{"id":91,"name":"x"}"#).await?;
    insert(&database, "genres", r#"{"code":"x","name":"x"}"#).await?;
    let tables: Vec<_> = all_after(&database, &start).await?.into_iter().map(|change| change.table).collect();
    assert_eq!(tables, [table("genres")]);
    let later = capture(&database, &["artists"]).await?;
    insert(&database, "genres", r#"{"code":"y","name":"y"}"#).await?;
    insert(&database, "artists", r#"{"id":92,"name":"y"}"#).await?;
    let tables: Vec<_> = all_after(&database, &later).await?.into_iter().map(|change| change.table).collect();
    assert_eq!(tables, [table("artists")]);
    Ok(())
}

/// An engine may look through all that for longer than it takes to answer that there is nothing.
pub(super) async fn changes_are_found_behind_many_of_other_tables(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = capture(&database, &["genres"]).await?;
    let rows: Vec<String> = (1_000..3_000).map(|id| format!(r#"{{"id":{id},"name":"{id}"}}"#)).collect();
    insert(&database, "artists", &format!("[{}]", rows.join(","))).await?;
    insert(&database, "genres", r#"{"code":"x","name":"x"}"#).await?;
    let found = all_after(&database, &start).await?;
    assert_eq!(found.iter().filter_map(|change| code(change.new.as_ref())).collect::<Vec<_>>(), ["x"]);
    Ok(())
}

pub(super) async fn what_is_rolled_back_never_comes(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = capture(&database, &["genres"]).await?;
    let steps = vec![
        Step::Insert(insert_returning("genres", r#"{"code":"x","name":"x"}"#)),
        Step::Insert(insert_returning("genres", r#"{"code":"x","name":"again"}"#)),
    ];
    refused(database.send(Batch::new(steps)).await, "23505");
    let mut undone = insert_returning("genres", r#"{"code":"y","name":"y"}"#);
    undone.options.transaction.rollback = true;
    database.send(undone).await?;
    insert(&database, "genres", r#"{"code":"z","name":"z"}"#).await?;
    let found = all_after(&database, &start).await?;
    assert_eq!(found.iter().filter_map(|change| code(change.new.as_ref())).collect::<Vec<_>>(), ["z"]);
    Ok(())
}

pub(super) async fn waiting_ends_when_a_change_comes(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = capture(&database, &["genres"]).await?;
    let began = Instant::now();
    let reader = database.clone();
    let position = start.clone();
    let waiting = tokio::spawn(async move {
        reader.send(Changes { after: Some(position), limit: 10, wait: Duration::from_secs(120) }).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    insert(&database, "genres", r#"{"code":"x","name":"x"}"#).await?;
    let Ok(batch) = waiting.await else { panic!("the reader stopped") };
    assert_eq!(batch?.changes.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(60), "it came after {:?}", began.elapsed());
    let began = Instant::now();
    let after = database.send(Changes { after: None, limit: 1, wait: Duration::ZERO }).await?.position;
    let empty =
        database.send(Changes { after: Some(after), limit: 10, wait: Duration::from_millis(200) }).await?;
    assert!(empty.changes.is_empty() && empty.at_end);
    assert!((150..60_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    Ok(())
}

pub(super) async fn cascades_are_captured(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let start = capture(&database, &["albums", "album_genres"]).await?;
    database.send(Delete::new(table("albums"), Query::all().matching(Filter::eq("id", "2")))).await?;
    let found = all_after(&database, &start).await?;
    let mut tables: Vec<_> = found.iter().map(|change| (change.table.name.as_str(), change.kind)).collect();
    tables.sort_by_key(|(name, _)| *name);
    assert_eq!(
        tables,
        [
            ("album_genres", ChangeKind::Delete),
            ("album_genres", ChangeKind::Delete),
            ("albums", ChangeKind::Delete)
        ]
    );
    Ok(())
}
