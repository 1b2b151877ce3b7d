//! Arithmetic of `numeric` in views, functions and computed columns: exact, with PostgreSQL's scales.

use serde_json::json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::Context;
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    DatabaseDriver, Delete, Field, Filter, Insert, Item, Migrate, Order, Query, Select, TableName, Update,
};

use crate::functions::{call, text};
use crate::server::fresh;

const SCHEMA: &str = "
create table pairs (id int primary key, a numeric, b numeric);
create view quotients as select id, a / b as quotient, a % b as rest from pairs;
create table orders (id int primary key, price numeric(10,2), pieces int, many bigint,
  each numeric(8,3) generated always as (price / pieces) stored, check (pieces = 0 or price / pieces < 1000));
create function share(orders) returns numeric language sql stable as $$ select $1.price / $1.pieces $$;
create function halves() returns setof numeric language sql stable as
  $$ select round(price / 2, 1) from orders order by id $$;
create function wholes() returns setof bigint language sql stable as $$ select many / 3 from orders order by id $$;
create function grow(by numeric) returns void language sql as $$ update orders set price = price * by / 3 $$;
create view products as select id, a * b as product, a - b as difference from pairs;
";

/// Two numbers, their quotient and what is left, each as PostgreSQL 15 prints it.
const PAIRS: &[[&str; 4]] = &[
    ["1", "3", "0.33333333333333333333", "1"],
    ["2", "3", "0.66666666666666666667", "2"],
    ["-7", "2.00", "-3.5000000000000000", "-1.00"],
    ["10", "4", "2.5000000000000000", "2"],
    ["100000", "7", "14285.714285714286", "5"],
    ["0.0001", "2", "0.000050000000000000000000", "0.0001"],
    ["0", "5", "0.00000000000000000000", "0"],
    ["0.00000000", "-5", "0.00000000000000000000", "0.00000000"],
    ["12345678901234567891.1", "2", "6172839450617283945.6", "1.1"],
    ["9999.5", "3", "3333.1666666666666667", "0.5"],
    ["10000", "9999.0", "1.0001000100010001", "1.0"],
    ["-0.5", "0.00000001", "-50000000.000000000000", "0.00000000"],
];

async fn ready(server: &MongoServer) -> MongoDriver {
    let (driver, system) = (fresh(server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    driver
}

fn by_id(columns: &[&str]) -> Query {
    let order = Order { field: Field::column("id"), relation: None, descending: false, nulls: None };
    Query {
        items: columns.iter().map(|one| Item::column(*one)).collect(),
        order: vec![order],
        ..Query::all()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quotients_and_rests_are_those_of_postgres() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (ready(&server).await, Context::system());
    let rows = PAIRS.iter().enumerate().map(|(id, [a, b, ..])| format!(r#"{{"id":{id},"a":{a},"b":{b}}}"#));
    let rows = format!("[{}]", rows.collect::<Vec<_>>().join(","));
    driver.insert(&system, &Insert::new(TableName::public("pairs"), rows)).await.unwrap();
    let found = text(&driver, &system, "quotients", by_id(&["quotient", "rest"])).await;
    let wanted =
        PAIRS.iter().map(|[_, _, quotient, rest]| format!(r#"{{"quotient":{quotient},"rest":{rest}}}"#));
    assert_eq!(found, format!("[{}]", wanted.collect::<Vec<_>>().join(",")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decimals_do_not_hold_is_refused() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (ready(&server).await, Context::system());
    // Every row is read before one is chosen.
    let of = |view: &str, pair: &str| {
        let (driver, system, view) = (&driver, &system, TableName::public(view));
        let insert = Insert::new(TableName::public("pairs"), format!(r#"{{"id":1,{pair}}}"#));
        async move {
            let gone = Delete::new(TableName::public("pairs"), Query::all());
            driver.delete(system, &gone).await.unwrap();
            driver.insert(system, &insert).await.unwrap();
            let page = driver.select(system, &Select::new(view, Query::all())).await;
            page.map(|page| String::from_utf8_lossy(&page.body).into_owned())
                .map_err(|error| error.code().to_owned())
        }
    };
    assert_eq!(of("quotients", r#""a":1,"b":0"#).await, Err("22012".to_owned()));
    for pair in
        [r#""a":"NaN","b":1"#, r#""a":1,"b":"Infinity""#, r#""a":1234567890123456789012345678901234,"b":3.5"#]
    {
        assert_eq!(of("quotients", pair).await, Err("0A000".to_owned()), "{pair}");
        assert_eq!(of("products", pair).await, Err("0A000".to_owned()), "{pair}");
    }
    let nothing = of("quotients", r#""a":1,"b":null"#).await.unwrap();
    assert_eq!(nothing, r#"[{"id":1,"quotient":null,"rest":null}]"#);
    assert_eq!(
        of("products", r#""a":12345678901234567890,"b":12.345"#).await.unwrap(),
        r#"[{"id":1,"product":152407406035740740602.050,"difference":12345678901234567877.655}]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_take_them_as_they_are_declared() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (ready(&server).await, Context::system());
    let rows = json!([
        { "id": 1, "price": 10, "pieces": 3, "many": 9223372036854775807_i64 },
        { "id": 2, "price": 0.25, "pieces": 2, "many": -10 },
        { "id": 3, "price": null, "pieces": 2, "many": null },
    ]);
    driver.insert(&system, &Insert::new(TableName::public("orders"), rows.to_string())).await.unwrap();
    assert_eq!(
        text(&driver, &system, "orders", by_id(&["each", "share"])).await,
        concat!(
            r#"[{"each":3.333,"share":3.3333333333333333},"#,
            r#"{"each":0.125,"share":0.12500000000000000000},{"each":null,"share":null}]"#
        )
    );
    assert_eq!(call(&driver, &system, "halves", json!({})).await.unwrap(), json!([5.0, 0.1, null]));
    let wholes = call(&driver, &system, "wholes", json!({})).await.unwrap();
    assert_eq!(wholes, json!([3074457345618258602_i64, -3, null]));
    call(&driver, &system, "grow", json!({ "by": 2 })).await.unwrap();
    assert_eq!(
        text(&driver, &system, "orders", by_id(&["price"])).await,
        r#"[{"price":6.67},{"price":0.17},{"price":null}]"#
    );
    let update = |values: &str| {
        let filter = Some(Filter::eq("id", "1"));
        let query = Query { filter, ..Query::all() };
        let update = Update::new(TableName::public("orders"), values.to_owned(), query);
        let (driver, system) = (&driver, &system);
        async move { driver.update(system, &update).await.map(drop).map_err(|error| error.code().to_owned()) }
    };
    assert_eq!(update(r#"{"pieces":0}"#).await, Err("22012".to_owned()));
    assert_eq!(update(r#"{"price":99999999,"pieces":1}"#).await, Err("22003".to_owned()));
    assert_eq!(update(r#"{"price":5000,"pieces":1}"#).await, Err("23514".to_owned()));
}
