//! Rows and changes of another database.

use std::sync::Arc;

use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Capture, Change, ChangeKind, Database, DatabaseService, Mark, Position,
    Query,
};

use super::build::{QueryExt, filled, ids, insert, read, ready, table};
use super::feed::all_after;
use super::scanning::{one_of_each_json, scan_all};
use crate::{Env, Outcome};

fn genre(code: &str, name: &str) -> Row {
    Row {
        columns: Arc::from(["code".to_owned(), "name".to_owned()]),
        values: vec![Value::Text(code.into()), Value::Text(name.into())],
    }
}

fn change(sequence: u64, old: Option<Row>, new: Option<Row>) -> Change {
    let kind = match (&old, &new) {
        (None, _) => ChangeKind::Insert,
        (_, None) => ChangeKind::Delete,
        _ => ChangeKind::Update,
    };
    let mark = Mark { transaction: 0, sequence };
    Change { mark, table: table("genres"), kind, old, new, origin: None, made_at: 1_700_000_000_000_000 }
}

fn step(expected: Option<u64>, position: u64) -> Apply {
    Apply {
        origin: "test/forward".into(),
        expected: expected.map(Position::Sequence),
        position: Some(Position::Sequence(position)),
        rows: Vec::new(),
        changes: Vec::new(),
    }
}

async fn genres(database: &Database) -> Result<String> {
    read(database, "genres", Query::all().ordered(&["code"])).await
}

pub(super) async fn rows_are_inserted_or_replaced(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rows = vec![(table("genres"), vec![genre("a", "replaced"), genre("n", "new")])];
    assert_eq!(database.send(Apply { rows, ..step(None, 1) }).await?, Applied::Done);
    assert_eq!(
        genres(&database).await?,
        r#"[{"code":"a","name":"replaced"},{"code":"j","name":"Jazz"},{"code":"n","name":"new"},{"code":"z","name":"Zydeco"}]"#
    );
    // What references a replaced row stays.
    assert_eq!(read(&database, "album_genres", Query::all()).await?.matches("\"a\"").count(), 2);
    // Every type arrives as it left.
    insert(&database, "everything", &one_of_each_json()).await?;
    let (sent, _) = scan_all(&database, "everything", &["id"], 10).await?;
    let other = env.another().await?;
    super::build::migrate(&other).await?;
    let rows = vec![(table("everything"), sent.clone())];
    assert_eq!(other.send(Apply { rows, ..step(None, 1) }).await?, Applied::Done);
    assert_eq!(scan_all(&other, "everything", &["id"], 10).await?.0, sent);
    Ok(())
}

pub(super) async fn a_chunk_of_a_copy_may_come_twice(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    insert(&database, "everything", &one_of_each_json()).await?;
    let one = scan_all(&database, "everything", &["id"], 10).await?.0.remove(0);
    let numbered = |id: i64| {
        let value = |(name, value): (&String, &Value)| match name.as_str() {
            "id" => Value::Int(id),
            _ if id % 3 == 0 => Value::Null,
            _ => value.clone(),
        };
        let values = one.columns.iter().zip(&one.values).map(value).collect();
        Row { columns: Arc::clone(&one.columns), values }
    };
    let sent: Vec<Row> = (1..=200).map(numbered).collect();
    let other = env.another().await?;
    super::build::migrate(&other).await?;
    let chunk = |rows: &[Row]| Apply {
        origin: "copy".into(),
        expected: None,
        position: None,
        rows: vec![(table("everything"), rows.to_vec())],
        changes: Vec::new(),
    };
    assert_eq!(other.send(chunk(&sent[..120])).await?, Applied::Done);
    assert_eq!(other.send(chunk(&sent[60..])).await?, Applied::Done);
    assert_eq!(scan_all(&other, "everything", &["id"], 70).await?.0, sent);
    Ok(())
}

