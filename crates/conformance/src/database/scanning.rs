//! Tables read in key order, a chunk at a time.

use truststream_kernel::{Result, Row, Type, Value};
use truststream_services::database::{Database, DatabaseService, Describe, Scan};

use super::build::{filled, insert, ready, table};
use crate::{Env, Outcome};

/// All rows of a table, and how many chunks they came in.
pub(super) async fn scan_all(
    database: &Database,
    name: &str,
    key: &[&str],
    limit: usize,
) -> Result<(Vec<Row>, usize)> {
    let (mut rows, mut chunks): (Vec<Row>, usize) = (Vec::new(), 0);
    loop {
        let after = rows.last().map(|row| key.iter().filter_map(|name| row.get(name).cloned()).collect());
        let chunk = database.send(Scan::new(table(name), after, limit)).await?;
        assert!(chunk.rows.len() <= limit);
        let done = chunk.rows.len() < limit;
        rows.extend(chunk.rows);
        chunks += 1;
        if done {
            return Ok((rows, chunks));
        }
    }
}

pub(super) async fn chunks_in_key_order(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let order: Vec<usize> = (0..25).map(|at| (at * 7) % 25).collect();
    let rows: Vec<String> =
        order.iter().map(|at| format!(r#"{{"id":{},"title":"t{at}"}}"#, at * 1_000)).collect();
    insert(&database, "albums", &format!("[{}]", rows.join(","))).await?;
    let (rows, chunks) = scan_all(&database, "albums", &["id"], 10).await?;
    let ids: Vec<Option<&Value>> = rows.iter().map(|row| row.get("id")).collect();
    let expected: Vec<Value> = (0..25).map(|at| Value::Int(at * 1_000)).collect();
    assert_eq!(ids, expected.iter().map(Some).collect::<Vec<_>>());
    assert_eq!(chunks, 3);
    assert_eq!(rows[3].get("title"), Some(&Value::Text("t3".into())));
    Ok(())
}

pub(super) async fn keys_of_several_columns(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let (rows, _) = scan_all(&database, "album_genres", &["album_id", "genre_code"], 1).await?;
    let keys: Vec<String> = rows
        .iter()
        .map(|row| row.values.iter().filter_map(Value::to_text).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(keys, ["1,a", "2,a", "2,j"]);
    Ok(())
}

pub(super) async fn between_two_keys_and_backwards(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rows: Vec<String> = (100..125).map(|id| format!(r#"{{"id":{id},"title":"t"}}"#)).collect();
    insert(&database, "albums", &format!("[{}]", rows.join(","))).await?;
    let ids = async |scan: Scan| -> Result<Vec<i64>> {
        let rows = database.send(scan).await?.rows;
        let id = |row: &Row| match row.get("id") {
            Some(Value::Int(id)) => *id,
            other => panic!("{other:?}"),
        };
        Ok(rows.iter().map(id).collect())
    };
    let key = |id: i64| Some(vec![Value::Int(id)]);
    let between = Scan { until: key(113), ..Scan::new(table("albums"), key(110), 10) };
    assert_eq!(ids(between.clone()).await?, [111, 112, 113]);
    assert_eq!(ids(Scan { after: key(113), ..between.clone() }).await?, [0; 0]);
    let greatest = Scan { backwards: true, ..Scan::new(table("albums"), None, 2) };
    assert_eq!(ids(greatest).await?, [124, 123]);
    assert_eq!(ids(Scan { after: key(113), until: key(111), backwards: true, ..between }).await?, [112, 111]);
    // Keys of several columns, the last of which decides.
    let pair = |id: i64, code: &str| Some(vec![Value::Int(id), Value::Text(code.into())]);
    let until = Scan { until: pair(2, "a"), ..Scan::new(table("album_genres"), None, 10) };
    assert_eq!(database.send(until).await?.rows.len(), 2);
    let last = Scan { backwards: true, ..Scan::new(table("album_genres"), None, 1) };
    assert_eq!(database.send(last).await?.rows[0].get("genre_code"), Some(&Value::Text("j".into())));
    Ok(())
}

/// One value for each column of `everything`, as JSON and as a value.
pub(super) fn one_of_each() -> Vec<(&'static str, &'static str, Type)> {
    let (ints, texts) = (Type::Array(Box::new(Type::Int4)), Type::Array(Box::new(Type::Text)));
    vec![
        ("id", "1", Type::Int4),
        ("a_bool", "true", Type::Bool),
        ("a_small", "-7", Type::Int2),
        ("an_int", "42", Type::Int4),
        ("a_big", "9007199254740993", Type::Int8),
        ("a_real", "0.1", Type::Float4),
        ("a_double", "-0.0", Type::Float8),
        ("a_numeric", "12345678901234567890.10", Type::Numeric(None)),
        ("a_price", "1.5", Type::Numeric(Some((6, 2)))),
        ("a_text", r#""é 😀 \n \"""#, Type::Text),
        ("a_varchar", r#""abc""#, Type::Varchar(Some(5))),
        ("a_uuid", r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#, Type::Uuid),
        ("a_timestamptz", r#""2024-01-01T10:00:00.123456+02""#, Type::Timestamptz),
        ("a_timestamp", r#""2024-01-01T10:00:00""#, Type::Timestamp),
        ("a_date", r#""0044-03-15 BC""#, Type::Date),
        ("a_time", r#""23:59:59.5""#, Type::Time),
        ("an_interval", r#""1 mon 2 days 03:00:00""#, Type::Interval),
        ("a_json", r#"{"b":1,"a":1.50,"b":2}"#, Type::Json),
        ("a_jsonb", r#"{"bb":1,"a":[1.50]}"#, Type::Jsonb),
        ("a_bytea", r#""\\x00ff""#, Type::Bytes),
        ("a_mood", r#""happy""#, Type::Enum("mood".into())),
        ("ints", "[1,null,3]", ints),
        ("texts", r#"["a","b,c",null]"#, texts),
    ]
}

/// That row as one JSON object.
pub(super) fn one_of_each_json() -> String {
    let members: Vec<String> =
        one_of_each().iter().map(|(name, json, _)| format!(r#""{name}":{json}"#)).collect();
    format!("{{{}}}", members.join(","))
}

pub(super) async fn every_type_is_read(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    insert(&database, "everything", &one_of_each_json()).await?;
    insert(&database, "everything", r#"{"id":2}"#).await?;
    let (rows, _) = scan_all(&database, "everything", &["id"], 10).await?;
    let catalog = database.send(Describe::default()).await?;
    let Some(described) = catalog.table(&table("everything")) else {
        panic!("everything is not in the catalog")
    };
    for (name, json, ty) in one_of_each() {
        assert_eq!(described.column(name).map(|column| &column.ty), Some(&ty), "type of {name}");
        let value = Value::from_json(&ty, json)?;
        assert_eq!(rows[0].get(name), Some(&value), "value of {name}");
        let null = if name == "id" { Value::Int(2) } else { Value::Null };
        assert_eq!(rows[1].get(name), Some(&null), "null of {name}");
    }
    Ok(())
}
