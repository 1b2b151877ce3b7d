//! Columns of composite types, beyond what the shared suite asks.

use serde_json::{Value as Json, json};
use truststream_kernel::{Context, Result};
use truststream_services::database::{
    DatabaseDriver, Field, Insert, Migrate, Order, Query, Select, TableName,
};
use truststream_sqlite::SqliteDriver;

use crate::fresh;

const SCHEMA: &str = "
create type place as (line int, seat text);
create type booking as (place place, paid numeric);
create table guests (id int primary key, booking booking);
create view first as select id from guests order by booking limit 1;
create view booked as select id, row(row((booking).place.line + 1, 'z')::place, 1.50)::booking as next from guests;
";

async fn read(driver: &SqliteDriver, table: &str, query: Query) -> Result<Json> {
    let page = driver.select(&Context::system(), &Select::new(TableName::public(table), query)).await?;
    Ok(serde_json::from_slice(&page.body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_stand_within_records_and_in_no_order() {
    let (driver, system) = (fresh().await.unwrap(), Context::system());
    let op = Migrate { name: "1".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let rows = r#"[{"id":1,"booking":{"place":{"line":10,"seat":"a"},"paid":1}},
        {"id":2,"booking":"(\"(2,b)\",)"}]"#;
    driver.insert(&system, &Insert::new(TableName::public("guests"), rows)).await.unwrap();
    assert_eq!(
        read(&driver, "booked", Query::all()).await.unwrap(),
        json!([
            { "id": 1, "next": { "place": { "line": 11, "seat": "z" }, "paid": 1.5 } },
            { "id": 2, "next": { "place": { "line": 3, "seat": "z" }, "paid": 1.5 } },
        ])
    );
    let order = Order { field: Field::column("booking"), relation: None, descending: false, nulls: None };
    let ordered = Query { order: vec![order], ..Query::all() };
    for refused in [read(&driver, "guests", ordered).await, read(&driver, "first", Query::all()).await] {
        let error = refused.unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            ("0A000", "this database has no order of values of type booking")
        );
    }
}
