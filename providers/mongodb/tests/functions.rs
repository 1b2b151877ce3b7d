//! Functions and views: translated in the place of their name, or refused with line and remedy.

use serde_json::{Value as Json, json};
use truststream_conformance::mongodb_server::MongoServer;
use truststream_kernel::{Context, Identity, Result};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{
    AppliedMigration, Arguments, DatabaseDriver, Field, Filter, Format, Insert, Invoke, Item, Migrate, Order,
    Query, Review, Select, TableName, Transaction,
};

use crate::server::fresh;

const SCHEMA: &str = "
create table artists (id bigint primary key, name text not null unique, country text);
create table albums (id bigint primary key, artist_id bigint references artists (id), title text not null, price numeric(8,2));
create table notes (id bigint primary key, owner uuid, body text);
alter table notes enable row level security;
create policy own on notes using (owner = auth.uid()) with check (owner = auth.uid());
create function shout(words text, mark text default '!') returns text
  language sql immutable as $$ select upper(words) || mark $$;
create function albums_of(artist text) returns setof albums language sql stable
  as $$ select a.* from albums a join artists r on r.id = a.artist_id where r.name = artist $$;
create function spent(artist bigint) returns numeric language sql stable
  as 'select sum(price) from albums where artist_id = artist';
create function busiest(least bigint default 1) returns table (artist text, albums bigint) language sql stable as $$
  select r.name, count(a.id) from artists r left join albums a on a.artist_id = r.id
  group by r.name having count(a.id) >= least order by 2 desc, 1
$$;
create function add_artist(id bigint, name text) returns artists language sql as $$
  insert into artists (id, name) values (id, add_artist.name) returning *
$$;
create function raise_prices(by numeric) returns setof bigint language sql as $$
  update albums set price = price + by where price is not null returning id
$$;
create function forget(artist bigint) returns void language sql as $$
  delete from albums where artist_id = artist;
  delete from artists where id = artist;
$$;
create function note_bodies() returns setof text language sql stable as 'select body from notes order by id';
create function all_bodies() returns setof text language sql stable security definer as 'select body from notes order by id';
create function add_note(id bigint, owner uuid) returns text language sql as
  $$ insert into notes (id, owner, body) values (id, owner, 'new') returning body $$;
create view priced as select id, title as name, price from albums where price is not null;
create view cheap as select id as number, name as label from priced where price < 10;
create view ranked as select id, artist_id, rank() over (partition by artist_id order by price desc nulls last) as place,
  row_number() over (order by title) as number, count(*) over () as pieces from albums;
create view dearest as select distinct on (artist_id) artist_id, title from albums order by artist_id, price desc nulls last;
create view named as select distinct country from artists order by country desc;
create view totals as select artist_id, count(*) as pieces, max(price) as dearest from albums group by artist_id;
grant select, insert, update, delete on cheap to authenticated;
";

const ALICE: &str = "11111111-1111-4111-8111-111111111111";
const BOB: &str = "22222222-2222-4222-8222-222222222222";

fn alice() -> Context {
    let claims = json!({ "sub": ALICE, "role": "authenticated" });
    Context::of(Identity::new("authenticated", claims.as_object().cloned().unwrap()))
}

async fn filled(server: &MongoServer) -> MongoDriver {
    let (driver, system) = (fresh(server).await.unwrap(), Context::system());
    let op = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap();
    let artists =
        json!([{ "id": 1, "name": "Ada", "country": "SE" }, { "id": 2, "name": "Bo", "country": null }]);
    let albums = json!([
        { "id": 1, "artist_id": 1, "title": "One", "price": 9.5 },
        { "id": 2, "artist_id": 1, "title": "Two", "price": 12 },
        { "id": 3, "artist_id": 2, "title": "Three", "price": null },
    ]);
    let notes = json!([{ "id": 1, "owner": ALICE, "body": "a" }, { "id": 2, "owner": BOB, "body": "b" }]);
    for (table, rows) in [("artists", artists), ("albums", albums), ("notes", notes)] {
        driver.insert(&system, &Insert::new(TableName::public(table), rows.to_string())).await.unwrap();
    }
    driver
}

