//! Rows from and to a remote project.

use std::sync::Arc;

use truststream_kernel::{Context, Driven, ErrorKind, Handle, Result, Row, Value};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Change, ChangeKind, Database, Describe, Insert, Mark, Migrate,
    MigrationNames, Migrations, Position, Scan, TableName,
};
use truststream_supabase::RemoteDatabase;

use crate::support::{Remote, install_helper, on_postgres, run_inside};

const SCHEMA: &str = "
create table genres (code text primary key, name text not null);
create table albums (genre text not null references genres, number int not null, facts jsonb, at timestamptz,
  price numeric(6,2), tags text[], cover bytea, primary key (genre, number));
create table stamped (id int primary key, note text);
create function stamp() returns trigger language plpgsql as $$ begin new.note := 'stamped'; return new; end $$;
create trigger stamp before insert or update on stamped for each row execute function stamp();";

async fn project() -> (Remote, Database) {
    let project = Remote::start(&on_postgres()).await;
    let migrate = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    project.inside.database().send(migrate).await.unwrap();
    let remote = RemoteDatabase::connect(&project.with_secret()).await.unwrap();
    (project, Handle::new(Arc::new(Driven(remote)), Context::system()))
}

fn table(name: &str) -> TableName {
    TableName::public(name)
}

async fn all(database: &Database, name: &str, limit: usize) -> Vec<Row> {
    let catalog = database.send(Describe::default()).await.unwrap();
    let key = &catalog.table(&table(name)).unwrap().primary_key;
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|row| key.iter().filter_map(|name| row.get(name).cloned()).collect());
        let chunk = database.send(Scan::new(table(name), after, limit)).await.unwrap().rows;
        let done = chunk.len() < limit;
        rows.extend(chunk);
        if done {
            return rows;
        }
    }
}

async fn put(database: &Database, rows: Vec<(TableName, Vec<Row>)>, changes: Vec<Change>) -> Result<Applied> {
    let origin = "test".to_owned();
    database.send(Apply { origin, expected: None, position: None, rows, changes }).await
}

fn gone(name: &str, row: Row) -> Change {
    let (mark, made_at) = (Mark::default(), 0);
    Change {
        mark,
        table: table(name),
        kind: ChangeKind::Delete,
        old: Some(row),
        new: None,
        origin: None,
        made_at,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_project_become_those_of_another() {
    let (source, from) = project().await;
    let (_target, to) = project().await;
    let inside = source.inside.database();
    let genres = r#"[{"code":"a","name":"Ä \"x\""},{"code":"b","name":"B"}]"#;
    inside.send(Insert::new(table("genres"), genres)).await.unwrap();
    let albums: Vec<String> = (0..1100)
        .map(|number| {
            let genre = if number % 2 == 0 { "a" } else { "b" };
            format!(
                r#"{{"genre":"{genre}","number":{number},"facts":{{"n":1.50}},"at":"2024-01-01T10:00:00.123456+02",
                "price":1.5,"tags":["x,y",null],"cover":"\\x00ff"}}"#
            )
        })
        .collect();
    inside.send(Insert::new(table("albums"), format!("[{}]", albums.join(",")))).await.unwrap();
    let (genres, albums) = (all(&from, "genres", 10).await, all(&from, "albums", 400).await);
    assert_eq!((genres.len(), albums.len()), (2, 1100));
    assert_eq!(albums[1].get("number"), Some(&Value::Int(2)));
    // Children are named first, and arrive after their parents.
    let rows = vec![(table("albums"), albums.clone()), (table("genres"), genres.clone())];
    assert_eq!(put(&to, rows.clone(), Vec::new()).await.unwrap(), Applied::Done);
    assert_eq!(put(&to, rows, Vec::new()).await.unwrap(), Applied::Done);
    assert_eq!(
        (all(&to, "genres", 10).await, all(&to, "albums", 1000).await),
        (genres.clone(), albums.clone())
    );
    // And go before them.
    let mut changes = vec![gone("genres", genres[1].clone())];
    changes.extend(albums[550..].iter().map(|row| gone("albums", row.clone())));
    put(&to, Vec::new(), changes).await.unwrap();
    assert_eq!((all(&to, "genres", 10).await.len(), all(&to, "albums", 1000).await.len()), (1, 550));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_migrations_are_told_without_their_texts() {
    let database = on_postgres();
    install_helper(&database);
    let project = Remote::start(&database).await;
    let migrate = Migrate { name: "20250101_a.sql".into(), sql: SCHEMA.into(), dry_run: false };
    project.inside.database().send(migrate).await.unwrap();
    // What the supabase CLI recorded: of the first one, both.
    run_inside(
        &database,
        "create schema supabase_migrations;
         create table supabase_migrations.schema_migrations (version text primary key, name text, statements text[]);
         insert into supabase_migrations.schema_migrations values ('20250101', 'a', '{}'), ('20250102', 'b', '{}'),
           ('20250103', null, '{}')",
    );
    let remote = RemoteDatabase::connect(&project.with_secret()).await.unwrap();
    let remote: Database = Handle::new(Arc::new(Driven(remote)), Context::system());
    let all = remote.send(Migrations).await.unwrap();
    let all: Vec<_> = all.into_iter().map(|one| one.name).collect();
    assert!(
        all.ends_with(&["20250101_a.sql", "20250102_b.sql", "20250103.sql"].map(str::to_owned)),
        "{all:?}"
    );
    // Whoever asks for names only does not have texts read.
    run_inside(&database, "drop function public.truststream_migrations()");
    assert_eq!(remote.send(MigrationNames).await.unwrap(), all);
    remote.send(Migrations).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_arrive_as_it_was_sent_is_refused() {
    let (_project, database) = project().await;
    let columns: Arc<[String]> = ["id", "note"].map(str::to_owned).into();
    let row = Row { columns, values: vec![Value::Int(1), Value::Text("mine".into())] };
    let rows = vec![(table("stamped"), vec![row.clone()])];
    let error = put(&database, rows.clone(), Vec::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Constraint, "BACKEND_009"));
    assert!(error.message().contains("public.stamped") && error.message().contains("note"), "{error}");
    let columns: Arc<[String]> = ["genre", "number", "facts"].map(str::to_owned).into();
    let values = vec![Value::Text("a".into()), Value::Int(1), Value::Json("null".into())];
    let null = vec![(table("albums"), vec![Row { columns, values }])];
    assert_eq!(put(&database, null, Vec::new()).await.unwrap_err().code(), "0A000");
    // Where a stream stands can't be kept beside its rows.
    let position = Some(Position::Sequence(1));
    let apply = Apply { origin: "s".into(), expected: None, position, rows, changes: Vec::new() };
    assert_eq!(database.send(apply).await.unwrap_err().code(), "0A000");
    assert_eq!(database.send(AppliedPosition { origin: "s".into() }).await.unwrap_err().code(), "0A000");
    let unknown = put(&database, vec![(table("nowhere"), vec![row])], Vec::new()).await.unwrap_err();
    assert_eq!(unknown.code(), "PGRST205");
    assert!(all(&database, "albums", 10).await.is_empty());
}
