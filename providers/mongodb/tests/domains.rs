//! Casts to domains in what is selected.

use serde_json::{Value as Json, json};
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Result};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    DatabaseDriver, Field, Filter, Insert, Item, JsonKey, JsonStep, Migrate, Query, Select, TableName,
};

use crate::server::fresh;

const SCHEMA: &str = "
create domain percent as int check (value between 0 and 100);
create domain small as percent check (value < 10);
create domain code as text not null check (length(value) = 3);
create domain plain as text;
create table t (id int primary key, n int, w text, j jsonb);
";

async fn filled(server: &MongoServer) -> MongoDriver {
    let (driver, system) = (fresh(server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let rows = json!([
        { "id": 1, "n": 5, "w": "abc", "j": { "n": "7" } },
        { "id": 2, "n": 50, "w": null, "j": { "n": "700" } },
        { "id": 3, "n": 200, "w": "abcd", "j": null },
    ]);
    driver.insert(&system, &Insert::new(TableName::public("t"), rows.to_string())).await.unwrap();
    driver
}

/// A field of one row as a type.
async fn cast(driver: &MongoDriver, id: u8, field: Field, to: &str) -> Result<Json> {
    let item = Item::Column { field, alias: Some("v".into()), cast: Some(to.into()), aggregate: None };
    let filter = Some(Filter::eq("id", id.to_string()));
    let query = Query { items: vec![item], filter, ..Query::all() };
    let page = driver.select(&Context::system(), &Select::new(TableName::public("t"), query)).await?;
    let rows: Json = serde_json::from_slice(&page.body).unwrap();
    Ok(rows[0]["v"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn take_what_keeps_their_rules() {
    let server = MongoServer::start().unwrap();
    let driver = filled(&server).await;
    for (id, column, to, wanted) in [
        (1, "n", "percent", json!(5)),
        (1, "n", "small", json!(5)),
        (2, "n", "percent", json!(50)),
        (1, "w", "code", json!("abc")),
        (2, "w", "plain", Json::Null),
    ] {
        let found = cast(&driver, id, Field::column(column), to).await;
        assert_eq!(found.unwrap_or_else(|error| panic!("{column} {to}: {error:?}")), wanted, "{column} {to}");
    }
    let step = JsonStep { key: JsonKey::Key("n".into()), as_text: true };
    let inside = Field { path: vec![step], ..Field::column("j") };
    assert_eq!(cast(&driver, 1, inside.clone(), "percent").await.unwrap(), json!(7));
    assert_eq!(cast(&driver, 2, inside, "percent").await.unwrap_err().code(), "23514");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuse_what_breaks_them_in_postgres_words() {
    let server = MongoServer::start().unwrap();
    let driver = filled(&server).await;
    for (id, column, to, code, words) in [
        (3, "n", "percent", "23514", "value for domain percent violates check constraint \"percent_check\""),
        (2, "n", "small", "23514", "value for domain small violates check constraint \"small_check\""),
        (3, "n", "small", "23514", "value for domain percent violates check constraint \"percent_check\""),
        (3, "w", "code", "23514", "value for domain code violates check constraint \"code_check\""),
        (2, "w", "code", "23502", "domain code does not allow null values"),
    ] {
        let error = cast(&driver, id, Field::column(column), to).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (code, words));
    }
}