pub(crate) async fn call(
    driver: &MongoDriver,
    cx: &Context,
    function: &str,
    arguments: Json,
) -> Result<Json> {
    taking(driver, cx, function, arguments, Query::all()).await
}

async fn taking(
    driver: &MongoDriver,
    cx: &Context,
    function: &str,
    arguments: Json,
    query: Query,
) -> Result<Json> {
    let op = Invoke {
        function: TableName::public(function),
        arguments: Arguments::Json(arguments.to_string().into()),
        query,
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    };
    let body = driver.invoke(cx, &op).await?.body;
    Ok(if body.is_empty() { Json::Null } else { serde_json::from_slice(&body).unwrap() })
}

pub(crate) async fn rows(driver: &MongoDriver, cx: &Context, table: &str, query: Query) -> Json {
    serde_json::from_str(&text(driver, cx, table, query).await).unwrap()
}

/// Rows as they are sent: a number with all its digits.
pub(crate) async fn text(driver: &MongoDriver, cx: &Context, table: &str, query: Query) -> String {
    let page = driver.select(cx, &Select::new(TableName::public(table), query)).await.unwrap();
    String::from_utf8(page.body.to_vec()).unwrap()
}

fn by_id() -> Order {
    Order { field: Field::column("id"), relation: None, descending: false, nulls: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn give_values_and_rows() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    assert_eq!(call(&driver, &system, "shout", json!({ "words": "hi" })).await.unwrap(), json!("HI!"));
    let given = call(&driver, &system, "shout", json!({ "words": "a", "mark": "?" })).await.unwrap();
    assert_eq!(given, json!("A?"));
    assert_eq!(call(&driver, &system, "shout", json!({ "words": null })).await.unwrap(), Json::Null);
    assert_eq!(call(&driver, &system, "spent", json!({ "artist": 1 })).await.unwrap().to_string(), "21.5");
    assert_eq!(call(&driver, &system, "spent", json!({ "artist": 9 })).await.unwrap(), Json::Null);
    let busiest = call(&driver, &system, "busiest", json!({})).await.unwrap();
    assert_eq!(busiest, json!([{ "artist": "Ada", "albums": 2 }, { "artist": "Bo", "albums": 1 }]));
    let query =
        Query { items: vec![Item::column("title")], filter: Some(Filter::eq("id", "2")), ..Query::all() };
    let one = taking(&driver, &system, "albums_of", json!({ "artist": "Ada" }), query).await.unwrap();
    assert_eq!(one, json!([{ "title": "Two" }]));
    let wrong = call(&driver, &system, "spent", json!({ "artist": "x" })).await.unwrap_err();
    assert_eq!(wrong.code(), "22P02");
}

#[tokio::test(flavor = "multi_thread")]
async fn write_what_they_say_by_the_policies_of_who_calls() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    let added = call(&driver, &system, "add_artist", json!({ "id": 9, "name": "Zoe" })).await.unwrap();
    assert_eq!(added, json!({ "id": 9, "name": "Zoe", "country": null }));
    let again = call(&driver, &system, "add_artist", json!({ "id": 10, "name": "Zoe" })).await.unwrap_err();
    assert_eq!(again.code(), "23505");
    let raised = call(&driver, &system, "raise_prices", json!({ "by": 1 })).await.unwrap();
    assert_eq!(raised, json!([1, 2]));
    let prices = text(&driver, &system, "priced", Query::all()).await;
    assert!(prices.contains("10.50") && prices.contains("13.00"), "{prices}");
    assert_eq!(call(&driver, &system, "forget", json!({ "artist": 1 })).await.unwrap(), Json::Null);
    assert_eq!(rows(&driver, &system, "albums", Query::all()).await.as_array().unwrap().len(), 1);
    assert_eq!(call(&driver, &alice(), "note_bodies", json!({})).await.unwrap(), json!(["a"]));
    assert_eq!(call(&driver, &alice(), "all_bodies", json!({})).await.unwrap(), json!(["a", "b"]));
    let own = call(&driver, &alice(), "add_note", json!({ "id": 3, "owner": ALICE })).await.unwrap();
    assert_eq!(own, json!("new"));
    let foreign = call(&driver, &alice(), "add_note", json!({ "id": 4, "owner": BOB })).await.unwrap_err();
    assert_eq!(foreign.code(), "42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_read_and_written_through() {
    let server = MongoServer::start().unwrap();
    let (driver, system) = (filled(&server).await, Context::system());
    assert_eq!(
        rows(&driver, &alice(), "cheap", Query::all()).await,
        json!([{ "number": 1, "label": "One" }])
    );
    let totals = text(
        &driver,
        &system,
        "totals",
        Query { filter: Some(Filter::eq("artist_id", "1")), ..Query::all() },
    );
    assert_eq!(totals.await, r#"[{"artist_id":1,"pieces":2,"dearest":12.00}]"#);
    let ranked = text(&driver, &system, "ranked", Query { order: vec![by_id()], ..Query::all() }).await;
    assert_eq!(
        ranked,
        r#"[{"id":1,"artist_id":1,"place":2,"number":1,"pieces":3},{"id":2,"artist_id":1,"place":1,"number":3,"pieces":3},{"id":3,"artist_id":2,"place":1,"number":2,"pieces":3}]"#
    );
    let dearest = text(&driver, &system, "dearest", Query::all()).await;
    assert_eq!(dearest, r#"[{"artist_id":1,"title":"Two"},{"artist_id":2,"title":"Three"}]"#);
    assert_eq!(text(&driver, &system, "named", Query::all()).await, r#"[{"country":null},{"country":"SE"}]"#);
    let row = Insert::new(TableName::public("cheap"), json!({ "number": 9, "label": "Nine" }).to_string());
    driver.insert(&alice(), &row).await.unwrap();
    let nine =
        Query { filter: Some(Filter::eq("id", "9")), items: vec![Item::column("title")], ..Query::all() };
    assert_eq!(rows(&driver, &system, "albums", nine).await, json!([{ "title": "Nine" }]));
    let closed = driver.select(&alice(), &Select::new(TableName::public("totals"), Query::all())).await;
    assert_eq!(closed.unwrap_err().code(), "42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_translated_is_refused_before_anything_is_done() {
    let server = MongoServer::start().unwrap();
    let driver = fresh(&server).await.unwrap();
    let sql = "create table t (id int primary key, v text);\n\
        create function ranked() returns table (v text, n bigint) language sql as\n\
          $$ select v, ntile(4) over (order by v) from t $$;\n\
        create view joined as select t.id, u.v from t full join t u on u.id = t.id;\n";
    let migrations = vec![AppliedMigration { name: "1.sql".into(), sql: sql.into() }];
    let problems = driver.review(&Context::system(), &Review { migrations }).await.unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 4], "{problems:?}");
    assert!(problems[1].reason.contains("left join"), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_tell_of_the_server() {
    let server = MongoServer::start().unwrap();
    let driver = fresh(&server).await.unwrap();
    let sql = "create table ones (id int primary key);
        create view told as select id, current_setting('is_superuser') as super, current_setting('TimeZone') as zone,
          current_setting('app.none', true) as none from ones;
        grant select on told to anon;";
    let op = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
    let one = Insert::new(TableName::public("ones"), r#"{"id":1}"#.to_owned());
    driver.insert(&Context::system(), &one).await.unwrap();
    let found = rows(&driver, &Context::role("anon"), "told", Query::all()).await;
    assert_eq!(found, json!([{ "id": 1, "super": "off", "zone": "UTC", "none": null }]));
}

#[test]
fn none_is_called_before_requests() {
    let given = r#"{"url":"mongodb://localhost","pre_request":"public.check_request"}"#;
    let refused = serde_json::from_str::<truststream_mongodb::Config>(given).unwrap_err().to_string();
    assert!(refused.contains("unknown field `pre_request`"), "{refused}");
}
