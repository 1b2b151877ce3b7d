//! Materialized views: rows as they were when the view was last refreshed.

use serde_json::json;
use truststream_kernel::Context;
use truststream_services::database::{
    AppliedMigration, Arguments, DatabaseDriver, Format, Insert, Invoke, Migrate, Prepare, Query, Raw,
    Select, TableName, Transaction,
};
use truststream_sqlite::SqliteDriver;

use super::support::open;

const SCHEMA: &str = "
create table sales (id int primary key, shop text not null, amount numeric not null);
insert into sales values (1, 'a', 10);
create view positive as select shop, amount from sales where amount > 0;
create materialized view totals as select shop, sum(amount) as total from positive group by shop with no data;
create unique index totals_shop on totals (shop);
create view best as select shop from totals where total > 15;
grant select on totals to anon;
create function renew() returns void language sql security definer as 'refresh materialized view concurrently totals';
create function renew_mine() returns void language plpgsql as $$ begin refresh materialized view totals; end $$;
";

fn migration(name: &str, sql: &str) -> Migrate {
    Migrate { name: name.into(), sql: sql.into(), dry_run: false }
}

async fn rows(driver: &SqliteDriver, cx: &Context, name: &str) -> String {
    let page = driver.select(cx, &Select::new(TableName::public(name), Query::all())).await.unwrap();
    String::from_utf8_lossy(&page.body).into_owned()
}

async fn sell(driver: &SqliteDriver, id: i64, amount: i64) {
    let row = json!({"id": id, "shop": "a", "amount": amount}).to_string();
    driver.insert(&Context::system(), &Insert::new(TableName::public("sales"), row)).await.unwrap();
}

fn call(name: &str) -> Invoke {
    Invoke {
        function: TableName::public(name),
        arguments: Arguments::Json("{}".into()),
        query: Query::all(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    }
}

#[tokio::test]
async fn they_show_what_there_was_until_they_are_refreshed() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let (cx, anon) = (Context::system(), Context::role("anon"));
    driver.migrate(&cx, &migration("1", SCHEMA)).await.unwrap();
    let first = r#"[{"shop":"a","total":10}]"#;
    assert_eq!(rows(&driver, &anon, "totals").await, first);
    sell(&driver, 2, 7).await;
    driver.migrate(&cx, &migration("2", "alter table sales add column note text;")).await.unwrap();
    assert_eq!(rows(&driver, &anon, "totals").await, first);
    assert_eq!(rows(&driver, &cx, "best").await, "[]");
    assert_eq!(driver.invoke(&anon, &call("renew_mine")).await.unwrap_err().code(), "42501");
    assert_eq!(driver.invoke(&anon, &call("renew")).await.unwrap().status, Some(204));
    assert_eq!(rows(&driver, &anon, "totals").await, r#"[{"shop":"a","total":17}]"#);
    assert_eq!(rows(&driver, &cx, "best").await, r#"[{"shop":"a"}]"#);
    sell(&driver, 3, 1).await;
    let refresh = Raw::new("refresh materialized view totals");
    driver.raw(&cx, &refresh).await.unwrap();
    assert_eq!(rows(&driver, &anon, "totals").await, r#"[{"shop":"a","total":18}]"#);
    sell(&driver, 4, 1).await;
    driver.migrate(&cx, &migration("3", "refresh materialized view totals;")).await.unwrap();
    assert_eq!(rows(&driver, &anon, "totals").await, r#"[{"shop":"a","total":19}]"#);
    let row = Insert::new(TableName::public("totals"), r#"{"shop":"b","total":1}"#);
    assert!(driver.insert(&cx, &row).await.is_err());
    let error = driver.migrate(&cx, &migration("4", "drop view totals;")).await.unwrap_err();
    assert!(error.message().contains("\"totals\" does not exist"), "{error:?}");
    driver.migrate(&cx, &migration("5", "drop view best; drop materialized view totals;")).await.unwrap();
    let left: i64 = rusqlite::Connection::open(folder.path().join("data.db"))
        .unwrap()
        .query_row("select count(*) from sqlite_master where tbl_name = 'totals'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_database_that_was_received_has_them_filled() {
    let folder = tempfile::tempdir().unwrap();
    let driver = open(folder.path()).await.unwrap();
    let cx = Context::system();
    let migrations = vec![AppliedMigration { name: "1".into(), sql: SCHEMA.into() }];
    driver.prepare(&cx, &Prepare::Begin { migrations }).await.unwrap();
    sell(&driver, 9, 40).await;
    driver.prepare(&cx, &Prepare::Finish).await.unwrap();
    assert_eq!(rows(&driver, &cx, "totals").await, r#"[{"shop":"a","total":40}]"#);
    driver.prepare(&cx, &Prepare::Discard).await.unwrap();
    let gone = driver.select(&cx, &Select::new(TableName::public("totals"), Query::all())).await;
    assert_eq!(gone.unwrap_err().code(), "PGRST205");
}
