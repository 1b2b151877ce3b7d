//! Many callers at once: nothing is lost, doubled or half seen.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{
    Applied, Apply, Batch, Capture, Change, ChangeKind, Changes, Chunk, Database, DatabaseService, Delete,
    Filter, Order, Position, Query, Scan, Step, Update,
};

use super::build::{QueryExt, ascending, ids, insert, insert_returning, migrate, read, ready, table};
use super::scanning::scan_all;
use crate::{Env, Outcome};

const WRITERS: i64 = 6;
const ROUNDS: i64 = 25;

/// Writers that insert, change and delete rows of `albums`, each its own.
fn write(database: &Database) -> Vec<JoinHandle<Result<()>>> {
    let writer = |number: i64| {
        let database = database.clone();
        async move {
            for round in 0..ROUNDS {
                let id = round * WRITERS + number;
                insert(&database, "albums", &format!(r#"{{"id":{id},"title":"new","price":{round}}}"#))
                    .await?;
                let own = Query::all().matching(Filter::eq("id", id.to_string()));
                if round % 2 == 0 {
                    database
                        .send(Update::new(table("albums"), r#"{"title":"changed"}"#.to_owned(), own))
                        .await?;
                } else if round % 5 == 0 {
                    database.send(Delete::new(table("albums"), own)).await?;
                }
            }
            Ok(())
        }
    };
    (0..WRITERS).map(|number| tokio::spawn(writer(number))).collect()
}

async fn all(writers: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    for writer in writers {
        match writer.await {
            Ok(outcome) => outcome?,
            Err(stopped) => panic!("a writer stopped: {stopped}"),
        }
    }
    Ok(())
}

/// Numbers that the writers leave behind.
fn left() -> Vec<i64> {
    let gone = |round: i64| round % 2 != 0 && round % 5 == 0;
    (0..ROUNDS)
        .filter(|round| !gone(*round))
        .flat_map(|round| (0..WRITERS).map(move |n| round * WRITERS + n))
        .collect()
}

pub(super) async fn writers_do_not_hinder_one_another(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    all(write(&database)).await?;
    assert_eq!(ids(&database, "albums", Query::all()).await?, left());
    Ok(())
}

pub(super) async fn readers_see_whole_transactions(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    insert(&database, "genres", r#"[{"code":"a","name":"0"},{"code":"b","name":"0"}]"#).await?;
    let rename = |code: &str, name: i64| {
        let own = Query::all().matching(Filter::eq("code", code));
        Step::Update(Update::new(table("genres"), format!(r#"{{"name":"{name}"}}"#), own))
    };
    let writer = database.clone();
    let writing = tokio::spawn(async move {
        for name in 1..60 {
            writer.send(Batch::new(vec![rename("a", name), rename("b", name)])).await?;
        }
        Ok(())
    });
    while !writing.is_finished() {
        let names = read(&database, "genres", Query::all().columns(&["name"]).ordered(&["code"])).await?;
        let names: Vec<&str> = names.split(',').map(|row| row.trim_matches(['[', ']'])).collect();
        assert_eq!(names[0], names[1], "half a transaction was seen");
        tokio::task::yield_now().await;
    }
    all(vec![writing]).await?;
    Ok(())
}

fn id(row: Option<&Row>) -> Option<i64> {
    match row?.get("id") {
        Some(Value::Int(id)) => Some(*id),
        _ => None,
    }
}

/// Changes after a position until the writers have ended and nothing is left.
async fn follow(
    database: &Database,
    mut position: Position,
    writers: Vec<JoinHandle<Result<()>>>,
) -> Result<Vec<Change>> {
    let mut found = Vec::new();
    loop {
        let ended = writers.iter().all(JoinHandle::is_finished);
        let wait = Duration::from_millis(20);
        let batch = database.send(Changes { after: Some(position), limit: 37, wait }).await?;
        found.extend(batch.changes);
        position = batch.position;
        if ended && batch.at_end {
            all(writers).await?;
            return Ok(found);
        }
    }
}

pub(super) async fn a_feed_read_while_written_loses_nothing(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = database.send(Capture { consumer: "test".into(), tables: vec![table("albums")] }).await?;
    let found = follow(&database, start, write(&database)).await?;
    // What was said of each row, in order.
    let mut stories: BTreeMap<i64, Vec<ChangeKind>> = BTreeMap::new();
    for change in &found {
        let Some(id) = id(change.new.as_ref().or(change.old.as_ref())) else { panic!("no id in {change:?}") };
        stories.entry(id).or_default().push(change.kind);
    }
    assert_eq!(stories.len(), (WRITERS * ROUNDS) as usize);
    for (id, story) in stories {
        let round = id / WRITERS;
        let second = match (round % 2 == 0, round % 5 == 0) {
            (true, _) => Some(ChangeKind::Update),
            (false, true) => Some(ChangeKind::Delete),
            (false, false) => None,
        };
        let expected: Vec<ChangeKind> = std::iter::once(ChangeKind::Insert).chain(second).collect();
        assert_eq!(story, expected, "row {id}");
    }
    Ok(())
}

/// Copies a table chunk by chunk while it is written; returns where the first chunk stood.
async fn copy(source: &Database, target: &Database) -> Result<Position> {
    let (mut first, mut after) = (None, None);
    loop {
        let chunk: Chunk = source.send(Scan::new(table("albums"), after, 7)).await?;
        let done = chunk.rows.len() < 7;
        let position = first.get_or_insert(chunk.position).clone();
        after = chunk.rows.last().map(|row| row.get("id").cloned().into_iter().collect());
        let rows = vec![(table("albums"), chunk.rows)];
        let origin = "test/copy".to_owned();
        target.send(Apply { origin, expected: None, position: None, rows, changes: Vec::new() }).await?;
        if done {
            return Ok(position);
        }
    }
}

pub(super) async fn a_copy_that_follows_ends_equal(env: Env<DatabaseService>) -> Outcome {
    let source = ready(&env).await?;
    let target = env.another().await?;
    migrate(&target).await?;
    let rows: Vec<String> = (1_000..1_100).map(|id| format!(r#"{{"id":{id},"title":"old"}}"#)).collect();
    insert(&source, "albums", &format!("[{}]", rows.join(","))).await?;
    source.send(Capture { consumer: "test".into(), tables: vec![table("albums")] }).await?;
    let writers = write(&source);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let position = copy(&source, &target).await?;
    // Changes from the first chunk on are applied over all chunks: those a later chunk holds
    // already must do no harm.
    let changes = follow(&source, position, writers).await?;
    let apply =
        Apply { origin: "test/follow".into(), expected: None, position: None, rows: Vec::new(), changes };
    assert_eq!(target.send(apply).await?, Applied::Done);
    let (copied, _) = scan_all(&target, "albums", &["id"], 50).await?;
    assert_eq!(copied, scan_all(&source, "albums", &["id"], 50).await?.0);
    let newest =
        Query { order: vec![Order { descending: true, ..ascending("id") }], limit: Some(1), ..Query::all() };
    assert_eq!(ids(&target, "albums", newest).await?, [1_099]);
    let mut one = insert_returning("albums", r#"{"id":5000,"title":"x"}"#);
    one.query = Query::all().columns(&["id"]);
    target.send(one).await?;
    Ok(())
}
