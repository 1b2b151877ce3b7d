//! Schemas as real projects write them, and tables that change under their rows.

use truststream_kernel::Error;
use truststream_services::database::{
    Database, DatabaseService, Delete, Filter, Migrate, MigrationOutcome, Query,
};

use super::build::{QueryExt, insert, read, refused, refused_saying, table};
use crate::{Env, Outcome};

async fn migrate(database: &Database, name: &str, sql: &str) -> Result<(), Error> {
    let migration = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    let outcome = database.send(migration).await?;
    assert_eq!(outcome, MigrationOutcome::Applied);
    Ok(())
}

/// A migration must fail with this text, and name its line.
async fn fails(database: &Database, sql: &str, line: usize, message: &str) {
    let error = refused(migrate(database, "wrong.sql", sql).await, "BACKEND_003");
    let text = format!("{error:?}");
    assert!(text.contains(message), "{message} is not in {text}");
    assert!(text.contains(&format!("line {line}")), "line {line} is not in {text}");
}

pub(super) async fn as_pg_dump_writes_them(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    migrate(database, "1_dumped.sql", include_str!("dumped.sql")).await?;
    insert(database, "teams", r#"{"name":"Blue","slug":"blue"}"#).await?;
    insert(database, "posts", r#"{"team_id":1,"stage":"live"}"#).await?;
    insert(database, "posts", r#"{"parent_id":1}"#).await?;
    let columns = Query::all().columns(&["id", "team_id", "parent_id", "stage", "title"]);
    assert_eq!(
        read(database, "posts", columns).await?,
        r#"[{"id":1,"team_id":1,"parent_id":null,"stage":"live","title":""},{"id":2,"team_id":null,"parent_id":1,"stage":"draft","title":""}]"#
    );
    let short = insert(database, "teams", r#"{"name":"No","slug":"no"}"#).await;
    let message = "new row for relation \"teams\" violates check constraint \"teams_name_check\"";
    refused_saying(short, "23514", message);
    let twice = insert(database, "teams", r#"{"name":"Red","slug":"blue"}"#).await;
    refused_saying(twice, "23505", "duplicate key value violates unique constraint \"one_slug\"");
    let alike = insert(database, "teams", r#"{"name":"BLUE","slug":"other"}"#).await;
    refused_saying(alike, "23505", "duplicate key value violates unique constraint \"teams_lower_idx\"");
    let orphan = insert(database, "posts", r#"{"team_id":9}"#).await;
    let message = "insert or update on table \"posts\" violates foreign key constraint \"of_team\"";
    refused_saying(orphan, "23503", message);
    let team = Query::all().matching(Filter::eq("id", "1"));
    database.send(Delete::new(table("teams"), team)).await?;
    let first = Query::all().columns(&["team_id"]).matching(Filter::eq("id", "1"));
    assert_eq!(read(database, "posts", first).await?, r#"[{"team_id":null}]"#);
    Ok(())
}

pub(super) async fn rename_what_rows_stand_in(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let made = "create type mood as enum ('sad', 'ok');
        create table a (id int primary key, n int unique, feels mood default 'sad', check (n > 0),
          twice int generated always as (n * 2) stored);
        create index a_n on a (n desc) where n > 1;
        alter table a enable row level security; create policy p on a using (n > 1);
        create table b (n int references a (n));
        insert into a (id, n) values (1, 5); insert into b values (5);";
    migrate(database, "1.sql", made).await?;
    migrate(database, "2.sql", "alter table a rename column n to number;").await?;
    migrate(database, "3.sql", "alter type mood rename value 'sad' to 'blue';").await?;
    migrate(database, "4.sql", "alter type mood add value 'glad';").await?;
    insert(database, "a", r#"{"id":2,"number":6}"#).await?;
    insert(database, "a", r#"{"id":3,"number":7,"feels":"glad"}"#).await?;
    assert_eq!(
        read(database, "a", Query::all()).await?,
        r#"[{"id":1,"number":5,"feels":"blue","twice":10},{"id":2,"number":6,"feels":"blue","twice":12},{"id":3,"number":7,"feels":"glad","twice":14}]"#
    );
    let message = "new row for relation \"a\" violates check constraint \"a_n_check\"";
    refused_saying(insert(database, "a", r#"{"id":4,"number":0}"#).await, "23514", message);
    let message = "insert or update on table \"b\" violates foreign key constraint \"b_n_fkey\"";
    refused_saying(insert(database, "b", r#"{"n":9}"#).await, "23503", message);
    Ok(())
}

pub(super) async fn are_verified_against_rows(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let made = "create table p (id int primary key); create table a (id int primary key, n int, m int);
        insert into a values (1, 1, null), (2, 1, null);";
    migrate(database, "1.sql", made).await?;
    let wrong = [
        (
            "\nalter table a add column x int not null;",
            2,
            "column \"x\" of relation \"a\" contains null values",
        ),
        ("alter table a alter m set not null;", 1, "column \"m\" of relation \"a\" contains null values"),
        (
            "alter table a add constraint low check (n > 1);",
            1,
            "check constraint \"low\" of relation \"a\" is violated by some row",
        ),
        ("alter table a add constraint once unique (n);", 1, "could not create unique index \"once\""),
        ("create unique index once on a (n);", 1, "could not create unique index \"once\""),
        (
            "alter table a add constraint up foreign key (n) references p;",
            1,
            "insert or update on table \"a\" violates foreign key constraint \"up\"",
        ),
        (
            "insert into a values (3, 3, 3);\ninsert into a values (3, 4, 4);",
            2,
            "duplicate key value violates unique constraint \"a_pkey\"",
        ),
    ];
    for (sql, line, message) in wrong {
        fails(database, sql, line, message).await;
    }
    let more =
        "alter table a add column y text not null default 'y', add column z uuid default gen_random_uuid();";
    migrate(database, "2.sql", more).await?;
    let columns = Query::all().columns(&["id", "n", "m", "y"]);
    assert_eq!(
        read(database, "a", columns).await?,
        r#"[{"id":1,"n":1,"m":null,"y":"y"},{"id":2,"n":1,"m":null,"y":"y"}]"#
    );
    let told_apart = Query::all().columns(&["z"]);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&read(database, "a", told_apart).await?).unwrap_or_default();
    assert!(rows.len() == 2 && rows[0] != rows[1] && rows[0]["z"].is_string(), "{rows:?}");
    Ok(())
}

pub(super) async fn have_keys_that_take_one_null(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let made = "create table a (id int primary key, t text, constraint once unique nulls not distinct (t));";
    migrate(database, "1.sql", made).await?;
    insert(database, "a", r#"[{"id":1,"t":null},{"id":2,"t":""},{"id":3,"t":"x"}]"#).await?;
    for row in [r#"{"id":4,"t":null}"#, r#"{"id":4,"t":""}"#, r#"{"id":4,"t":"x"}"#] {
        let message = "duplicate key value violates unique constraint \"once\"";
        refused_saying(insert(database, "a", row).await, "23505", message);
    }
    Ok(())
}

pub(super) async fn have_indexes_of_one_name_each(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let made = "create schema s; create table a (n int); create table s.a (n int);
        create index once on a (n); create unique index once on s.a (n); insert into s.a values (1);";
    migrate(database, "1.sql", made).await?;
    let message = "duplicate key value violates unique constraint \"once\"";
    fails(database, "insert into s.a values (1);", 1, message).await;
    Ok(())
}
