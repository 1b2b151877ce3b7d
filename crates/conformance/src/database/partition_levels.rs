//! Partitions that are divided into partitions.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Migrate, MigrationOutcome, Query};

use super::build::{QueryExt, details, insert, migrated, read, refused, refused_saying};
use super::partitions::outside;
use super::routines::call;
use crate::{Env, Outcome};

async fn divided(env: &Env<DatabaseService>) -> Result<Database> {
    let database = migrated(env, "1_levels.sql", include_str!("partition_levels.sql")).await?;
    let rows = r#"[{"id":1,"kind":"a","year":1990},{"id":2,"kind":"a","year":2010},{"id":3,"kind":"b","year":2010}]"#;
    insert(&database, "events", rows).await?;
    Ok(database)
}

async fn ids(database: &Database, table: &str) -> Result<String> {
    read(database, table, Query::all().columns(&["id"]).ordered(&["id"])).await
}

async fn apply(database: &Database, name: &str, sql: &str) -> Result<MigrationOutcome> {
    database.send(Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await
}

pub(super) async fn are_read_and_written_by_their_names(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    let none = "no partition of relation \"events_a\" found for row";
    let late = insert(&database, "events", r#"{"id":4,"kind":"a","year":2040}"#).await;
    let error = refused_saying(late, "23514", none);
    assert_eq!(details(&error), "Partition key of the failing row contains (year) = (2040).");
    let twice = "duplicate key value violates unique constraint \"events_a_old_pkey\"";
    refused_saying(insert(&database, "events", r#"{"id":1,"kind":"a","year":1990}"#).await, "23505", twice);
    let does = |function: &'static str, arguments: &'static str| {
        let database = database.clone();
        async move { call(&database, function, arguments).await }
    };
    assert_eq!(does("count_a", "{}").await?, r#""2 1""#);
    does("put_a_old", r#"{"given":5,"of_kind":"a","of_year":1980}"#).await?;
    let other = does("put_a_old", r#"{"given":6,"of_kind":"b","of_year":1980}"#).await;
    outside(other, "events_a_old", "6, b, 1980");
    let other = does("put_a_old", r#"{"given":6,"of_kind":"a","of_year":2010}"#).await;
    outside(other, "events_a_old", "6, a, 2010");
    // A partition that has its rows itself tells of nulls first, one that passes them on of its own bound.
    refused(does("put_a_old", r#"{"given":6,"of_kind":null,"of_year":1980}"#).await, "23502");
    outside(does("put_a", r#"{"given":6,"of_kind":null,"of_year":1980}"#).await, "events_a", "6, null, 1980");
    outside(does("put_a", r#"{"given":6,"of_kind":"b","of_year":1980}"#).await, "events_a", "6, b, 1980");
    refused_saying(does("put_a", r#"{"given":6,"of_kind":"a","of_year":2040}"#).await, "23514", none);
    let moved = does("age_a_new", r#"{"given":2,"to_year":1995}"#).await;
    outside(moved, "events_a_new", "2, a, 1995");
    does("age_a", r#"{"given":2,"to_year":1995}"#).await?;
    assert_eq!(does("count_a", "{}").await?, r#""3 3""#);
    outside(does("turn_a", r#"{"given":2,"to_kind":"b","to_year":2011}"#).await, "events_a", "2, b, 2011");
    apply(&database, "2_fill.sql", "insert into events_a_new values (9, 'a', 2020);").await?;
    assert_eq!(does("count_a", "{}").await?, r#""4 3""#);
    apply(&database, "3_truncate.sql", "truncate events_a_old restart identity;").await?;
    assert_eq!(does("count_a", "{}").await?, r#""1 0""#);
    apply(&database, "4_truncate.sql", "truncate table events_a;").await?;
    assert_eq!(ids(&database, "events").await?, r#"[{"id":3}]"#);
    Ok(())
}

pub(super) async fn come_and_go_with_their_parts(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    let lacking =
        "create table short (id int, kind text, year int, primary key (id, kind)) partition by list (kind);
        create table short_a partition of short for values in ('a') partition by range (year);";
    assert!(apply(&database, "2_lacking.sql", lacking).await.is_err(), "a key without a column that decides");
    let overlapping = "create table twice partition of events_a for values from (1999) to (2001);";
    refused(apply(&database, "2_overlapping.sql", overlapping).await, "BACKEND_003");
    apply(&database, "2_detach.sql", "alter table events detach partition events_a;").await?;
    assert_eq!(ids(&database, "events").await?, r#"[{"id":3}]"#);
    assert_eq!(ids(&database, "events_a").await?, r#"[{"id":1},{"id":2}]"#);
    let put = |row: &'static str| {
        let database = database.clone();
        async move { insert(&database, "events_a", row).await }
    };
    refused(put(r#"{"id":8,"kind":"a","year":2040}"#).await, "23514");
    put(r#"{"id":8,"kind":"q","year":1990}"#).await?;
    let attach = "alter table events attach partition events_a for values in ('a');";
    refused(apply(&database, "3_attach.sql", attach).await, "BACKEND_003");
    apply(&database, "4_attach.sql", &format!("drop table events_a_old; {attach}")).await?;
    assert_eq!(ids(&database, "events").await?, r#"[{"id":2},{"id":3}]"#);
    let old = || insert(&database, "events", r#"{"id":1,"kind":"a","year":1990}"#);
    refused(old().await, "23514");
    apply(&database, "5_rest.sql", "create table events_a_rest partition of events_a default;").await?;
    old().await?;
    let claims = "create table events_a_older partition of events_a for values from (minvalue) to (2000);";
    refused(apply(&database, "6_claims.sql", claims).await, "BACKEND_003");
    apply(
        &database,
        "7_drop.sql",
        "alter table events_a detach partition events_a_rest; drop table events_a;",
    )
    .await?;
    assert_eq!(ids(&database, "events").await?, r#"[{"id":3}]"#);
    assert_eq!(ids(&database, "events_a_rest").await?, r#"[{"id":1}]"#);
    insert(&database, "events", r#"{"id":1,"kind":"a","year":1990}"#).await?;
    Ok(())
}
