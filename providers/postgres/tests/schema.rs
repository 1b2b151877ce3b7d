//! The schema changes under us: formats of our own tables, and tables altered by others.

use std::time::Duration;

use truststream_kernel::{Caller, Context, ErrorKind, Identity, Value};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{
    Authorize, Capture, Changes, DatabaseDriver, Describe, Fence, FenceStep, Migrate, Position, Query,
    SchemaMark, Select, TableName,
};

use crate::support::{client, database, until};

async fn migrated(url: &str, sql: &str) -> PostgresDriver {
    let driver = PostgresDriver::connect(Config::new(url)).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    driver
}

fn select(table: &str) -> Select {
    Select::new(TableName::public(table), Query::default())
}

async fn rows(driver: &PostgresDriver, table: &str) -> String {
    let page = driver.select(&Context::system(), &select(table)).await.unwrap();
    String::from_utf8(page.body.to_vec()).unwrap()
}

async fn knows_column(driver: &PostgresDriver, table: &str, column: &str) -> bool {
    let catalog = driver.describe(&Context::system(), &Describe::default()).await.unwrap();
    catalog.table(&TableName::public(table)).is_some_and(|table| table.column(column).is_some())
}

async fn until_known(driver: &PostgresDriver, table: &str, column: &str) {
    until(&format!("{table}.{column} is seen"), async || knows_column(driver, table, column).await).await;
}

#[tokio::test]
async fn a_log_of_an_older_format_is_brought_up() {
    let url = database().await;
    let plain = client(&url).await;
    plain.batch_execute(include_str!("install/format_1.sql")).await.unwrap();
    let old = "create table notes (id int primary key, body jsonb);
         create trigger truststream_capture after insert or update or delete on notes
           for each row execute function truststream.capture();
         alter table notes enable always trigger truststream_capture;
         insert into truststream.captures values ('test', 'public', 'notes');
         insert into truststream.migrations (name, sql) values ('0.sql', 'select 1');
         insert into notes values (1, 'null')";
    plain.batch_execute(old).await.unwrap();
    let before = plain.query_one("select pg_current_xact_id()::text", &[]).await.unwrap();
    let before: u64 = before.get::<_, String>(0).parse().unwrap();

    let driver = PostgresDriver::connect(Config::new(&*url)).await.unwrap();
    let applied = driver.migrations(&Context::system(), &Default::default()).await.unwrap();
    assert_eq!(applied.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["0.sql"]);
    // What the old log held can't be told apart any more, so whoever was reading is told to start again.
    let old = Position::Snapshot { low: before - 1, high: before - 1, running: vec![] };
    let changes = |after| Changes { after, limit: 10, wait: Duration::ZERO };
    let lost = driver.changes(&Context::system(), &changes(Some(old))).await.unwrap_err();
    assert_eq!((lost.kind(), lost.code()), (ErrorKind::NotFound, "BACKEND_010"));

    let capture = Capture { consumer: "test".into(), tables: vec![TableName::public("notes")] };
    let start = driver.capture(&Context::system(), &capture).await.unwrap();
    plain.batch_execute("insert into notes values (2, 'null'), (3, null)").await.unwrap();
    let batch = driver.changes(&Context::system(), &changes(Some(start))).await.unwrap();
    let bodies: Vec<_> = batch
        .changes
        .iter()
        .map(|change| change.new.as_ref().unwrap().get("body").cloned().unwrap())
        .collect();
    assert_eq!(bodies, [Value::Json("null".into()), Value::Null]);
    // A second connection finds nothing to do, and one of an older program would say so.
    PostgresDriver::connect(Config::new(&*url)).await.unwrap();
}

#[tokio::test]
async fn composite_types_are_told_with_their_fields_as_they_are_now() {
    let url = database().await;
    let made = "create schema shop; create type shop.size as (width int, \"as sold\" varchar(9));
        create type place as (street text, size shop.size[]); create table plots (id int primary key, at place)";
    let driver = migrated(&url, made).await;
    let fields = async |schema: &str, name: &str| {
        let catalog = driver.describe(&Context::system(), &Describe::default()).await.unwrap();
        let fields = catalog.composites.get(&TableName::new(schema, name)).cloned().unwrap_or_default();
        fields.into_iter().map(|field| format!("{} {}", field.name, field.type_name)).collect::<Vec<_>>()
    };
    assert_eq!(fields("shop", "size").await, ["width integer", "as sold character varying(9)"]);
    assert_eq!(fields("public", "place").await, ["street text", "size shop.size[]"]);
    assert_eq!(fields("public", "plots").await, [""; 0], "a table's row is no type of its own");
    let plain = client(&url).await;
    plain.batch_execute("alter type place add attribute number int").await.unwrap();
    until("the new field is seen", async || fields("public", "place").await.len() == 3).await;
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let url = database().await;
    PostgresDriver::connect(Config::new(&*url)).await.unwrap();
    let newer = "update truststream.settings set value = '9000' where name = 'format'";
    client(&url).await.batch_execute(newer).await.unwrap();
    let Err(refused) = PostgresDriver::connect(Config::new(&*url)).await else { panic!("it connected") };
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    assert!(refused.message().contains("9000"), "{refused:?}");
}

