//! Tables divided into partitions.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Delete, Insert, Migrate, OnConflict, Operator, Query, Update,
};

use super::build::{
    ALICE, QueryExt, compare, details, insert, migrated, read, refused, refused_saying, signed_in, table,
    update_returning,
};
use super::routines::call;
use crate::{Env, Outcome};

const PARTITIONS: &str = include_str!("partitions.sql");

async fn divided(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_partitions.sql", PARTITIONS).await
}

async fn days(database: &Database) -> Result<String> {
    read(database, "readings", Query::all().columns(&["id", "day"]).ordered(&["id"])).await
}

pub(super) async fn are_parts_of_one_table(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    assert_eq!(
        days(&database).await?,
        r#"[{"id":1,"day":"2024-01-15"},{"id":2,"day":"2024-02-01"},{"id":3,"day":"2024-12-31"}]"#
    );
    let embedded = Query::all().columns(&["id"]).ordered(&["id"]).embedding("sensors", &["name"]);
    assert_eq!(
        read(&database, "readings", embedded).await?,
        concat!(
            r#"[{"id":1,"sensors":{"name":"inside"}},{"id":2,"sensors":{"name":"inside"}},"#,
            r#"{"id":3,"sensors":{"name":"outside"}}]"#
        )
    );
    let moved = update_returning(
        "readings",
        r#"{"day":"2024-03-03"}"#,
        Query::all().columns(&["day"]).matching(compare("id", Operator::Eq, "1")),
    );
    assert_eq!(super::build::compact(&database.send(moved).await?.body), r#"[{"day":"2024-03-03"}]"#);
    let mut upsert = Insert::new(table("readings"), r#"{"id":1,"day":"2024-03-03","value":9}"#);
    upsert.on_conflict = Some(OnConflict { merge: true, columns: None });
    database.send(upsert).await?;
    let found = Query::all().columns(&["value"]).matching(compare("id", Operator::Eq, "1"));
    assert_eq!(read(&database, "readings", found).await?, r#"[{"value":9}]"#);
    refused(read(&database, "readings_january", Query::all()).await, "PGRST205");
    insert(&database, "spread", r#"[{"id":1},{"id":2},{"id":3}]"#).await?;
    assert_eq!(
        read(&database, "spread", Query::all().ordered(&["id"])).await?,
        r#"[{"id":1},{"id":2},{"id":3}]"#
    );
    Ok(())
}

pub(super) async fn refuse_what_is_in_none_of_them(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    let put = |row: &str| {
        let (database, row) = (database.clone(), row.to_owned());
        async move { insert(&database, "readings", &row).await }
    };
    let none = "no partition of relation \"readings\" found for row";
    let error = refused_saying(put(r#"{"id":9,"day":"2025-01-01"}"#).await, "23514", none);
    assert_eq!(details(&error), "Partition key of the failing row contains (day) = (2025-01-01).");
    let moved = update_returning(
        "readings",
        r#"{"day":"2023-12-31"}"#,
        Query::all().matching(compare("id", Operator::Eq, "1")),
    );
    refused_saying(database.send(moved).await, "23514", none);
    let error = refused_saying(
        put(r#"{"id":1,"day":"2024-01-15"}"#).await,
        "23505",
        "duplicate key value violates unique constraint \"readings_january_pkey\"",
    );
    assert_eq!(details(&error), "Key (id, day)=(1, 2024-01-15) already exists.");
    refused_saying(
        put(r#"{"id":9,"day":"2024-01-20","value":-1}"#).await,
        "23514",
        "new row for relation \"readings_january\" violates check constraint \"readings_value_check\"",
    );
    refused_saying(
        put(r#"{"id":9,"day":"2024-02-20","value":null}"#).await,
        "23502",
        "null value in column \"value\" of relation \"readings_rest\" violates not-null constraint",
    );
    refused_saying(put(r#"{"id":9,"day":null}"#).await, "23514", none);
    refused_saying(put(r#"{"id":9,"day":"2025-01-01","value":-1}"#).await, "23514", none);
    refused_saying(
        put(r#"{"id":9,"day":"2024-01-20","sensor_id":77}"#).await,
        "23503",
        "insert or update on table \"readings_january\" violates foreign key constraint \"readings_sensor_id_fkey\"",
    );
    let kinds = |row: &str| {
        let (database, row) = (database.clone(), row.to_owned());
        async move { insert(&database, "things", &row).await }
    };
    kinds(r#"[{"kind":"a"},{"kind":"b"},{"kind":null}]"#).await?;
    refused(kinds(r#"{"kind":"z"}"#).await, "23514");
    Ok(())
}

pub(super) async fn are_read_by_their_names(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    assert_eq!(call(&database, "of_january", "{}").await?, "1");
    assert_eq!(call(&database, "of_the_rest", "{}").await?, "[2,3]");
    insert(&database, "things", r#"[{"kind":"a"},{"kind":null},{"kind":"b"},{"kind":"b"}]"#).await?;
    assert_eq!(call(&database, "of_kinds", "{}").await?, "\"2 2\"");
    let alice = signed_in(&database, ALICE);
    refused(call(&alice, "of_january", "{}").await, "42501");
    assert_eq!(call(&alice, "of_the_rest", "{}").await?, "[2,3]");
    Ok(())
}

/// A row that would be none of its partition.
pub(super) fn outside<T>(outcome: Result<T>, partition: &str, row: &str) {
    let message = format!("new row for relation \"{partition}\" violates partition constraint");
    let error = refused_saying(outcome, "23514", &message);
    assert_eq!(details(&error), format!("Failing row contains ({row})."));
}

/// A database in which functions write to partitions by their names.
async fn written(env: &Env<DatabaseService>) -> Result<Database> {
    let database = divided(env).await?;
    let sql = include_str!("partition_writes.sql").into();
    database.send(Migrate { name: "2_writes.sql".into(), sql, dry_run: false }).await?;
    Ok(database)
}

pub(super) async fn are_written_by_their_names(env: Env<DatabaseService>) -> Outcome {
    let database = written(&env).await?;
    let january = |function: &'static str, id: u8, day: &str| {
        let (database, arguments) = (database.clone(), format!(r#"{{"given":{id},"on_day":"{day}"}}"#));
        async move { call(&database, function, &arguments).await }
    };
    january("put_january", 10, "2024-01-20").await?;
    outside(january("put_january", 11, "2024-02-20").await, "readings_january", "11, 2024-02-20, 1, 0");
    outside(january("put_january", 11, "2030-01-01").await, "readings_january", "11, 2030-01-01, 1, 0");
    refused(call(&database, "put_january", r#"{"given":11,"on_day":null}"#).await, "23502");
    refused(january("put_january", 10, "2024-01-20").await, "23505");
    // A row of that key is there, but in another partition.
    outside(january("keep_january", 2, "2024-02-01").await, "readings_january", "2, 2024-02-01, 1, 0");
    january("keep_january", 10, "2024-01-20").await?;
    assert_eq!(january("move_january", 10, "2024-01-21").await?, "[10]");
    assert_eq!(january("move_january", 2, "2024-01-21").await?, "[]");
    outside(january("move_january", 10, "2024-03-01").await, "readings_january", "10, 2024-03-01, 1, 0");
    let merge = |id: u8, day: &str, amount: u8| {
        let arguments = format!(r#"{{"given":{id},"on_day":"{day}","amount":{amount}}}"#);
        let database = database.clone();
        async move { call(&database, "merge_january", &arguments).await }
    };
    assert_eq!(merge(10, "2024-01-21", 7).await?, "[7]");
    assert_eq!(merge(12, "2024-01-22", 1).await?, "[1]");
    outside(merge(2, "2024-02-01", 9).await, "readings_january", "2, 2024-02-01, 1, 9");
    call(&database, "clear_january", r#"{"below":12}"#).await?;
    assert_eq!(
        days(&database).await?,
        concat!(
            r#"[{"id":2,"day":"2024-02-01"},{"id":3,"day":"2024-12-31"},"#,
            r#"{"id":12,"day":"2024-01-22"}]"#
        )
    );
    let kind = |function: &'static str, kind: &str| {
        let (database, arguments) = (database.clone(), format!(r#"{{"given":{kind}}}"#));
        async move { call(&database, function, &arguments).await }
    };
    kind("put_a", "\"a\"").await?;
    kind("put_a", "null").await?;
    outside(kind("put_a", "\"b\"").await, "things_a", "b");
    kind("put_other", "\"q\"").await?;
    outside(kind("put_other", "\"a\"").await, "things_rest", "a");
    outside(kind("put_other", "null").await, "things_rest", "null");
    Ok(())
}

pub(super) async fn fire_triggers_of_their_table(env: Env<DatabaseService>) -> Outcome {
    let database = written(&env).await?;
    call(&database, "put_low", r#"{"given":1,"of_level":1}"#).await?;
    call(&database, "lift_low", r#"{"given":1,"to_level":2}"#).await?;
    refused(call(&database, "lift_low", r#"{"given":1,"to_level":3}"#).await, "23514");
    let rows = read(&database, "logs", Query::all()).await?;
    assert_eq!(rows, r#"[{"id":1,"level":2,"note":"new!!"}]"#);
    Ok(())
}

pub(super) async fn are_written_by_those_who_may(env: Env<DatabaseService>) -> Outcome {
    let database = written(&env).await?;
    let alice = signed_in(&database, ALICE);
    let given = r#"{"given":20,"on_day":"2024-02-20"}"#;
    refused(call(&alice, "put_january", given).await, "42501");
    call(&alice, "put_rest", given).await?;
    refused(insert(&alice, "readings", r#"{"id":21,"day":"2024-02-21"}"#).await, "42501");
    // The API has no names for them, whoever asks.
    let part = || table("readings_january");
    refused(database.send(Insert::new(part(), r#"{"id":1,"day":"2024-01-01"}"#)).await, "PGRST205");
    refused(database.send(Update::new(part(), r#"{"value":1}"#, Query::all())).await, "PGRST205");
    refused(database.send(Delete::new(part(), Query::all())).await, "PGRST205");
    let apply = |name: &str, sql: &str| {
        let migrate = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
        let database = database.clone();
        async move { database.send(migrate).await }
    };
    apply("3_row.sql", "insert into readings_january (id, day) values (30, '2024-01-30');").await?;
    let astray = "insert into readings_january (id, day) values (31, '2024-05-30');";
    refused(apply("4_astray.sql", astray).await, "BACKEND_003");
    let found = Query::all().columns(&["id"]).matching(compare("id", Operator::Gte, "20")).ordered(&["id"]);
    assert_eq!(read(&database, "readings", found).await?, r#"[{"id":20},{"id":30}]"#);
    Ok(())
}

pub(super) async fn come_and_go(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    let apply = |name: &str, sql: &str| {
        let migrate = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
        let database = database.clone();
        async move { database.send(migrate).await }
    };
    let next =
        "create table readings_2025 partition of readings for values from ('2025-01-01') to ('2026-01-01');
        drop table readings_january;";
    apply("2_next.sql", next).await?;
    insert(&database, "readings", r#"{"id":4,"day":"2025-06-01"}"#).await?;
    assert_eq!(
        days(&database).await?,
        r#"[{"id":2,"day":"2024-02-01"},{"id":3,"day":"2024-12-31"},{"id":4,"day":"2025-06-01"}]"#
    );
    refused(insert(&database, "readings", r#"{"id":9,"day":"2024-01-20"}"#).await, "23514");
    let attached = "create table older (
          id int not null, day date not null, sensor_id int, value int not null,
          constraint readings_value_check check (value >= 0)
        );
        insert into older values (8, '2023-05-05', 1, 3);
        alter table readings attach partition older for values from (minvalue) to ('2024-01-01');";
    apply("3_older.sql", attached).await?;
    let first = Query::all().columns(&["id", "value"]).ordered(&["day"]);
    assert!(read(&database, "readings", first).await?.starts_with(r#"[{"id":8,"value":3}"#));
    for (name, sql) in [
        (
            "4_overlap.sql",
            "create table twice partition of readings for values from ('2025-05-01') to ('2025-06-01');",
        ),
        (
            "4_empty.sql",
            "create table empty partition of readings for values from ('2030-01-01') to ('2029-01-01');",
        ),
        ("4_plain.sql", "create table none partition of sensors for values in (1);"),
        ("4_taken.sql", "create table readings_rest (id int);"),
        (
            "4_unfit.sql",
            "create table odd (kind text); insert into odd values ('q'); alter table things attach partition odd for values in ('p');",
        ),
    ] {
        refused(apply(name, sql).await, "BACKEND_003");
    }
    let things = "create table others partition of things default;";
    apply("5_default.sql", things).await?;
    insert(&database, "things", r#"{"kind":"z"}"#).await?;
    let claimed = apply("6_claimed.sql", "create table zs partition of things for values in ('z');").await;
    refused(claimed, "BACKEND_003");
    Ok(())
}

pub(super) async fn become_tables_of_their_own(env: Env<DatabaseService>) -> Outcome {
    let database = divided(&env).await?;
    let apply = |name: &str, sql: &str| {
        let migrate = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
        let database = database.clone();
        async move { database.send(migrate).await }
    };
    let sql = "alter table readings detach partition readings_january;
        insert into readings_january (id, day) values (5, '2030-01-01');
        create table things_rest partition of things default;
        insert into things values ('y'), ('b');
        alter table things detach partition things_rest;";
    apply("2_detach.sql", sql).await?;
    assert_eq!(days(&database).await?, r#"[{"id":2,"day":"2024-02-01"},{"id":3,"day":"2024-12-31"}]"#);
    let none = "no partition of relation \"readings\" found for row";
    let astray = insert(&database, "readings", r#"{"id":9,"day":"2024-01-20"}"#).await;
    refused_saying(astray, "23514", none);
    let all = || Query::all().columns(&["id", "day", "sensor_id", "value"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "readings_january", all()).await?,
        concat!(
            r#"[{"id":1,"day":"2024-01-15","sensor_id":1,"value":0},"#,
            r#"{"id":5,"day":"2030-01-01","sensor_id":1,"value":0}]"#
        )
    );
    assert_eq!(call(&database, "of_january", "{}").await?, "2");
    for (row, code, message) in [
        (
            r#"{"id":6,"day":"2024-01-20","value":-1}"#,
            "23514",
            "new row for relation \"readings_january\" violates check constraint \"readings_value_check\"",
        ),
        (
            r#"{"id":1,"day":"2024-01-15"}"#,
            "23505",
            "duplicate key value violates unique constraint \"readings_january_pkey\"",
        ),
        (
            r#"{"id":6,"day":"2024-01-20","sensor_id":77}"#,
            "23503",
            "insert or update on table \"readings_january\" violates foreign key constraint \"readings_sensor_id_fkey\"",
        ),
    ] {
        refused_saying(insert(&database, "readings_january", row).await, code, message);
    }
    refused(read(&signed_in(&database, ALICE), "readings_january", Query::all()).await, "42501");
    assert_eq!(read(&database, "things_rest", Query::all()).await?, r#"[{"kind":"y"}]"#);
    assert_eq!(read(&database, "things", Query::all()).await?, r#"[{"kind":"b"}]"#);
    refused(insert(&database, "things", r#"{"kind":"y"}"#).await, "23514");
    refused(apply("3_other.sql", "alter table things detach partition readings_rest;").await, "BACKEND_003");
    let attach = "alter table readings attach partition readings_january
        for values from ('2024-01-01') to ('2024-02-01');";
    refused(apply("4_attach.sql", attach).await, "BACKEND_003");
    let astray = Query::all().matching(compare("id", Operator::Eq, "5"));
    database.send(Delete::new(table("readings_january"), astray)).await?;
    apply("5_attach.sql", attach).await?;
    assert!(days(&database).await?.starts_with(r#"[{"id":1,"day":"2024-01-15"},"#));
    refused(read(&database, "readings_january", Query::all()).await, "PGRST205");
    Ok(())
}
