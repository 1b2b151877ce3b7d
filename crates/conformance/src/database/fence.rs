//! Tables closed to everybody but the streams that are named.

use std::sync::Arc;
use std::time::Duration;

use truststream_kernel::{ErrorKind, Result, Row, Value};
use truststream_services::database::{
    Applied, Apply, Database, DatabaseService, Delete, Fence, FenceStep, Filter, Position, Query, Update,
};

use super::build::{QueryExt, filled, insert, read, refused, table};
use crate::{Env, Outcome};

fn fence(epoch: u64, step: FenceStep) -> Fence {
    Fence { tables: vec![table("genres")], streams: "switch-1/".into(), epoch, step }
}

fn renamed(name: &str, origin: &str, at: u64) -> Apply {
    let columns = Arc::from(["code".to_owned(), "name".to_owned()]);
    let row = Row { columns, values: vec![Value::Text("a".into()), Value::Text(name.into())] };
    Apply {
        origin: origin.into(),
        expected: None,
        position: Some(Position::Sequence(at)),
        rows: vec![(table("genres"), vec![row])],
        changes: Vec::new(),
    }
}

async fn assert_closed(database: &Database) {
    let of_a = || Query::all().matching(Filter::eq("code", "a"));
    let update = Update::new(table("genres"), r#"{"name":"stray"}"#, of_a());
    for error in [
        refused(insert(database, "genres", r#"{"code":"n","name":"New"}"#).await, "BACKEND_006"),
        refused(database.send(update).await, "BACKEND_006"),
        refused(database.send(Delete::new(table("genres"), of_a())).await, "BACKEND_006"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Fenced);
    }
}

async fn name_of_a(database: &Database) -> Result<String> {
    read(database, "genres", Query::all().matching(Filter::eq("code", "a"))).await
}

pub(super) async fn closes_tables_to_all_but_its_streams(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    database.send(fence(3, FenceStep::Install)).await?;
    insert(&database, "genres", r#"{"code":"o","name":"Open"}"#).await?;
    database.send(fence(4, FenceStep::Close { hold: None })).await?;
    assert_closed(&database).await;
    insert(&database, "artists", r#"{"id":9,"name":"elsewhere"}"#).await?;
    assert_eq!(database.send(renamed("followed", "switch-1/backward", 1)).await?, Applied::Done);
    assert_eq!(name_of_a(&database).await?, r#"[{"code":"a","name":"followed"}]"#);
    refused(database.send(renamed("other", "switch-12/backward", 1)).await, "BACKEND_006");
    database.send(fence(5, FenceStep::Open)).await?;
    insert(&database, "genres", r#"{"code":"p","name":"Open again"}"#).await?;
    // It stays installed, and closing it again is all the same whoever does it how often.
    for _ in 0..2 {
        database.send(fence(6, FenceStep::Close { hold: None })).await?;
    }
    assert_closed(&database).await;
    database.send(fence(7, FenceStep::Remove)).await?;
    insert(&database, "genres", r#"{"code":"q","name":"Free"}"#).await?;
    Ok(())
}

pub(super) async fn is_not_closed_by_who_comes_late(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    database.send(fence(4, FenceStep::Install)).await?;
    database.send(fence(5, FenceStep::Open)).await?;
    refused(database.send(fence(4, FenceStep::Close { hold: None })).await, "BACKEND_007");
    insert(&database, "genres", r#"{"code":"n","name":"New"}"#).await?;
    // Nor is it opened by them.
    database.send(fence(6, FenceStep::Close { hold: None })).await?;
    database.send(fence(5, FenceStep::Open)).await?;
    assert_closed(&database).await;
    Ok(())
}

pub(super) async fn opens_by_itself_when_it_is_due(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    database.send(fence(1, FenceStep::Install)).await?;
    let hold = Some(Duration::from_secs(8));
    database.send(fence(2, FenceStep::Close { hold })).await?;
    assert_closed(&database).await;
    tokio::time::sleep(Duration::from_millis(8_100)).await;
    insert(&database, "genres", r#"{"code":"n","name":"New"}"#).await?;
    Ok(())
}
