//! Rows taken as values, and statements that are transactions by themselves.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Caller, Context, Identity};
use truststream_postgres::{Config, PoolConfig, PostgresDriver};
use truststream_services::database::{
    DatabaseDriver, Embed, Filter, Insert, Item, Media, Migrate, Query, Raw, Select, TableName,
    language::parse_parameters,
};

use crate::support::{client, database, is_cancelled};

const SCHEMA: &str = r#"
    create type mood as enum ('sad', 'so "so"', 'a,b');
    create type pair as (a int, b text);
    create domain label as text;
    create table parents (id int primary key, name text not null);
    create table things (
        id bigint generated always as identity primary key, parent int references parents,
        "Odd ""name" text, j json, jb jsonb, js json[], small smallint, f4 real, f8 double precision,
        n numeric, at timestamptz, plain timestamp, day date, t time, span interval, words text[],
        m mood, b bytea, c char(5), v varchar(5), l label, p pair, r int4range, u uuid, ip inet, yes boolean);
    insert into parents values (1, 'one');
    insert into things (parent, j, jb, js, small, f4, f8, n) values
        (1, 'null', 'null', array['null', null]::json[], -1, 'NaN', 'NaN', 'NaN'),
        (1, ' { "b" : 1, "a":null } ', '{"b":1,"a":12345678901234567890.10}', '{}', 32767, 0.1, 'Infinity', 1.50),
        (null, '"a\tb\\\"ü😀"', '"ü"', null, null, 3.4028235e38, '-Infinity', 1e30),
        (null, null, null, null, 0, 1, 1e300, 0.000), (null, null, null, null, 0, -0.0, 2, -7);
    insert into things ("Odd ""name", at, plain, day, t, span, words, m, b, c, v, l, p, r, u, ip, yes) values
        (E'(,"\\) \n\x01', '2024-02-29 12:00:00.123456+02', '0044-03-15 10:00 BC', '2024-02-29', '24:00',
         '1 year -2 days', array['a', null, ''], 'so "so"', '\x00ff', 'a', 'a  ', ' ', row(1, 'x,"y"'), '[1,5)',
         'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '10.0.0.1/8', true),
        ('', 'infinity', '-infinity', 'infinity', '00:00', '0', '{}', 'a,b', '', '', '', '', row(null, ''), 'empty',
         null, '::1', false);
    create function wrote() returns int language sql volatile as 'insert into parents values (99, ''no'') returning id';
    create view writing as select wrote() as id;
    create view sleeping as select pg_sleep(3600)::text as slept;
    create table late (id int primary key, parent int references parents deferrable initially deferred)"#;

/// A driver with one connection, which all that is asked has to share.
async fn opened() -> (String, PostgresDriver) {
    let url = database().await;
    let pool = PoolConfig { max: 1, ..PoolConfig::default() };
    let driver = PostgresDriver::connect(Config { pool, ..Config::new(&url) }).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    (url, driver)
}

fn select(table: &str, parameters: &str) -> Select {
    let pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
    let query = parse_parameters(pairs).unwrap().query;
    Select::new(TableName::public(table), query)
}

fn insert(table: &str, row: &Json) -> Insert {
    Insert::new(TableName::public(table), row.to_string())
}

async fn body(driver: &PostgresDriver, sql: &str) -> Json {
    let op = Raw { sql: sql.to_owned(), parameters: vec![], read_only: false };
    let page = driver.raw(&Context::system(), &op).await.unwrap();
    serde_json::from_slice(&page.body).unwrap()
}

#[tokio::test]
async fn values_stand_for_the_json_that_postgresql_makes() {
    let (_, driver) = opened().await;
    let owner = Caller::Role(Arc::new(Identity::new("postgres", Map::new())));
    let callers = [Context::system(), Context { caller: owner, ..Context::default() }];
    for parameters in [
        "select=*&order=id",
        "select=id,id,name:\"Odd \\\"name\",f8,f4,n,at&order=id.desc&limit=4&offset=1",
        "select=at::text,small::int8,jb->a,jb->>a,p,words&order=id",
        "select=id,parents(name)&order=id",
        "select=id,...parents(name)&parent=not.is.null&order=id",
        "select=parent,f8.max(),n.sum(),id.count()&small=gte.0&order=parent",
        "select=id&id=eq.-1",
    ] {
        let op = select("things", parameters);
        let page = driver.select(&Context::system(), &op).await;
        let page = page.unwrap_or_else(|error| panic!("{parameters}: {error}"));
        let expected: Json = serde_json::from_slice(&page.body).unwrap();
        for cx in &callers {
            // The second time the statement is prepared already.
            for _ in 0..2 {
                let page = driver.select(cx, &Select { as_values: true, ..op.clone() }).await.unwrap();
                let values = page.values.as_ref().unwrap();
                assert_eq!(page.rows as usize, expected.as_array().unwrap().len(), "{parameters}");
                let found: Json = serde_json::from_str(&values.to_json()).unwrap();
                assert_eq!(found, expected, "{parameters}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_list_of_rows_stays_a_body() {
    let (_, driver) = opened().await;
    let one = |parameters: &str| {
        let mut op = Select { as_values: true, ..select("parents", parameters) };
        op.format.media = Media::Object;
        op
    };
    let page = driver.select(&Context::system(), &one("id=eq.1")).await.unwrap();
    assert_eq!(page.values.unwrap().to_json(), r#"[{"id":1,"name":"one"}]"#);
    let error = driver.select(&Context::system(), &one("id=eq.2")).await.unwrap_err();
    assert_eq!(error.code(), "PGRST116");
    let csv = Select { as_values: true, ..select("parents", "select=id") };
    let csv =
        Select { format: truststream_services::database::Format { media: Media::Csv, ..csv.format }, ..csv };
    assert_eq!(&driver.select(&Context::system(), &csv).await.unwrap().body[..], b"id\n1");
    let embed = Embed {
        relation: "things".into(),
        alias: None,
        hint: None,
        inner: true,
        spread: false,
        query: Query::default(),
    };
    let query = Query { items: vec![Item::Embed(embed)], ..Query::default() };
    let op = Select::new(TableName::public("parents"), query);
    let json = driver.select(&Context::system(), &op).await.unwrap();
    let values = driver.select(&Context::system(), &Select { as_values: true, ..op }).await.unwrap();
    assert_eq!(values.rows, json.rows, "an embed of which nothing is shown");
}

#[tokio::test]
async fn reads_only_read_and_writes_write_on_one_session() {
    let (_, driver) = opened().await;
    let writing = Select { as_values: true, ..select("writing", "select=id") };
    let reading = Select { as_values: true, ..select("parents", "select=id&order=id") };
    for round in 0..3 {
        for op in [&writing, &Select { as_values: false, ..writing.clone() }] {
            let error = driver.select(&Context::system(), op).await.unwrap_err();
            assert_eq!(error.code(), "25006", "{error}");
        }
        let id = 100 + round;
        let op = insert("parents", &json!({ "id": id, "name": "new" }));
        assert_eq!(driver.insert(&Context::system(), &op).await.unwrap().rows, 1);
        let page = driver.select(&Context::system(), &reading).await.unwrap();
        assert_eq!(page.rows, 2 + round);
        // Who asks for more than one statement finds the session as it was opened.
        let sql = "select current_setting('default_transaction_read_only') as mode, \
                   current_setting('search_path') as path";
        let here = body(&driver, sql).await;
        assert_eq!(here, json!([{ "mode": "off", "path": "\"public\", \"extensions\"" }]));
        let sql = format!("create table made_{round} (id int primary key)");
        let op = Migrate { name: format!("2_{round}.sql"), sql, dry_run: false };
        driver.select(&Context::system(), &reading).await.unwrap();
        driver.migrate(&Context::system(), &op).await.unwrap();
    }
}

#[tokio::test]
async fn what_fails_at_the_commit_is_told() {
    let (_, driver) = opened().await;
    let op = insert("late", &json!({ "id": 1, "parent": 7 }));
    let error = driver.insert(&Context::system(), &op).await.unwrap_err();
    assert_eq!(error.code(), "23503", "{error}");
    let op = insert("late", &json!({ "id": 1, "parent": 1 }));
    assert_eq!(driver.insert(&Context::system(), &op).await.unwrap().rows, 1);
    let mut query = Query::all();
    query.and(Filter::eq("id", "1"));
    let page =
        driver.select(&Context::system(), &Select::new(TableName::public("late"), query)).await.unwrap();
    assert_eq!(page.rows, 1);
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_is_cancelled() {
    let (url, driver) = opened().await;
    let op = Select { as_values: true, ..select("sleeping", "select=slept") };
    let watcher = client(&url).await;
    is_cancelled(&watcher, "sleeping", Box::pin(driver.select(&Context::system(), &op))).await;
}
