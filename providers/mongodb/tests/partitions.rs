//! Tables divided into partitions, beyond what the shared suite asks.

use serde_json::json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Result};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    AppliedMigration, DatabaseDriver, Insert, Migrate, MigrationOutcome, Page, Query, Review, TableName,
};

use crate::functions::text;
use crate::server::fresh;

const SCHEMA: &str = "
create table logs (id int not null, level int, part text, unique (id, level)) partition by list (level);
create table logs_low partition of logs for values in (1, 2);
create table logs_high partition of logs for values in (3);
create function placed() returns trigger language plpgsql as $$
begin
  new.part := tg_table_name;
  if new.id = 99 then
    new.level := 3;
  end if;
  return new;
end $$;
create trigger placed before insert on logs for each row execute function placed();
";

async fn divided(server: &MongoServer) -> MongoDriver {
    let driver = fresh(server).await.unwrap();
    migrated(&driver, "1.sql", SCHEMA).await.unwrap();
    driver
}

async fn migrated(driver: &MongoDriver, name: &str, sql: &str) -> Result<MigrationOutcome> {
    let op = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await
}

async fn put(driver: &MongoDriver, id: u8, level: u8) -> Result<Page> {
    let row = json!({ "id": id, "level": level }).to_string();
    driver.insert(&Context::system(), &Insert::new(TableName::public("logs"), row)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_of_their_partition_in_triggers_and_errors() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (divided(&server).await, Context::system());
    put(&driver, 1, 1).await.unwrap();
    put(&driver, 2, 3).await.unwrap();
    assert_eq!(
        text(&driver, &system, "logs", Query::all()).await,
        r#"[{"id":1,"level":1,"part":"logs_low"},{"id":2,"level":3,"part":"logs_high"}]"#
    );
    let twice = put(&driver, 2, 3).await.unwrap_err();
    assert_eq!(twice.code(), "23505");
    assert!(twice.message().contains("\"logs_high_id_level_key\""), "{twice:?}");
    assert_eq!(put(&driver, 99, 1).await.unwrap_err().code(), "0A000");
    assert_eq!(put(&driver, 5, 4).await.unwrap_err().code(), "23514");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_partition_alone_would_have_is_refused_beforehand() {
    let server = MongoServer::start().unwrap();
    let driver = divided(&server).await;
    let sql = "create table h (id int primary key) partition by hash (id);\n\
        create table h0 partition of h for values with (modulus 2, remainder 0); \
        create table h1 partition of h for values with (modulus 2, remainder 1);\n\
        create function put() returns void language sql as $$ insert into h0 values (6) $$;\n\
        create function zero() returns bigint language sql as $$ select count(*) from h0 $$;\n\
        alter table h detach partition h0;\n\
        truncate h1; drop table h1;\n\
        create table r (id int primary key) partition by range (id);\n\
        create table r0 partition of r for values from (0) to (9);\n\
        create table r1 partition of r for values from (9) to (19);\n\
        create table s (id int primary key, r int references r (id));\n\
        drop table r0;\n\
        alter table r detach partition r1;\n\
        create table n (id serial, part int, primary key (id, part)) partition by list (part);\n\
        create table n1 partition of n for values in (1);\n\
        alter table n detach partition n1;\n\
        truncate r;\n";
    let migrations = vec![AppliedMigration { name: "2.sql".into(), sql: sql.into() }];
    let problems = driver.review(&Context::system(), &Review { migrations }).await.unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 6, 11, 12, 15, 16], "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_the_rows_where_they_were() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (divided(&server).await, Context::system());
    put(&driver, 1, 1).await.unwrap();
    migrated(&driver, "2.sql", "create table more (id int not null, level int, part text);").await.unwrap();
    let row = json!({ "id": 7, "level": 7, "part": "more" }).to_string();
    driver.insert(&system, &Insert::new(TableName::public("more"), row)).await.unwrap();
    let attached = "alter table logs attach partition more for values in (7); drop table logs_low;";
    let failing = format!("{attached} insert into logs values (8, 1);");
    assert_eq!(migrated(&driver, "3.sql", &failing).await.unwrap_err().code(), "BACKEND_003");
    let wanted = r#"[{"id":1,"level":1,"part":"logs_low"}]"#;
    assert_eq!(text(&driver, &system, "logs", Query::all()).await, wanted);
    assert_eq!(text(&driver, &system, "more", Query::all()).await, r#"[{"id":7,"level":7,"part":"more"}]"#);
    migrated(&driver, "4.sql", attached).await.unwrap();
    let wanted = r#"[{"id":7,"level":7,"part":"more"}]"#;
    assert_eq!(text(&driver, &system, "logs", Query::all()).await, wanted);
}
