//! What a request says of its session: the time zone, and how exactly a total is counted.

use serde_json::{Value as Json, json};
use truststream_kernel::Context;
use truststream_services::database::language::parse_parameters;
use truststream_services::database::{
    Arguments, Count, DatabaseDriver, Format, Insert, Invoke, Migrate, Query, Returning, Select, TableName,
    Transaction,
};
use truststream_sqlite::{MemoryConfig, SqliteDriver};

const SCHEMA: &str = "
create table moments (id bigint primary key, at timestamptz, days timestamptz[], span tstzrange,
  local timestamp default now());
create table details (id bigint primary key, moment_id bigint references moments, at timestamptz);
create function day_of(id bigint) returns date stable language sql
  as $$ select at::date from moments where moments.id = day_of.id $$;
create function next_day(id bigint) returns timestamptz stable language sql
  as $$ select at + interval '1 day' from moments where moments.id = next_day.id $$;
create function hour_in(id bigint, zone text) returns int stable language sql
  as $$ select extract(hour from at at time zone zone)::int from moments where moments.id = hour_in.id $$;
create function hour_here(id bigint) returns int stable language sql
  as $$ select extract(hour from date_trunc('day', at))::int from moments where moments.id = hour_here.id $$;
";

async fn ready(config: MemoryConfig) -> SqliteDriver {
    let driver = SqliteDriver::in_memory(config).await.unwrap();
    let migration = Migrate { name: "1.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
    driver
}

fn zone(name: &str) -> Transaction {
    Transaction { time_zone: Some(name.into()), ..Transaction::default() }
}

async fn select(driver: &SqliteDriver, query: &str, transaction: Transaction) -> Json {
    let query = parsed(query);
    let select = Select { transaction, ..Select::new(TableName::public("moments"), query) };
    let page = driver.select(&Context::system(), &select).await.unwrap();
    serde_json::from_slice(&page.body).unwrap()
}

async fn call(driver: &SqliteDriver, name: &str, arguments: Json, transaction: Transaction) -> Json {
    let arguments = Arguments::Json(arguments.to_string().into());
    let call = Invoke {
        function: TableName::public(name),
        arguments,
        query: Query::all(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction,
    };
    let page = driver.invoke(&Context::system(), &call).await.unwrap();
    serde_json::from_slice(&page.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_are_read_and_shown_in_the_zone_of_the_request() {
    let driver = ready(MemoryConfig::default()).await;
    let mut insert = Insert::new(
        TableName::public("moments"),
        r#"{"id":1,"at":"2024-03-30 23:30","days":["2024-03-31 00:00"],"span":"[2024-03-31,2024-04-01)"}"#,
    );
    insert.options.transaction = zone("America/Los_Angeles");
    insert.options.returning = Returning::Representation;
    insert.query = parsed("select=at,days,span");
    let page = driver.insert(&Context::system(), &insert).await.unwrap();
    let local = json!([{
        "at": "2024-03-30T23:30:00-07:00",
        "days": ["2024-03-31T00:00:00-07:00"],
        "span": "[\"2024-03-31 00:00:00-07\",\"2024-04-01 00:00:00-07\")",
    }]);
    assert_eq!(serde_json::from_slice::<Json>(&page.body).unwrap(), local);
    let detail =
        Insert::new(TableName::public("details"), r#"{"id":1,"moment_id":1,"at":"2024-03-31T06:30:00Z"}"#);
    driver.insert(&Context::system(), &detail).await.unwrap();

    let shown = select(&driver, "select=at,days,span", Transaction::default()).await;
    let utc = json!([{
        "at": "2024-03-31T06:30:00+00:00",
        "days": ["2024-03-31T07:00:00+00:00"],
        "span": "[\"2024-03-31 07:00:00+00\",\"2024-04-01 07:00:00+00\")",
    }]);
    assert_eq!(shown, utc);
    let nested = "select=day:at::date,text:at::text,details(at)&at=eq.2024-03-31 08:30";
    let shown = select(&driver, nested, zone("Europe/Berlin")).await;
    let berlin = json!([{
        "day": "2024-03-31",
        "text": "2024-03-31 08:30:00+02",
        "details": [{ "at": "2024-03-31T08:30:00+02:00" }],
    }]);
    assert_eq!(shown, berlin);
    assert_eq!(select(&driver, nested, Transaction::default()).await, json!([]));
    assert_eq!(select(&driver, "select=at", zone("Jupiter/Red_Spot")).await, json!([{ "at": utc[0]["at"] }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_reckon_in_the_zone_of_the_request() {
    let driver = ready(MemoryConfig::default()).await;
    let moment = Insert::new(TableName::public("moments"), r#"{"id":1,"at":"2024-03-30T23:30:00Z"}"#);
    driver.insert(&Context::system(), &moment).await.unwrap();
    let (here, berlin) = (Transaction::default(), zone("Europe/Berlin"));
    let id = json!({ "id": 1 });
    assert_eq!(call(&driver, "day_of", id.clone(), here.clone()).await, "2024-03-30");
    assert_eq!(call(&driver, "day_of", id.clone(), berlin.clone()).await, "2024-03-31");
    // A day there has 23 hours when clocks are put forward.
    assert_eq!(call(&driver, "next_day", id.clone(), here.clone()).await, "2024-03-31T23:30:00+00:00");
    assert_eq!(call(&driver, "next_day", id.clone(), berlin.clone()).await, "2024-04-01T00:30:00+02:00");
    let tokyo = json!({ "id": 1, "zone": "Asia/Tokyo" });
    assert_eq!(call(&driver, "hour_in", tokyo, here).await, 8);
    assert_eq!(call(&driver, "hour_here", id, berlin).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_are_counted_or_estimated() {
    let driver = ready(MemoryConfig { estimate_above: Some(100), ..MemoryConfig::default() }).await;
    let rows: Vec<Json> = (1..=8_000).map(|id| json!({ "id": id })).collect();
    let many = Insert::new(TableName::public("moments"), Json::from(rows).to_string());
    driver.insert(&Context::system(), &many).await.unwrap();
    let total = async |query: &str, count: Count| {
        let mut select = Select::new(TableName::public("moments"), parsed(query));
        (select.count, select.query.limit) = (Some(count), Some(1));
        driver.select(&Context::system(), &select).await.unwrap().total
    };
    assert_eq!(total("id=gt.2000", Count::Exact).await, Some(6_000));
    let planned = total("id=gt.2000", Count::Planned).await.unwrap();
    assert!((5_900..=6_100).contains(&planned), "{planned}");
    assert_eq!(total("id=lt.90", Count::Estimated).await, Some(89));
    let estimated = total("id=gt.4000", Count::Estimated).await.unwrap();
    assert!((3_900..=4_100).contains(&estimated), "{estimated}");
    // The planner of PostgreSQL expects a row of everything, too.
    assert_eq!(total("id=lt.0", Count::Planned).await, Some(1));
}

fn parsed(parameters: &str) -> Query {
    let pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
    parse_parameters(pairs).unwrap().query
}