#[tokio::test]
async fn a_table_altered_by_others_is_seen_at_once() {
    let url = database().await;
    let driver =
        migrated(&url, "create table items (id int primary key); insert into items values (1)").await;
    // The event trigger tells of it, well before the catalogs would be looked at.
    client(&url).await.batch_execute("alter table items add label text default 'new'").await.unwrap();
    until_known(&driver, "items", "label").await;
    assert_eq!(rows(&driver, "items").await, r#"[{"id":1,"label":"new"}]"#);
    client(&url).await.batch_execute("alter table items drop label").await.unwrap();
    until("a dropped column is known no more", async || !knows_column(&driver, "items", "label").await).await;
}

/// A database of a role that can't make event triggers, with nobody told of anything.
async fn quiet() -> String {
    let url = database().await;
    let admin = client(&url).await;
    let name = url.rsplit('/').next().unwrap();
    let sql = format!(
        "do $$ begin create role plain login createrole; exception when duplicate_object or unique_violation then null; end $$;
         alter database {name} owner to plain; alter schema public owner to plain"
    );
    admin.batch_execute(&sql).await.unwrap();
    url.replace("postgres@", "plain@")
}

#[tokio::test]
async fn without_notice_the_catalogs_are_looked_at() {
    let url = quiet().await;
    let config = Config { schema_check_s: 1, ..Config::new(&*url) };
    let driver = PostgresDriver::connect(config).await.unwrap();
    let plain = client(&url).await;
    let told = plain.query("select from pg_event_trigger", &[]).await.unwrap();
    assert!(told.is_empty(), "the role could make an event trigger");
    plain.batch_execute("create table seen (id int primary key)").await.unwrap();
    until_known(&driver, "seen", "id").await;
}

#[tokio::test]
async fn a_request_for_what_is_new_does_not_wait_for_that() {
    let url = quiet().await;
    let config = Config { schema_check_s: 0, ..Config::new(&*url) };
    let driver = PostgresDriver::connect(config).await.unwrap();
    let plain = client(&url).await;
    plain
        .batch_execute("create table fresh (id int primary key); insert into fresh values (7)")
        .await
        .unwrap();
    assert_eq!(rows(&driver, "fresh").await, r#"[{"id":7}]"#);
    // Who asks for what there is not has the catalogs looked at only so often.
    let missing = driver.select(&Context::system(), &select("nothing")).await.unwrap_err();
    assert_eq!(missing.code(), "PGRST205");
}

#[tokio::test]
async fn policies_see_json_null_and_null_apart() {
    let url = database().await;
    let driver = migrated(
        &url,
        "create table notes (id int primary key, body jsonb);
         alter table notes enable row level security;
         create function shown(note notes) returns boolean language sql stable as $$ select note.id < 10 $$;
         create policy present on notes for select to anon using (body is not null and shown(notes));
         grant select on notes to anon",
    )
    .await;
    let sql = "insert into notes values (1, 'null'), (2, null), (3, '{}'), (11, '1')";
    client(&url).await.batch_execute(sql).await.unwrap();
    let anon = Context {
        caller: Caller::Role(std::sync::Arc::new(Identity::new("anon", serde_json::Map::new()))),
        ..Context::default()
    };
    let page = driver.select(&anon, &select("notes")).await.unwrap();
    assert_eq!(
        &page.body[..],
        br#"[{"id":1,"body":null}, 
 {"id":3,"body":{}}]"#
    );
    let columns: std::sync::Arc<[String]> = ["id".to_owned(), "body".to_owned()].into();
    let row = |id, body: Value| truststream_kernel::Row {
        columns: std::sync::Arc::clone(&columns),
        values: vec![Value::Int(id), body],
    };
    let json = |text: &str| Value::Json(text.to_owned());
    let rows = vec![row(1, json("null")), row(2, Value::Null), row(3, json("{}")), row(11, json("1"))];
    let op = Authorize { table: TableName::public("notes"), rows };
    assert_eq!(driver.authorize(&anon, &op).await.unwrap(), [true, false, true, false]);
}

#[tokio::test]
async fn the_mark_of_the_schema_is_another_one_for_what_is_read_of_it_only() {
    let url = database().await;
    let driver = migrated(&url, "create table notes (id int primary key, body text)").await;
    let (cx, plain) = (Context::system(), client(&url).await);
    let mark = async || driver.schema_mark(&cx, &SchemaMark).await.unwrap().unwrap();
    let mut last = mark().await;

    let tables = vec![TableName::public("notes")];
    driver.capture(&cx, &Capture { consumer: "test".into(), tables: tables.clone() }).await.unwrap();
    for (epoch, step) in
        [(1, FenceStep::Install), (2, FenceStep::Close { hold: None }), (3, FenceStep::Remove)]
    {
        let fence = Fence { tables: tables.clone(), streams: "switch-1/".into(), epoch, step };
        driver.fence(&cx, &fence).await.unwrap();
    }
    let rows =
        "insert into notes select i, 'x' from generate_series(1, 1000) i; analyze notes; truncate notes;
                create temp table mine (id int primary key)";
    plain.batch_execute(rows).await.unwrap();
    assert_eq!(mark().await, last);

    for sql in [
        "create table more (id int)",
        "alter table notes add column late int",
        "alter table notes alter late type bigint",
        "alter table notes alter late set not null",
        "alter table notes rename late to later",
        "alter table notes drop later",
        "alter table notes enable row level security",
        "create function one() returns int language sql return 1",
        "drop table more",
    ] {
        plain.batch_execute(sql).await.unwrap();
        let now = mark().await;
        assert_ne!(now, last, "{sql}");
        last = now;
    }
}
