//! Rows of another database: looked at here while the collections take anything.

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Row, Value};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    Applied, AppliedMigration, Apply, Change, ChangeKind, DatabaseDriver, Mark, Position, Prepare, TableName,
};

use crate::server::config;

const SCHEMA: &str = "
create type mood as enum ('sad', 'happy');
create table people (id bigint primary key, name text not null, mood mood, age int);
";

fn row(id: i64, name: Value, mood: &str, age: Value) -> Row {
    let columns: Arc<[String]> = ["id", "name", "mood", "age"].map(str::to_owned).into();
    Row { columns, values: vec![Value::Int(id), name, Value::Text(mood.into()), age] }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn arriving(at: Option<u64>, rows: Vec<Row>) -> Apply {
    Apply {
        origin: "there".into(),
        expected: at.map(Position::Sequence),
        position: Some(Position::Sequence(at.map_or(1, |at| at + 1))),
        rows: vec![(TableName::public("people"), rows)],
        changes: Vec::new(),
    }
}

fn inserted(row: Row) -> Change {
    let (mark, table) = (Mark { transaction: 0, sequence: 1 }, TableName::public("people"));
    Change { mark, table, kind: ChangeKind::Insert, old: None, new: Some(row), origin: None, made_at: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_table_can_not_have_are_refused_whoever_looks() {
    let server = MongoServer::start().unwrap();
    let (name, cx) = (server.new_database(), Context::system());
    let config = config(server.url(), name.as_str());
    let driver = MongoDriver::open(config).await.unwrap();
    let raw = mongodb::Client::with_uri_str(server.url()).await.unwrap();
    let people = raw.database(&name).collection::<Document>("public.people");
    let migrations = vec![AppliedMigration { name: "1.sql".into(), sql: SCHEMA.into() }];
    driver.prepare(&cx, &Prepare::Begin { migrations }).await.unwrap();
    let good = row(1, text("Ada"), "sad", Value::Null);
    for (bad, code) in [
        (row(2, Value::Null, "sad", Value::Int(1)), "23502"),
        (row(2, text("Bo"), "bored", Value::Int(1)), "23514"),
        (row(2, text("Bo"), "happy", text("old")), "23514"),
    ] {
        let both = arriving(None, vec![good.clone(), bad.clone()]);
        assert_eq!(driver.apply(&cx, &both).await.unwrap_err().code(), code);
        let change = inserted(bad);
        let followed = Apply { rows: Vec::new(), changes: vec![change], ..arriving(None, Vec::new()) };
        assert_eq!(driver.apply(&cx, &followed).await.unwrap_err().code(), code);
    }
    assert_eq!(people.count_documents(doc! {}).await.unwrap(), 0);
    assert_eq!(driver.apply(&cx, &arriving(None, vec![good.clone()])).await.unwrap(), Applied::Done);
    // Sent twice, it comes too late; once more from where the stream stands, it is taken.
    assert_eq!(driver.apply(&cx, &arriving(None, vec![good.clone()])).await.unwrap(), Applied::Stale);
    assert_eq!(driver.apply(&cx, &arriving(Some(7), vec![good.clone()])).await.unwrap(), Applied::Stale);
    assert_eq!(driver.apply(&cx, &arriving(Some(1), vec![good])).await.unwrap(), Applied::Done);
    assert_eq!(people.count_documents(doc! {}).await.unwrap(), 1);
    let stray = || people.insert_one(doc! { "_id": 9_i64, "id": 9_i64, "name": 9 });
    driver.prepare(&cx, &Prepare::Finish).await.unwrap();
    assert!(stray().await.is_err(), "the collection's own rules are back");
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
}
