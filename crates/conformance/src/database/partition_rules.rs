//! Row-level security on tables that are divided: what is named decides, a table or a partition of it.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Delete, Operator, Query, Update};

use super::build::{
    ALICE, BOB, QueryExt, as_role, compare, insert, migrated, read, refused, refused_saying, signed_in, table,
};
use super::partitions::outside;
use super::routines::call;
use crate::{Env, Outcome};

/// Shares 1 and 3 are Alice's, 2 and 4 Bob's; the latter two are shut.
async fn shares(env: &Env<DatabaseService>) -> Result<Database> {
    let database = migrated(env, "1_rules.sql", include_str!("partition_rules.sql")).await?;
    let rows = [(1, ALICE, "open"), (2, BOB, "open"), (3, ALICE, "shut"), (4, BOB, "shut")];
    let rows = rows.map(|(id, owner, kind)| format!(r#"{{"id":{id},"owner":"{owner}","kind":"{kind}"}}"#));
    insert(&database, "shares", &format!("[{}]", rows.join(","))).await?;
    Ok(database)
}

async fn amounts(database: &Database) -> Result<String> {
    read(database, "shares", Query::all().columns(&["id", "kind", "amount"]).ordered(&["id"])).await
}

fn given(id: u8, whose: &str) -> String {
    format!(r#"{{"given":{id},"whose":"{whose}"}}"#)
}

pub(super) async fn are_those_of_the_table_that_is_named(env: Env<DatabaseService>) -> Outcome {
    let database = shares(&env).await?;
    let alice = signed_in(&database, ALICE);
    assert_eq!(
        amounts(&alice).await?,
        r#"[{"id":1,"kind":"open","amount":0},{"id":3,"kind":"shut","amount":0}]"#
    );
    let of_bob = format!(r#"{{"id":9,"owner":"{BOB}","kind":"shut"}}"#);
    let denied = "new row violates row-level security policy for table \"shares\"";
    refused_saying(insert(&alice, "shares", &of_bob).await, "42501", denied);
    insert(&alice, "shares", &format!(r#"{{"id":5,"owner":"{ALICE}","kind":"shut"}}"#)).await?;
    let raised = Update::new(table("shares"), r#"{"amount":5}"#, Query::all());
    assert_eq!(alice.send(raised).await?.rows, 3);
    let moved = Query::all().matching(compare("id", Operator::Eq, "3"));
    assert_eq!(alice.send(Update::new(table("shares"), r#"{"kind":"open"}"#, moved)).await?.rows, 1);
    let given_away = Update::new(table("shares"), format!(r#"{{"owner":"{BOB}"}}"#), Query::all());
    refused_saying(alice.send(given_away).await, "42501", denied);
    let others = Query::all().matching(compare("id", Operator::Lte, "2"));
    assert_eq!(alice.send(Delete::new(table("shares"), others)).await?.rows, 1);
    assert_eq!(
        amounts(&database).await?,
        concat!(
            r#"[{"id":2,"kind":"open","amount":0},{"id":3,"kind":"open","amount":5},"#,
            r#"{"id":4,"kind":"shut","amount":0},{"id":5,"kind":"shut","amount":5}]"#
        )
    );
    Ok(())
}

pub(super) async fn are_those_of_the_partition_that_is_named(env: Env<DatabaseService>) -> Outcome {
    let database = shares(&env).await?;
    let alice = signed_in(&database, ALICE);
    assert_eq!(call(&alice, "counted", "{}").await?, r#""2 2 0""#);
    assert_eq!(call(&database, "counted", "{}").await?, r#""4 2 2""#);
    assert_eq!(call(&alice, "counted_by_its_owner", "{}").await?, r#""4 2""#);
    refused(call(&as_role(&database, "anon"), "put_open", &given(9, ALICE)).await, "42501");
    call(&alice, "put_open", &given(9, BOB)).await?;
    let denied = "new row violates row-level security policy for table \"shares_shut\"";
    refused_saying(call(&alice, "put_shut", &given(8, ALICE)).await, "42501", denied);
    for change in ["lift_open", "lift_shut", "clear_shut"] {
        call(&alice, change, "{}").await?;
    }
    call(&alice, "clear_open", r#"{"below":2}"#).await?;
    assert_eq!(
        amounts(&database).await?,
        concat!(
            r#"[{"id":2,"kind":"open","amount":1},{"id":3,"kind":"shut","amount":0},"#,
            r#"{"id":4,"kind":"shut","amount":0},{"id":9,"kind":"open","amount":1}]"#
        )
    );
    Ok(())
}

pub(super) async fn hold_in_programs_too(env: Env<DatabaseService>) -> Outcome {
    let database = shares(&env).await?;
    let alice = signed_in(&database, ALICE);
    let stocked = format!(r#"{{"first":20,"last":22,"whose":"{BOB}"}}"#);
    assert_eq!(call(&alice, "stocked", &stocked).await?, r#""1 7""#);
    outside(
        call(&alice, "strayed", r#"{"given":30,"to_kind":"shut"}"#).await,
        "shares_open",
        &format!("30, {ALICE}, shut, 3"),
    );
    assert_eq!(call(&alice, "strayed", r#"{"given":31,"to_kind":"open"}"#).await?, r#""open""#);
    assert_eq!(call(&alice, "hidden", &format!(r#"{{"whose":"{ALICE}"}}"#)).await?, "0");
    let twice = format!(r#"{{"first":22,"last":23,"whose":"{BOB}"}}"#);
    let exists = "duplicate key value violates unique constraint \"shares_open_pkey\"";
    refused_saying(call(&alice, "stocked", &twice).await, "23505", exists);
    let rows = read(&database, "shares", Query::all().columns(&["id"]).ordered(&["id"])).await?;
    assert_eq!(rows, r#"[{"id":1},{"id":2},{"id":3},{"id":4},{"id":21},{"id":22},{"id":31}]"#);
    Ok(())
}
