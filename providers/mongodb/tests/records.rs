//! Columns of composite types and of money, beyond what the shared suite asks.

use serde_json::json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Row, Value};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    Aggregate, AggregateFunction, AppliedMigration, DatabaseDriver, Delete, Field, Filter, Insert, Item,
    JsonKey, JsonStep, Migrate, Order, Query, Review, Scan, Select, TableName, Update,
};

use crate::functions::{call, text};
use crate::server::fresh;

const SCHEMA: &str = "
create type spot as (x int, y numeric);
create type stay as (place spot, since timestamptz, tags text[], facts jsonb, rate double precision);
create table stays (id bigint primary key, stay stay, spot spot, price money);
create view fields as select id, (stay).since as since, (stay).tags as tags,
  (stay).facts as facts, (stay).rate as rate, (spot).y as y from stays;
create view made as select id, to_jsonb(stay) as whole, spot::text as said, spot is not null as known from stays;
create view nested as select id, (stay).place.x, ((stay).place).y as n, stay as whole from stays
  where (stay).place.x is distinct from 8;
create view early as select id from stays where (stay).since < '2024-06-01' and (stay).rate > 1;
create function xs() returns setof int language sql stable as $$
  select ((stay).place).x from stays order by id
$$;
create view same as select a.id as one, b.id as other from stays a join stays b on a.spot = b.spot and a.id < b.id;
";