pub(super) async fn changes_are_applied_in_order(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let changes = vec![
        change(1, None, Some(genre("a", "1"))),
        change(2, None, Some(genre("b", "1"))),
        change(3, Some(genre("a", "1")), Some(genre("a", "2"))),
        change(4, Some(genre("b", "1")), None),
        change(5, None, Some(genre("b", "2"))),
        change(6, Some(genre("b", "2")), Some(genre("c", "moved"))),
    ];
    assert_eq!(database.send(Apply { changes, ..step(None, 6) }).await?, Applied::Done);
    assert_eq!(genres(&database).await?, r#"[{"code":"a","name":"2"},{"code":"c","name":"moved"}]"#);
    // Applied again over rows that are there already, as after a copy, nothing is doubled or lost.
    let again = vec![change(7, None, Some(genre("a", "3"))), change(8, Some(genre("gone", "x")), None)];
    assert_eq!(database.send(Apply { changes: again, ..step(Some(6), 8) }).await?, Applied::Done);
    assert_eq!(genres(&database).await?, r#"[{"code":"a","name":"3"},{"code":"c","name":"moved"}]"#);
    Ok(())
}

pub(super) async fn a_stream_that_stands_elsewhere_is_stale(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let origin = || AppliedPosition { origin: "test/forward".into() };
    assert_eq!(database.send(origin()).await?, None);
    let with =
        |code: &str, apply: Apply| Apply { rows: vec![(table("genres"), vec![genre(code, "x")])], ..apply };
    assert_eq!(database.send(with("a", step(None, 5))).await?, Applied::Done);
    assert_eq!(database.send(origin()).await?, Some(Position::Sequence(5)));
    assert_eq!(database.send(with("b", step(None, 6))).await?, Applied::Stale);
    assert_eq!(database.send(with("c", step(Some(4), 6))).await?, Applied::Stale);
    assert_eq!(database.send(with("d", step(Some(5), 7))).await?, Applied::Done);
    assert_eq!(database.send(origin()).await?, Some(Position::Sequence(7)));
    assert_eq!(genres(&database).await?, r#"[{"code":"a","name":"x"},{"code":"d","name":"x"}]"#);
    // Another stream stands for itself.
    let other = Apply { origin: "other".into(), ..with("e", step(None, 1)) };
    assert_eq!(database.send(other).await?, Applied::Done);
    Ok(())
}

pub(super) async fn rows_without_a_position_come_only_where_their_stream_stands(
    env: Env<DatabaseService>,
) -> Outcome {
    let database = ready(&env).await?;
    let chunk = |code: &str, expected: u64| Apply {
        position: None,
        rows: vec![(table("genres"), vec![genre(code, "x")])],
        ..step(Some(expected), 0)
    };
    // Nobody has the right to write yet.
    assert_eq!(database.send(chunk("a", 1)).await?, Applied::Stale);
    assert_eq!(database.send(step(None, 1)).await?, Applied::Done);
    assert_eq!(database.send(chunk("b", 1)).await?, Applied::Done);
    assert_eq!(database.send(chunk("c", 1)).await?, Applied::Done);
    // Somebody else takes it.
    assert_eq!(database.send(step(Some(1), 2)).await?, Applied::Done);
    assert_eq!(database.send(chunk("d", 1)).await?, Applied::Stale);
    assert_eq!(database.send(chunk("e", 2)).await?, Applied::Done);
    let origin = AppliedPosition { origin: "test/forward".into() };
    assert_eq!(database.send(origin).await?, Some(Position::Sequence(2)));
    let there = r#"[{"code":"b","name":"x"},{"code":"c","name":"x"},{"code":"e","name":"x"}]"#;
    assert_eq!(genres(&database).await?, there);
    Ok(())
}

/// Whoever takes the right to write waits for what is being written, and nothing comes after it.
pub(super) async fn rows_that_are_under_way_come_before_the_stream_moves(
    env: Env<DatabaseService>,
) -> Outcome {
    let database = ready(&env).await?;
    database.send(step(None, 1)).await?;
    for turn in 1..8_u64 {
        let rows = (0..300).map(|row| genre(&format!("{turn}-{row}"), "x")).collect();
        let chunk = Apply { position: None, rows: vec![(table("genres"), rows)], ..step(Some(turn), 0) };
        let before = genres(&database).await?;
        let take = async {
            tokio::time::sleep(std::time::Duration::from_millis(turn)).await;
            let taken = database.send(step(Some(turn), turn + 1)).await?;
            Ok::<_, truststream_kernel::Error>((taken, genres(&database).await?))
        };
        let (chunk, taken) = tokio::join!(database.send(chunk), take);
        let (taken, seen) = taken?;
        assert_eq!(taken, Applied::Done);
        assert_eq!(seen == before, chunk? == Applied::Stale, "turn {turn}");
        assert_eq!(genres(&database).await?, seen, "turn {turn}");
    }
    Ok(())
}

pub(super) async fn changes_carry_their_origin(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let start = database
        .send(Capture { consumer: "test".into(), tables: vec![table("genres"), table("artists")] })
        .await?;
    let rows = vec![(table("genres"), vec![genre("a", "x")])];
    database.send(Apply { rows, ..step(None, 1) }).await?;
    insert(&database, "genres", r#"{"code":"b","name":"own"}"#).await?;
    let found = all_after(&database, &start).await?;
    let origins: Vec<Option<&str>> = found.iter().map(|change| change.origin.as_deref()).collect();
    assert_eq!(origins, [Some("test/forward"), None]);
    assert!(ids(&database, "artists", Query::all()).await?.is_empty());
    Ok(())
}
