//! Policies of one partition alone.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Migrate, MigrationOutcome};

use super::build::{ALICE, BOB, insert, migrated, refused, refused_saying, signed_in};
use super::routines::call;
use crate::{Env, Outcome};

async fn ready(env: &Env<DatabaseService>) -> Result<Database> {
    let database = migrated(env, "1_rooms.sql", include_str!("partition_policies.sql")).await?;
    let row = |id: i32, owner: &str, kind: &str, rank: i32| {
        format!(r#"{{"id":{id},"owner":"{owner}","kind":"{kind}","rank":{rank}}}"#)
    };
    let rows = [
        row(1, ALICE, "open", 0),
        row(2, BOB, "open", 2),
        row(3, BOB, "open", 6),
        row(4, BOB, "open", 7),
        row(5, ALICE, "shut", 1),
        row(6, BOB, "shut", 2),
    ];
    insert(&database, "rooms", &format!("[{}]", rows.join(","))).await?;
    insert(&database, "guests", &format!(r#"[{{"who":"{ALICE}","room":2}},{{"who":"{BOB}","room":1}}]"#))
        .await?;
    Ok(database)
}

async fn apply(database: &Database, name: &str, sql: &str) -> Result<MigrationOutcome> {
    database.send(Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await
}

pub(super) async fn hold_where_it_is_named(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let (alice, bob) = (signed_in(&database, ALICE), signed_in(&database, BOB));
    assert_eq!(call(&database, "seen", "{}").await?, r#""6 4 2 2""#);
    // The rooms that are hers; one where she is a guest, two of a high rank; those of rank one; all by a name
    // that has no policies.
    assert_eq!(call(&alice, "seen", "{}").await?, r#""2 3 1 2""#);
    assert_eq!(call(&bob, "seen", "{}").await?, r#""4 3 1 2""#);
    let denied = "new row violates row-level security policy for table \"rooms_open\"";
    let shut = "new row violates row-level security policy for table \"rooms_shut\"";
    call(&alice, "put_open", r#"{"given":10,"given_rank":4}"#).await?;
    let high = call(&alice, "put_open", r#"{"given":11,"given_rank":5}"#).await;
    refused_saying(high, "42501", denied);
    // What is told of it has to be readable.
    refused_saying(call(&alice, "put_and_see", r#"{"given":11,"given_rank":4}"#).await, "42501", denied);
    refused_saying(call(&alice, "put_shut", r#"{"given":12}"#).await, "42501", shut);
    call(&database, "put_shut", r#"{"given":12}"#).await?;
    // Those that can be seen and lifted: of ranks 2, 6 and 7.
    refused_saying(call(&alice, "lift_open", r#"{"by_rank":3}"#).await, "42501", denied);
    Ok(())
}

pub(super) async fn hold_for_changes_too(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let alice = signed_in(&database, ALICE);
    assert_eq!(call(&alice, "clear_open", "{}").await?, r#""1""#);
    assert_eq!(call(&alice, "lift_open", r#"{"by_rank":1}"#).await?, r#""2""#);
    assert_eq!(call(&alice, "clear_open", "{}").await?, r#""1""#);
    assert_eq!(call(&alice, "seen", "{}").await?, r#""2 1 1 2""#);
    apply(
        &database,
        "2_open.sql",
        "drop policy guests on rooms_open; alter policy shut on rooms_shut using (true);",
    )
    .await?;
    assert_eq!(call(&alice, "seen", "{}").await?, r#""2 0 2 2""#);
    let twice = "create policy keep on rooms_open using (true);";
    refused(apply(&database, "3_twice.sql", twice).await, "BACKEND_003");
    refused(apply(&database, "3_none.sql", "drop policy own on rooms_open;").await, "BACKEND_003");
    apply(&database, "4_renamed.sql", "alter table rooms rename column rank to height;").await?;
    let anew = "alter table rooms rename column height to rank;";
    apply(&database, "5_renamed.sql", anew).await?;
    assert_eq!(call(&alice, "seen", "{}").await?, r#""2 0 2 2""#);
    let off =
        "alter table rooms_open disable row level security; grant select on rooms_open to authenticated;";
    apply(&database, "6_off.sql", off).await?;
    assert_eq!(call(&alice, "seen", "{}").await?, r#""2 2 2 2""#);
    Ok(())
}
