//! Rows copied and followed to another database are the same texts there.

use std::time::Duration;

use truststream_kernel::Context;
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{
    Applied, Apply, Capture, Change, Changes, DatabaseDriver, Migrate, Scan, TableName,
};

use crate::support;

const SCHEMA: &str = r#"
    create type mood as enum ('sad', 'so "so"', 'a,b');
    create type pair as (a int, b text);
    create domain label as text check (value <> 'no');
    create domain document as jsonb;
    create table things (
        id bigint generated always as identity primary key,
        chunk text, "Odd ""name" text default 'x',
        j json, jb jsonb, d document, js json[], jbs jsonb[],
        f4 real, f8 double precision, n numeric, n2 numeric(8,3), i8 bigint,
        at timestamptz, plain timestamp, day date, t time, span interval,
        words text[], grid int[], moods mood[], m mood,
        b bytea, c char(5), v varchar(5), l label, p pair, r int4range, u uuid, bits bit(3), ip inet,
        doubled text generated always as (chunk || chunk) stored);"#;

const ROWS: &str = r#"
    insert into things (chunk) values (null), ('');
    insert into things (j, jb, d, js, jbs) values
        ('null', 'null', 'null', array['null', null]::json[], array['null', null]::jsonb[]),
        (' { "b" : 1, "a":null,"b": 12345678901234567890.10 } ', '{"b":1,"aa":[null,{"x":null}],"a":12345678901234567890.10}',
         '"null"', array[' {"a":  "q\"\\"}']::json[], array['"a,b"', '{}']::jsonb[]),
        ('"a\tb\\\"ü😀"', '"a\tb\\\"ü😀"', '9007199254740993', '{}', '{}'), ('1E2', '1E2', '-0.0', null, null);
    insert into things (f4, f8, n, n2, i8) values
        ('NaN', 'NaN', 'NaN', 'NaN', 9223372036854775807), ('Infinity', '-Infinity', 'Infinity', 1.5, -9223372036854775808),
        ('-0', '-0', 0.000, 0, 0), (0.1, 0.1, 1.50, 12345.678, 9007199254740993),
        (1e-45, 5e-324, '123456789012345678901234567890.123456789', 1, 1), (3.4028235e38, 1.7976931348623157e308, 1e100, 1, 1);
    insert into things (at, plain, day, t, span) values
        ('infinity', '-infinity', 'infinity', '24:00', '1 year -2 days +03:04:05.000006'),
        ('2024-02-29 12:00:00.123456+02', '0044-03-15 10:00 BC', '0044-03-15 BC', '00:00:00.000001', '-00:00:00.5'),
        ('-infinity', 'infinity', '-infinity', '12:34:56', '-1 mons +1 day');
    insert into things (words, grid, moods, m) values
        (array['a', null, '', 'NULL', 'q"\,{} '], '{{1,null},{3,4}}', array['so "so"', null, 'a,b']::mood[], 'a,b'),
        ('{}', '[0:1]={7,8}', '{}', 'so "so"');
    insert into things (chunk, "Odd ""name", b, c, v, l, p, r, u, bits, ip) values
        (E'(,"\\) \n\t\x01', '', '\x00ff5c', 'a', 'a  ', ' ', row(1, 'x,"y"'), '[1,5)', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '101', '10.0.0.1/8'),
        ('ünï😀', 'null', '', '', '', '', row(null, ''), 'empty', null, '000', '::1');"#;

async fn opened() -> (String, PostgresDriver) {
    let url = support::database().await;
    let driver = PostgresDriver::connect(Config::new(&url)).await.unwrap();
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    (url, driver)
}

async fn texts(url: &str) -> Vec<String> {
    let client = support::client(url).await;
    let rows = client.query("select things::text from things order by id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn apply(changes: Vec<Change>) -> Apply {
    Apply { origin: "test".into(), expected: None, position: None, rows: Vec::new(), changes }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_exact() {
    let (from, source) = opened().await;
    let (to, target) = opened().await;
    let cx = Context::system();
    support::client(&from).await.batch_execute(ROWS).await.unwrap();
    let mut after = None;
    loop {
        let op = Scan::new(TableName::public("things"), after, 4);
        let rows = source.scan(&cx, &op).await.unwrap().rows;
        let Some(last) = rows.last() else { break };
        after = Some(vec![last.get("id").unwrap().clone()]);
        let op = Apply { rows: vec![(TableName::public("things"), rows)], ..apply(Vec::new()) };
        assert_eq!(target.apply(&cx, &op).await.unwrap(), Applied::Done);
    }
    let copied = texts(&to).await;
    assert_eq!(copied.len(), 19);
    assert_eq!(copied, texts(&from).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_changes_are_exact() {
    let (from, source) = opened().await;
    let (to, target) = opened().await;
    let cx = Context::system();
    let op = Capture { consumer: "test".into(), tables: vec![TableName::public("things")] };
    let mut position = source.capture(&cx, &op).await.unwrap();
    let client = support::client(&from).await;
    // The session's own ways of printing are not those of the log.
    let odd = "set datestyle = 'SQL, DMY'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'iso_8601';
               set bytea_output = 'escape'; set extra_float_digits = -5;";
    let update = "update things set jb = 'null', j = null where jb is null; delete from things where id = 2";
    for sql in [&format!("{odd} {ROWS}"), update, "truncate things", ROWS] {
        client.batch_execute(sql).await.unwrap();
        let op = Changes { after: Some(position), limit: 1000, wait: Duration::ZERO };
        let batch = source.changes(&cx, &op).await.unwrap();
        position = batch.position;
        assert!(!batch.changes.is_empty());
        target.apply(&cx, &apply(batch.changes)).await.unwrap();
        assert_eq!(texts(&to).await, texts(&from).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_outlive_the_columns_they_were_made_with() {
    let (from, source) = opened().await;
    let cx = Context::system();
    let op = Capture { consumer: "test".into(), tables: vec![TableName::public("things")] };
    let position = source.capture(&cx, &op).await.unwrap();
    support::client(&from)
        .await
        .batch_execute("insert into things (jb, c) values ('null', 'a')")
        .await
        .unwrap();
    let sql = "alter table things drop column chunk cascade, add column more text";
    let op = Migrate { name: "2.sql".into(), sql: sql.into(), dry_run: false };
    source.migrate(&cx, &op).await.unwrap();
    let op = Changes { after: Some(position), limit: 10, wait: Duration::ZERO };
    let batch = source.changes(&cx, &op).await.unwrap();
    let row = batch.changes[0].new.as_ref().unwrap();
    let found = ["jb", "c", "more", "j"].map(|name| row.get(name).unwrap().to_text());
    assert_eq!(found, [Some("null".to_owned()), Some("a    ".to_owned()), None, None]);
    assert_eq!(row.get("chunk"), None);
}
