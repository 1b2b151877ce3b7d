//! Migrations are applied once, whole, in order.

use truststream_kernel::Type;
use truststream_services::database::{
    Adopt, AppliedMigration, DatabaseService, Describe, Migrate, MigrationNames, MigrationOutcome,
    Migrations, Query, ReferentialAction, Rehearse, Revert,
};

use super::build::{ids, insert, ready, refused, table};
use crate::{Env, Outcome};

fn migration(name: &str, sql: &str) -> Migrate {
    Migrate { name: name.into(), sql: sql.into(), dry_run: false }
}

pub(super) async fn are_applied_once(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let first = migration("1_a.sql", "create table a (id int primary key); insert into a values (1);");
    assert_eq!(database.send(first.clone()).await?, MigrationOutcome::Applied);
    assert_eq!(database.send(first).await?, MigrationOutcome::Unchanged);
    assert_eq!(ids(database, "a", Query::all()).await?, [1]);
    Ok(())
}

pub(super) async fn are_atomic(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let half = "create table a (id int primary key);\ninsert into a values (1);\ninsert into a values (1);";
    let error = refused(database.send(migration("1_a.sql", half)).await, "BACKEND_003");
    let text = format!("{error:?}");
    assert!(text.contains("line 3") || text.contains(":3"), "names no line: {text}");
    assert_eq!(database.send(Migrations).await?, []);
    let whole = migration("1_a.sql", "create table a (id int primary key);");
    assert_eq!(database.send(whole).await?, MigrationOutcome::Applied);
    assert!(ids(database, "a", Query::all()).await?.is_empty());
    Ok(())
}

pub(super) async fn with_another_text_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    database.send(migration("1_a.sql", "create table a (id int primary key);")).await?;
    let changed = migration("1_a.sql", "create table b (id int primary key);");
    refused(database.send(changed).await, "BACKEND_003");
    assert_eq!(database.send(Migrations).await?.len(), 1);
    Ok(())
}

pub(super) async fn can_be_tried(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let trial = Migrate { dry_run: true, ..migration("1_a.sql", "create table a (id int primary key);") };
    assert_eq!(database.send(trial).await?, MigrationOutcome::Applied);
    assert_eq!(database.send(Migrations).await?, []);
    let catalog = database.send(Describe { fresh: true }).await?;
    assert!(catalog.table(&table("a")).is_none());
    let wrong = Migrate { dry_run: true, ..migration("1_b.sql", "create tabel b (id int);") };
    assert!(database.send(wrong).await.is_err());
    Ok(())
}

pub(super) async fn are_listed_in_order(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let all = [
        ("1_a.sql", "create table a (id int primary key);"),
        ("2_b.sql", "alter table a add column b text; -- änderung"),
        ("10_c.sql", "create index a_b on a (b);"),
    ];
    for (name, sql) in all {
        database.send(migration(name, sql)).await?;
    }
    let listed = database.send(Migrations).await?;
    let listed: Vec<(&str, &str)> = listed.iter().map(|one| (one.name.as_str(), one.sql.as_str())).collect();
    assert_eq!(listed, all);
    insert(database, "a", r#"{"id":1,"b":"x"}"#).await?;
    Ok(())
}

pub(super) async fn are_named_without_texts(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let mut told = database.send(MigrationNames).await?;
    let all = ["1_a.sql", "2_ä b.sql", "10_c.sql"];
    for (at, name) in all.into_iter().enumerate() {
        let sql = format!("create table t{at} (id int primary key); -- {}", "text ".repeat(1_000));
        database.send(migration(name, &sql)).await?;
        told.push(name.to_owned());
    }
    let trial = Migrate { dry_run: true, ..migration("3_d.sql", "create table d (id int primary key);") };
    database.send(trial).await?;
    let named = database.send(MigrationNames).await?;
    let listed = database.send(Migrations).await?;
    assert_eq!(named, told);
    assert_eq!(named, listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>());
    assert!(listed[listed.len() - all.len()..].iter().all(|one| one.sql.len() > 5_000));
    Ok(())
}

pub(super) async fn describe_the_catalog(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let catalog = database.send(Describe::default()).await?;
    let Some(albums) = catalog.table(&table("albums")) else { panic!("albums is not in the catalog") };
    let names: Vec<&str> = albums.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "artist_id", "title", "price", "facts", "labels", "released"]);
    let types: Vec<&Type> = albums.columns.iter().map(|column| &column.ty).collect();
    let texts = Type::Array(Box::new(Type::Text));
    let number = Type::Numeric(Some((10, 2)));
    let expected = [&Type::Int8, &Type::Int8, &Type::Text, &number, &Type::Jsonb, &texts, &Type::Timestamptz];
    assert_eq!(types, expected);
    let nullable: Vec<bool> = albums.columns.iter().map(|column| column.nullable).collect();
    assert_eq!(nullable, [false, true, false, true, true, false, false]);
    assert_eq!(albums.primary_key, ["id"]);
    assert_eq!(albums.foreign_keys.len(), 1);
    let key = &albums.foreign_keys[0];
    assert_eq!((key.name.as_str(), &key.references), ("albums_artist_id_fkey", &table("artists")));
    assert_eq!(
        (key.columns.as_slice(), key.on_delete),
        (&["artist_id".to_owned()][..], ReferentialAction::NoAction)
    );
    let Some(artists) = catalog.table(&table("artists")) else { panic!("artists is not in the catalog") };
    assert_eq!(artists.column("feels").map(|column| &column.ty), Some(&Type::Enum("mood".into())));
    assert!(artists.column("id").is_some_and(|column| column.identity.is_some()));
    assert_eq!(
        artists.unique_keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
        ["artists_name_key"]
    );
    let Some(notes) = catalog.table(&table("notes")) else { panic!("notes is not in the catalog") };
    assert!(notes.row_security && !artists.row_security);
    assert_eq!(notes.policies.len(), 5);
    assert_eq!(catalog.enums.values().collect::<Vec<_>>(), [&["sad", "ok", "happy"]]);
    Ok(())
}