async fn filled(server: &MongoServer) -> MongoDriver {
    let (driver, system) = (fresh(server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let rows = json!([
        { "id": 1, "price": "$1,200.50", "spot": { "x": 1, "y": 1.5 }, "stay": {
            "place": { "x": 7, "y": 1 }, "since": "2024-01-02T03:04:05.678901Z", "tags": ["a", "b"],
            "facts": { "k": [1, null] }, "rate": 1.25,
        } },
        { "id": 2, "price": "-3", "spot": "(1,1.50)", "stay": { "since": "2025-01-01T00:00:00Z", "rate": 2 } },
        { "id": 3, "price": null, "spot": { "x": 2 }, "stay": null },
    ]);
    driver.insert(&system, &Insert::new(TableName::public("stays"), rows.to_string())).await.unwrap();
    driver
}

fn by_id() -> Query {
    let order = Order { field: Field::column("id"), relation: None, descending: false, nulls: None };
    Query { order: vec![order], ..Query::all() }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_values_of_their_types() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    assert_eq!(
        text(&driver, &system, "fields", by_id()).await,
        concat!(
            r#"[{"id":1,"since":"2024-01-02T03:04:05.678901+00:00","tags":["a","b"],"#,
            r#""facts":{"k": [1, null]},"rate":1.25,"y":1.5},"#,
            r#"{"id":2,"since":"2025-01-01T00:00:00+00:00","tags":null,"facts":null,"rate":2,"y":1.50},"#,
            r#"{"id":3,"since":null,"tags":null,"facts":null,"rate":null,"y":null}]"#
        )
    );
    assert_eq!(
        text(&driver, &system, "made", by_id()).await,
        concat!(
            r#"[{"id":1,"whole":{"rate": 1.25, "tags": ["a", "b"], "facts": {"k": [1, null]}, "#,
            r#""place": {"x": 7, "y": 1}, "since": "2024-01-02T03:04:05.678901+00:00"},"said":"(1,1.5)","known":true},"#,
            r#"{"id":2,"whole":{"rate": 2, "tags": null, "facts": null, "place": null, "#,
            r#""since": "2025-01-01T00:00:00+00:00"},"said":"(1,1.50)","known":true},"#,
            r#"{"id":3,"whole":null,"said":"(2,)","known":false}]"#
        )
    );
    assert_eq!(call(&driver, &system, "xs", json!({})).await.unwrap(), json!([7, null, null]));
    assert_eq!(text(&driver, &system, "early", by_id()).await, r#"[{"id":1}]"#);
    let place = |key: &str| Field {
        path: ["place", key]
            .map(|key| JsonStep { key: JsonKey::Key(key.to_owned()), as_text: false })
            .to_vec(),
        ..Field::column("whole")
    };
    let item = |field: Field| Item::Column { field, alias: None, cast: None, aggregate: None };
    let items = vec![Item::column("id"), Item::column("n"), item(place("y")), item(place("x"))];
    let within = text(&driver, &system, "nested", Query { items, ..by_id() }).await;
    assert_eq!(
        within,
        r#"[{"id":1,"n":1,"y":1,"x":7},{"id":2,"n":null,"y":null,"x":null},{"id":3,"n":null,"y":null,"x":null}]"#
    );
    let first = Query { filter: Some(Filter::eq("x", "7")), items: vec![Item::column("x")], ..Query::all() };
    assert_eq!(text(&driver, &system, "nested", first).await, r#"[{"x":7}]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_ones_are_one_whatever_their_texts() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    assert_eq!(text(&driver, &system, "same", Query::all()).await, r#"[{"one":1,"other":2}]"#);
    let items = vec![Item::column("spot"), Item::Count { alias: None, cast: None }];
    let groups = text(&driver, &system, "stays", Query { items, ..Query::all() }).await;
    assert!(groups.contains(r#"{"spot":{"x":1,"y":1.5},"count":2}"#), "{groups}");
    assert!(groups.contains(r#"{"spot":{"x":2,"y":null},"count":1}"#), "{groups}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_differ_is_refused_beforehand() {
    let server = MongoServer::start().unwrap();
    let driver = fresh(&server).await.unwrap();
    let sql = "create type spot as (x int, y numeric); create type tagged as (tags text[]);\n\
        create table t (id int primary key, spot spot, tagged tagged);\n\
        create table u (id int primary key, spot spot unique);\n\
        create table v (spot spot primary key, other spot references u (spot));\n\
        create table w (id int primary key, spots spot[]);\n\
        create view a as select id from t where tagged = row(array['a'])::tagged;\n\
        create view b as select distinct spot from t;\n\
        create view c as select row(id, 1)::spot as made from t;\n\
        create type held as (id int, document json);\n\
        create table x (id int primary key, held held);\n\
        create view d as select id from x order by held;\n";
    let migrations = vec![AppliedMigration { name: "1.sql".into(), sql: sql.into() }];
    let problems = driver.review(&Context::system(), &Review { migrations }).await.unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 4, 4, 5, 6, 7, 8, 11], "{problems:?}");
    assert_eq!(problems[7].reason, "view public.d: could not identify an ordering operator for type held");
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_of_money_are_added_and_ordered() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    let field = || Field::column("price");
    let order = Order { field: field(), relation: None, descending: true, nulls: None };
    let ordered = Query { items: vec![Item::column("price")], order: vec![order], ..Query::all() };
    assert_eq!(
        text(&driver, &system, "stays", ordered).await,
        r#"[{"price":null},{"price":"$1,200.50"},{"price":"-$3.00"}]"#
    );
    let of = |function| Item::Column {
        field: field(),
        alias: None,
        cast: None,
        aggregate: Some(Aggregate { function, cast: None }),
    };
    let items = [AggregateFunction::Sum, AggregateFunction::Max, AggregateFunction::Min].map(of).to_vec();
    assert_eq!(
        text(&driver, &system, "stays", Query { items, ..Query::all() }).await,
        r#"[{"sum":"$1,197.50","max":"$1,200.50","min":"-$3.00"}]"#
    );
    let found = Query {
        items: vec![Item::column("id")],
        filter: Some(Filter::eq("price", "1200.5")),
        ..Query::all()
    };
    assert_eq!(text(&driver, &system, "stays", found).await, r#"[{"id":1}]"#);
    let average = Query { items: vec![of(AggregateFunction::Avg)], ..Query::all() };
    let refused = driver.select(&system, &Select::new(TableName::public("stays"), average)).await;
    assert_eq!(refused.unwrap_err().code(), "42883");
}

const KEYED: &str = "
create type place as (line int, seat text);
create type spot as (at place, n numeric, tags text[]);
create table seats (place place primary key, name text);
create table guests (id int primary key, place place references seats on update cascade on delete set null, spot spot);
insert into seats values ('(2,b)', 'two'), ('(10,a)', 'ten'), ('(2,)', 'none');
insert into guests values (1, '(2,b)', '(\"(2,b)\",10,)'), (2, '(10,a)', '(\"(2,b)\",9.5,{b})'),
  (3, null, '(\"(2,b)\",9.50,\"{a,c}\")'), (4, '(2,b)', '(\"(2,)\",0,)'), (5, null, null), (6, null, '(,,)');
create view last as select id from guests order by spot desc;
create function behind() returns setof int language sql stable as $$
  select g.id from guests g join guests h on h.id = 3 and g.spot >= h.spot order by g.id
$$;
";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_told_apart_and_referred_to_by_records() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (fresh(&server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: KEYED.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let put = |table: &str, row: serde_json::Value| {
        let insert = Insert::new(TableName::public(table), row.to_string());
        let (driver, system) = (&driver, &system);
        async move { driver.insert(system, &insert).await.map(drop).map_err(|error| error.code().to_owned()) }
    };
    let taken = put("seats", json!({ "place": { "line": 2, "seat": "b" } })).await;
    assert_eq!(taken, Err("23505".to_owned()));
    assert_eq!(put("guests", json!({ "id": 7, "place": "(3,b)" })).await, Err("23503".to_owned()));
    put("guests", json!({ "id": 7, "place": "(2,)" })).await.unwrap();
    let named = |name: &str| Query { filter: Some(Filter::eq("name", name)), ..Query::all() };
    let moved = Update::new(TableName::public("seats"), r#"{"place":"(3,b)"}"#, named("two"));
    driver.update(&system, &moved).await.unwrap();
    let gone = Delete::new(TableName::public("seats"), named("none"));
    driver.delete(&system, &gone).await.unwrap();
    let items = vec![Item::column("id"), Item::column("place")];
    assert_eq!(
        text(&driver, &system, "guests", Query { items, ..by_id() }).await,
        concat!(
            r#"[{"id":1,"place":{"line":3,"seat":"b"}},{"id":2,"place":{"line":10,"seat":"a"}},"#,
            r#"{"id":3,"place":null},{"id":4,"place":{"line":3,"seat":"b"}},{"id":5,"place":null},"#,
            r#"{"id":6,"place":null},{"id":7,"place":null}]"#
        )
    );
    let scan = |after: Option<&str>| {
        let after = after.map(|text| vec![Value::Text(text.to_owned())]);
        Scan::new(TableName::public("seats"), after, 1)
    };
    let first = driver.scan(&system, &scan(None)).await.unwrap().rows;
    let next = driver.scan(&system, &scan(Some("(10,a)"))).await.unwrap().rows;
    let name = |row: &Row| row.get("name").cloned();
    assert_eq!(
        first.iter().chain(&next).map(name).collect::<Vec<_>>(),
        ["ten", "two"].map(|one| Some(Value::Text(one.into())))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_ordered_by_their_first_field_that_differs() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (fresh(&server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: KEYED.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let order = Order { field: Field::column("spot"), relation: None, descending: false, nulls: None };
    let ordered = Query { items: vec![Item::column("id")], order: vec![order], ..Query::all() };
    assert_eq!(
        text(&driver, &system, "guests", ordered).await,
        r#"[{"id":3},{"id":2},{"id":1},{"id":4},{"id":6},{"id":5}]"#
    );
    assert_eq!(
        text(&driver, &system, "last", Query::all()).await,
        r#"[{"id":5},{"id":6},{"id":4},{"id":1},{"id":2},{"id":3}]"#
    );
    let behind = call(&driver, &system, "behind", json!({})).await.unwrap();
    assert_eq!(behind, json!([1, 2, 3, 4, 6]));
}
