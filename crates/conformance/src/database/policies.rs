//! Row-level policies: the same answers on every engine, nothing by default.

use std::sync::Arc;

use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{
    Authorize, Count, Database, DatabaseService, Delete, Filter, Insert, OnConflict, Query, Select, Update,
};

use super::build::{
    ALICE, BOB, QueryExt, as_role, compact, ids, insert, insert_returning, migrated, read, ready, refused,
    refused_saying, signed_in, table, update_returning,
};
use super::routines::posted;
use crate::{Env, Outcome};

/// Notes 1 (Alice's), 2 (Alice's, shared) and 3 (Bob's), and a row in the vault.
async fn notes(env: &Env<DatabaseService>) -> Result<Database> {
    let database = ready(env).await?;
    let rows = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"mine","shared":false}},
            {{"id":2,"owner":"{ALICE}","body":"ours","shared":true}},
            {{"id":3,"owner":"{BOB}","body":"his","shared":false}}]"#
    );
    insert(&database, "notes", &rows).await?;
    insert(&database, "vault", r#"{"id":1,"secret":"s"}"#).await?;
    insert(&database, "closed", r#"{"id":1,"body":"b"}"#).await?;
    Ok(database)
}

fn note(id: i64, owner: &str) -> String {
    format!(r#"{{"id":{id},"owner":"{owner}","body":"new","shared":false}}"#)
}

const NEW_ROW: &str = "new row violates row-level security policy for table \"notes\"";

pub(super) async fn anonymous_callers_see_what_is_shared(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let anon = as_role(&database, "anon");
    assert_eq!(ids(&anon, "notes", Query::all()).await?, [2]);
    refused_saying(insert(&anon, "notes", &note(9, ALICE)).await, "42501", NEW_ROW);
    let everything = Update::new(table("notes"), r#"{"body":"x"}"#.to_owned(), Query::all());
    assert_eq!(anon.send(everything).await?.rows, 0);
    assert_eq!(anon.send(Delete::new(table("notes"), Query::all())).await?.rows, 0);
    assert_eq!(ids(&database, "notes", Query::all()).await?, [1, 2, 3]);
    Ok(())
}

pub(super) async fn owners_see_their_rows(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let (alice, bob) = (signed_in(&database, ALICE), signed_in(&database, BOB));
    assert_eq!(ids(&alice, "notes", Query::all()).await?, [1, 2]);
    assert_eq!(ids(&bob, "notes", Query::all()).await?, [2, 3]);
    // A filter never widens what may be seen.
    let either = Filter::Or(vec![Filter::eq("id", "1"), Filter::eq("id", "3")]);
    assert_eq!(ids(&bob, "notes", Query::all().matching(either)).await?, [3]);
    let stranger = signed_in(&database, "00000000-0000-4000-8000-000000000009");
    assert_eq!(ids(&stranger, "notes", Query::all()).await?, [2]);
    Ok(())
}

pub(super) async fn writes_are_checked(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let alice = signed_in(&database, ALICE);
    let mut own = insert_returning("notes", &note(4, ALICE));
    own.query = Query::all().columns(&["id"]);
    assert_eq!(compact(&alice.send(own).await?.body), r#"[{"id":4}]"#);
    refused_saying(insert(&alice, "notes", &note(5, BOB)).await, "42501", NEW_ROW);
    let both = format!("[{},{}]", note(5, ALICE), note(6, BOB));
    refused(insert(&alice, "notes", &both).await, "42501");
    let all = || Query::all().columns(&["id"]).ordered(&["id"]);
    let page = alice.send(update_returning("notes", r#"{"body":"changed"}"#, all())).await?;
    assert_eq!(page.rows, 3);
    let given_away = Update::new(table("notes"), format!(r#"{{"owner":"{BOB}"}}"#), all());
    refused_saying(alice.send(given_away).await, "42501", NEW_ROW);
    assert_eq!(alice.send(Delete::new(table("notes"), all())).await?.rows, 3);
    let rest = read(&database, "notes", Query::all().columns(&["id", "body"])).await?;
    assert_eq!(rest, r#"[{"id":3,"body":"his"}]"#);
    Ok(())
}

pub(super) async fn without_a_policy_nothing_is_seen(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    for caller in [as_role(&database, "anon"), signed_in(&database, ALICE)] {
        assert_eq!(read(&caller, "vault", Query::all()).await?, "[]");
        let message = "new row violates row-level security policy for table \"vault\"";
        refused_saying(insert(&caller, "vault", r#"{"id":2,"secret":"t"}"#).await, "42501", message);
        assert_eq!(caller.send(Delete::new(table("vault"), Query::all())).await?.rows, 0);
    }
    assert_eq!(ids(&database, "vault", Query::all()).await?, [1]);
    Ok(())
}

pub(super) async fn tables_without_security_are_closed(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let message = "permission denied for table closed";
    for caller in [as_role(&database, "anon"), signed_in(&database, ALICE)] {
        refused_saying(read(&caller, "closed", Query::all()).await, "42501", message);
        refused_saying(insert(&caller, "closed", r#"{"id":2}"#).await, "42501", message);
        refused_saying(caller.send(Delete::new(table("closed"), Query::all())).await, "42501", message);
    }
    assert_eq!(ids(&database, "closed", Query::all()).await?, [1]);
    Ok(())
}

pub(super) async fn the_service_role_sees_all(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let service = as_role(&database, "service_role");
    assert_eq!(ids(&service, "notes", Query::all()).await?, [1, 2, 3]);
    assert_eq!(ids(&service, "vault", Query::all()).await?, [1]);
    assert_eq!(ids(&service, "closed", Query::all()).await?, [1]);
    insert(&service, "notes", &note(4, BOB)).await?;
    insert(&service, "closed", r#"{"id":2}"#).await?;
    Ok(())
}

pub(super) async fn rows_are_authorized_by_value(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let columns: Arc<[String]> = ["id", "owner", "body", "shared"].map(str::to_owned).into();
    // They need not be in the table (any more).
    let row = |id: i64, owner: &str, shared: bool| Row {
        columns: Arc::clone(&columns),
        values: vec![
            Value::Int(id),
            Value::Uuid(uuid::Uuid::parse_str(owner).unwrap_or_default()),
            Value::Text("gone".into()),
            Value::Bool(shared),
        ],
    };
    let rows = || vec![row(11, ALICE, false), row(12, BOB, false), row(13, BOB, true)];
    let ask = |name: &str, rows: Vec<Row>| Authorize { table: table(name), rows };
    assert_eq!(signed_in(&database, ALICE).send(ask("notes", rows())).await?, [true, false, true]);
    assert_eq!(as_role(&database, "anon").send(ask("notes", rows())).await?, [false, false, true]);
    assert_eq!(as_role(&database, "service_role").send(ask("notes", rows())).await?, [true, true, true]);
    let secret = Row {
        columns: ["id", "secret"].map(str::to_owned).into(),
        values: vec![Value::Int(1), Value::Text("s".into())],
    };
    assert_eq!(signed_in(&database, ALICE).send(ask("vault", vec![secret])).await?, [false]);
    Ok(())
}

pub(super) async fn counts_and_upserts_obey_too(env: Env<DatabaseService>) -> Outcome {
    let database = notes(&env).await?;
    let alice = signed_in(&database, ALICE);
    let mut counted = Select::new(table("notes"), Query { limit: Some(1), ..Query::all() });
    counted.count = Some(Count::Exact);
    assert_eq!(alice.send(counted).await?.total, Some(2));
    let upsert = |row: String| {
        let mut request = insert_returning("notes", &row);
        request.on_conflict = Some(OnConflict { columns: None, merge: true });
        request.query = Query::all().columns(&["id"]);
        alice.send(request)
    };
    assert_eq!(compact(&upsert(note(1, ALICE)).await?.body), r#"[{"id":1}]"#);
    refused(upsert(note(3, ALICE)).await, "42501");
    let bodies = read(&database, "notes", Query::all().columns(&["body"]).ordered(&["id"])).await?;
    assert_eq!(bodies, r#"[{"body":"new"},{"body":"ours"},{"body":"his"}]"#);
    Ok(())
}

const RESTRICTED: &str = "
    create table bids (id int primary key, owner text, n int);
    alter table bids enable row level security;
    create policy allow on bids using (true) with check (n < 100);
    create policy zeta on bids as restrictive for insert with check (owner <> 'z');
    create policy alpha on bids as restrictive for insert with check (n <> 5);
    create policy still on bids as restrictive for update using (owner <> 'locked') with check (n <> 6);
    create policy sees on bids as restrictive for select using (n <> 9);
    insert into bids values (1, 'a', 1), (2, 'locked', 1);
    create function bid(id int, owner text, n int) returns void language sql as
      'insert into bids values (id, owner, n)';";

pub(super) async fn restrictive_ones_are_named_where_they_refuse(env: Env<DatabaseService>) -> Outcome {
    let database = migrated(&env, "1_bids.sql", RESTRICTED).await?;
    let anon = as_role(&database, "anon");
    let says =
        |policy: &str| format!("new row violates row-level security policy{policy} for table \"bids\"");
    let row = |id: i64, owner: &str, n: i64| format!(r#"{{"id":{id},"owner":"{owner}","n":{n}}}"#);
    for (rows, policy) in [
        (row(10, "z", 1), " \"zeta\""),
        (row(10, "z", 5), " \"alpha\""),
        (row(10, "z", 500), ""),
        (format!("[{},{}]", row(10, "z", 1), row(11, "a", 500)), " \"zeta\""),
        // Who may not write the row learns nothing of the one that it meets.
        (row(1, "z", 1), " \"zeta\""),
    ] {
        refused_saying(insert(&anon, "bids", &rows).await, "42501", &says(policy));
        let called = anon.send(posted("bid", &rows)).await;
        if rows.starts_with('{') && !rows.starts_with("{\"id\":1,") {
            refused_saying(called, "42501", &says(policy));
        }
    }
    let unseen = insert_returning("bids", &row(10, "a", 9));
    refused_saying(anon.send(unseen).await, "42501", &says(" \"sees\""));
    let first = || Query::all().matching(Filter::eq("id", "1"));
    for (n, policy) in [(6, " \"still\""), (9, " \"sees\""), (500, "")] {
        let update = Update::new(table("bids"), format!(r#"{{"n":{n}}}"#), first());
        refused_saying(anon.send(update).await, "42501", &says(policy));
    }
    let mut upsert = Insert::new(table("bids"), row(2, "b", 1));
    upsert.on_conflict = Some(OnConflict { columns: None, merge: true });
    let message = says(" \"still\" (USING expression)");
    refused_saying(anon.send(upsert).await, "42501", &message);
    assert_eq!(ids(&database, "bids", Query::all()).await?, [1, 2]);
    Ok(())
}
