//! Checks of one partition alone.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Filter, Migrate, MigrationOutcome, Page, Query, Update,
};

use super::build::{QueryExt, ids, insert, migrated, refused, refused_saying, table};
use super::partitions::outside;
use super::routines::call;
use crate::{Env, Outcome};

async fn checked(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_checks.sql", include_str!("partition_checks.sql")).await
}

async fn apply(database: &Database, name: &str, sql: &str) -> Result<MigrationOutcome> {
    database.send(Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await
}

async fn put(database: &Database, id: i32, kind: &str, amount: i32) -> Result<Page> {
    insert(database, "goods", &format!(r#"{{"id":{id},"kind":"{kind}","amount":{amount}}}"#)).await
}

#[track_caller]
fn violates<T>(outcome: Result<T>, relation: &str, check: &str) {
    let message = format!("new row for relation \"{relation}\" violates check constraint \"{check}\"");
    refused_saying(outcome, "23514", &message);
}

pub(super) async fn hold_for_its_rows_only(env: Env<DatabaseService>) -> Outcome {
    let database = checked(&env).await?;
    violates(put(&database, 1, "a", 10).await, "goods_a", "few");
    violates(put(&database, 0, "a", 1).await, "goods_a", "goods_a_id_check");
    violates(put(&database, 1, "b", 5).await, "goods_b_low", "few");
    violates(put(&database, 1, "b", -5).await, "goods_b_low", "shared");
    violates(put(&database, 1, "c", 1000).await, "goods_rest", "goods_amount_check");
    put(&database, 1, "a", 9).await?;
    put(&database, 2, "b", 4).await?;
    put(&database, 100, "b", 999).await?;
    // What is wrong with a row of another partition is not looked at.
    put(&database, 0, "c", 0).await?;
    refused(put(&database, 101, "b", 0).await, "22012");
    let first = || Query::all().matching(Filter::eq("id", "1"));
    let update = |values: &str| Update::new(table("goods"), values.to_owned(), first());
    violates(database.send(update(r#"{"amount":10}"#)).await, "goods_a", "few");
    violates(database.send(update(r#"{"kind":"b"}"#)).await, "goods_b_low", "few");
    database.send(update(r#"{"kind":"d","amount":12}"#)).await?;
    violates(call(&database, "put_a", r#"{"given":5,"of_kind":"a","many":11}"#).await, "goods_a", "few");
    outside(call(&database, "put_a", r#"{"given":5,"of_kind":"b","many":1}"#).await, "goods_a", "5, b, 1");
    assert_eq!(ids(&database, "goods", Query::all()).await?, [0, 1, 2, 100]);
    violates(insert(&database, "shards", r#"{"id":3}"#).await, "shards_1", "noted");
    insert(&database, "shards", r#"{"id":1}"#).await?;
    insert(&database, "shards", r#"{"id":3,"note":"x"}"#).await?;
    Ok(())
}

pub(super) async fn come_and_go(env: Env<DatabaseService>) -> Outcome {
    let database = checked(&env).await?;
    put(&database, 1, "a", 9).await?;
    put(&database, 200, "b", 90).await?;
    for (name, sql) in [
        ("2_violated.sql", "alter table goods_a add constraint fewer check (amount < 9);"),
        ("2_taken.sql", "alter table goods_a add constraint few check (id < 9);"),
        ("2_above.sql", "alter table goods add constraint few check (id < 9);"),
        ("2_inherited.sql", "alter table goods_a drop constraint goods_amount_check;"),
        ("2_missing.sql", "alter table goods_a drop constraint shared;"),
    ] {
        refused(apply(&database, name, sql).await, "BACKEND_003");
    }
    apply(&database, "3_other.sql", "alter table goods_b_high add constraint few check (amount < 100);")
        .await?;
    violates(put(&database, 201, "b", 100).await, "goods_b_high", "few");
    apply(&database, "4_drop.sql", "alter table goods_a drop constraint few;").await?;
    put(&database, 2, "a", 10).await?;
    violates(put(&database, 1, "b", 5).await, "goods_b_low", "few");
    apply(&database, "5_renamed.sql", "alter table goods rename column amount to many;").await?;
    let row = r#"{"id":202,"kind":"b","many":100}"#;
    violates(insert(&database, "goods", row).await, "goods_b_high", "few");
    apply(&database, "6_alone.sql", "alter table goods detach partition goods_b;").await?;
    violates(insert(&database, "goods_b", row).await, "goods_b_high", "few");
    refused(insert(&database, "goods_b", r#"{"id":9,"kind":"b","many":0}"#).await, "22012");
    put_renamed(&database, 7, "b").await?;
    apply(&database, "7_clear.sql", "truncate goods_rest;").await?;
    let attach = "alter table goods attach partition goods_b for values in ('b');";
    apply(&database, "8_attach.sql", attach).await?;
    violates(insert(&database, "goods", row).await, "goods_b_high", "few");
    violates(insert(&database, "goods", r#"{"id":9,"kind":"b","many":-5}"#).await, "goods_b_low", "shared");
    apply(&database, "9_drop.sql", "drop table goods_b;").await?;
    put_renamed(&database, 8, "b").await?;
    Ok(())
}

/// A row that goes to the rest.
async fn put_renamed(database: &Database, id: i32, kind: &str) -> Result<Page> {
    insert(database, "goods", &format!(r#"{{"id":{id},"kind":"{kind}","many":500}}"#)).await
}
