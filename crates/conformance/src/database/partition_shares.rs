//! Partitions whose rows, or their numbers, only engines with PostgreSQL's hashes and sequences can tell.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Migrate, MigrationOutcome, Query};

use super::build::{ids, insert, migrated, refused, refused_saying};
use super::partitions::outside;
use super::routines::call;
use crate::{Env, Outcome};

async fn shares(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_shares.sql", include_str!("partition_shares.sql")).await
}

async fn apply(database: &Database, name: &str, sql: &str) -> Result<MigrationOutcome> {
    database.send(Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await
}

pub(super) async fn by_hashes_are_told_by_name(env: Env<DatabaseService>) -> Outcome {
    let database = shares(&env).await?;
    assert_eq!(call(&database, "first_ones", "{}").await?, "[1,2]");
    assert_eq!(call(&database, "other_ones", "{}").await?, "[3,4,5,6,7,8,9,10]");
    let none = "no partition of relation \"spread_1\" found for row";
    refused_saying(insert(&database, "spread", r#"{"id":3,"kind":"b"}"#).await, "23514", none);
    call(&database, "put_first", r#"{"given":1}"#).await?;
    outside(call(&database, "put_first", r#"{"given":3}"#).await, "spread_0", "3, b");
    let renumbered = call(&database, "renumber_first", r#"{"given":2,"becomes":3}"#).await;
    outside(renumbered, "spread_0", "3, a");
    call(&database, "renumber_first", r#"{"given":3,"becomes":1}"#).await?;
    apply(&database, "2_truncate.sql", "truncate spread_1;").await?;
    assert_eq!(ids(&database, "spread", Query::all()).await?, [1, 1, 2]);
    apply(&database, "3_detach.sql", "alter table spread detach partition spread_0;").await?;
    assert_eq!(ids(&database, "spread", Query::all()).await?, [] as [i64; 0]);
    assert_eq!(ids(&database, "spread_0", Query::all()).await?, [1, 1, 2]);
    let none = "no partition of relation \"spread\" found for row";
    refused_saying(insert(&database, "spread", r#"{"id":1,"kind":"a"}"#).await, "23514", none);
    insert(&database, "spread_0", r#"{"id":3,"kind":"z"}"#).await?;
    let attach = "alter table spread attach partition spread_0 for values with (modulus 2, remainder 0);";
    refused(apply(&database, "4_attach.sql", attach).await, "BACKEND_003");
    Ok(())
}

pub(super) async fn keep_the_numbers_of_their_table(env: Env<DatabaseService>) -> Outcome {
    let database = shares(&env).await?;
    apply(&database, "2_detach.sql", "alter table tickets detach partition tickets_a;").await?;
    insert(&database, "tickets_a", r#"{"kind":"x"}"#).await?;
    insert(&database, "tickets", r#"{"kind":"b"}"#).await?;
    insert(&database, "tickets_a", r#"[{"kind":"a"},{"kind":"b"}]"#).await?;
    assert_eq!(ids(&database, "tickets_a", Query::all()).await?, [1, 3, 5, 6]);
    assert_eq!(ids(&database, "tickets", Query::all()).await?, [2, 4]);
    refused(apply(&database, "3_drop.sql", "drop table tickets;").await, "BACKEND_003");
    apply(&database, "4_drop.sql", "drop table tickets_a, tickets;").await?;
    Ok(())
}