pub(super) async fn can_be_taken_back(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    database
        .send(migration("1_a.sql", "create table a (id int primary key); insert into a values (1);"))
        .await?;
    let second = "alter table a add column n int default 7; create table b (id int primary key);";
    database.send(migration("2_b.sql", second)).await?;
    let back = |dry_run| Revert {
        name: "2_b.sql".into(),
        sql: Some("drop table b; alter table a drop column n;".into()),
        dry_run,
    };
    match database.send(back(true)).await {
        // It has no right to change schemas: then nothing is.
        Err(error) if error.code() == "0A000" => {
            assert_eq!(database.send(MigrationNames).await?, ["1_a.sql", "2_b.sql"]);
            return Ok(());
        }
        tried => tried?,
    }
    assert_eq!(database.send(MigrationNames).await?, ["1_a.sql", "2_b.sql"]);
    database.send(back(false)).await?;
    assert_eq!(database.send(MigrationNames).await?, ["1_a.sql"]);
    let catalog = database.send(Describe { fresh: true }).await?;
    assert!(catalog.table(&table("b")).is_none());
    assert!(catalog.table(&table("a")).is_some_and(|table| table.column("n").is_none()));
    assert_eq!(ids(database, "a", Query::all()).await?, [1]);
    refused(database.send(back(false)).await, "BACKEND_003");
    let wrong = Revert { name: "1_a.sql".into(), sql: Some("drop table nothing;".into()), dry_run: false };
    assert!(database.send(wrong).await.is_err());
    assert_eq!(database.send(MigrationNames).await?, ["1_a.sql"]);
    database.send(migration("2_b.sql", second)).await?;
    database.send(migration("3_c.sql", "create table c (id int primary key);")).await?;
    assert_eq!(database.send(MigrationNames).await?, ["1_a.sql", "2_b.sql", "3_c.sql"]);
    Ok(())
}

pub(super) async fn can_be_recorded_and_forgotten(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    database.send(migration("1_a.sql", "create table a (id int primary key);")).await?;
    let adopt = |sql: &str| Adopt { name: "2_b.sql".into(), sql: sql.into() };
    match database.send(adopt("create table b (id int primary key);")).await {
        Err(error) if error.code() == "0A000" => return Ok(()),
        recorded => recorded?,
    }
    database.send(adopt("create table other (id int primary key);")).await?;
    let recorded = database.send(Migrations).await?;
    let told: Vec<_> = recorded.iter().map(|one| (one.name.as_str(), one.sql.as_str())).collect();
    assert_eq!(
        told,
        [
            ("1_a.sql", "create table a (id int primary key);"),
            ("2_b.sql", "create table other (id int primary key);")
        ]
    );
    let catalog = database.send(Describe { fresh: true }).await?;
    assert!(catalog.table(&table("other")).is_none(), "recorded, not run");
    database.send(Revert { name: "1_a.sql".into(), sql: None, dry_run: false }).await?;
    assert_eq!(database.send(MigrationNames).await?, ["2_b.sql"]);
    let catalog = database.send(Describe { fresh: true }).await?;
    assert!(catalog.table(&table("a")).is_some(), "forgotten, not undone");
    Ok(())
}

pub(super) async fn can_be_rehearsed(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let one = |name: &str, sql: &str| AppliedMigration { name: name.into(), sql: sql.into() };
    let migrations = vec![
        one("1_a.sql", "create table a (id int primary key, n int);"),
        one("2_b.sql", "alter table a drop column n; create table b (id int primary key);"),
    ];
    let found = match database.send(Rehearse { migrations }).await {
        Err(error) if error.code() == "0A000" => return Ok(()),
        found => found?,
    };
    assert!(found.catalog.table(&table("b")).is_some());
    assert!(found.catalog.table(&table("a")).is_some_and(|table| table.column("n").is_none()));
    assert!(database.send(Describe { fresh: true }).await?.table(&table("a")).is_none());
    Ok(())
}
