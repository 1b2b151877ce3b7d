//! Tables divided into partitions.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Insert, Migrate, OnConflict, Operator, Query,
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
