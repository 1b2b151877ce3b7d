//! Aggregates and functions.

use serde_json::Value as Json;
use truststream_kernel::Error;
use truststream_services::database::{
    Aggregate, AggregateFunction, Arguments, DatabaseService, Field, Filter, Format, Invoke, Item, Migrate,
    Query, Transaction,
};

use super::build::{QueryExt, compact, embed, filled, insert, migrated, read, refused_saying, table};
use super::reading::path;
use crate::{Env, Outcome};

pub(super) fn aggregate(column: &str, function: AggregateFunction) -> Item {
    Item::Column {
        field: Field::column(column),
        alias: None,
        cast: None,
        aggregate: Some(Aggregate { function, cast: None }),
    }
}

pub(super) async fn over_all_rows(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut query = Query::all();
    query.items = vec![
        Item::Count { alias: None, cast: None },
        aggregate("price", AggregateFunction::Sum),
        aggregate("price", AggregateFunction::Max),
        aggregate("id", AggregateFunction::Min),
    ];
    assert_eq!(read(&database, "albums", query).await?, r#"[{"count":4,"sum":22.49,"max":12.00,"min":1}]"#);
    Ok(())
}

/// Averages have as many digits behind the point as PostgreSQL gives them.
pub(super) async fn of_large_numbers(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table amounts (id int primary key, n numeric);";
    let database = migrated(&env, "1_amounts.sql", sql).await?;
    let rows = r#"[{"id":1,"n":"1.10"},{"id":2,"n":"100000000000000000000.5"}]"#;
    insert(&database, "amounts", rows).await?;
    let query = Query { items: vec![aggregate("n", AggregateFunction::Avg)], ..Query::default() };
    assert_eq!(read(&database, "amounts", query.clone()).await?, r#"[{"avg":50000000000000000000.80}]"#);
    let small = Query { filter: Some(Filter::eq("id", "1")), ..query };
    assert_eq!(read(&database, "amounts", small).await?, r#"[{"avg":1.10000000000000000000}]"#);
    Ok(())
}

/// Decimals are rounded half away from zero, floats to the even one.
pub(super) async fn of_casts(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table sizes (id int primary key, price numeric(10, 2), n numeric, f float8, t text);";
    let database = migrated(&env, "1_sizes.sql", sql).await?;
    let rows = r#"[{"id":1,"price":2.5,"n":-0.5,"f":2.5,"t":"7"},{"id":2,"price":-2.49,"n":"3.2","f":-3.5,"t":"-8"},
      {"id":3,"price":null,"n":null,"f":null,"t":null}]"#;
    insert(&database, "sizes", rows).await?;
    let cast = |column: &str, to: &str, function: AggregateFunction| Item::Column {
        field: Field::column(column),
        alias: None,
        cast: Some(to.into()),
        aggregate: Some(Aggregate { function, cast: None }),
    };
    let taken =
        async |item: Item| read(&database, "sizes", Query { items: vec![item], ..Query::default() }).await;
    for (column, to, function, found) in [
        ("price", "int", AggregateFunction::Sum, r#"[{"sum":1}]"#),
        ("price", "bigint", AggregateFunction::Min, r#"[{"min":-2}]"#),
        ("n", "int", AggregateFunction::Min, r#"[{"min":-1}]"#),
        ("n", "smallint", AggregateFunction::Max, r#"[{"max":3}]"#),
        ("f", "int", AggregateFunction::Sum, r#"[{"sum":-2}]"#),
        ("f", "int8", AggregateFunction::Max, r#"[{"max":2}]"#),
        ("t", "int", AggregateFunction::Sum, r#"[{"sum":-1}]"#),
        ("price", "numeric", AggregateFunction::Sum, r#"[{"sum":0.01}]"#),
    ] {
        assert_eq!(taken(cast(column, to, function)).await?, found, "{column}::{to}");
    }
    insert(&database, "sizes", r#"{"id":4,"n":3000000000,"f":3000000000}"#).await?;
    for (column, to) in [("n", "int"), ("f", "int"), ("f", "smallint")] {
        super::build::refused(taken(cast(column, to, AggregateFunction::Max)).await, "22003");
    }
    Ok(())
}

pub(super) async fn by_group(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut query = Query::all().ordered(&["country"]);
    query.items = vec![Item::column("country"), aggregate("id", AggregateFunction::Count)];
    assert_eq!(
        read(&database, "artists", query).await?,
        r#"[{"country":"SE","count":2},{"country":"TR","count":1},{"country":null,"count":1}]"#
    );
    Ok(())
}

/// Embeds of which nothing is shown say which rows are counted, and make no groups.
pub(super) async fn beside_embeds_that_only_filter(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let counted = async |column: Option<&str>, country: &str| {
        let mut artists = embed("artists", &[]);
        artists.inner = true;
        artists.query.and(Filter::eq("country", country));
        let mut items: Vec<Item> = column.into_iter().map(Item::column).collect();
        items.extend([Item::Count { alias: None, cast: None }, Item::Embed(artists)]);
        read(&database, "albums", Query { items, ..Query::default() }).await
    };
    assert_eq!(counted(None, "SE").await?, r#"[{"count":2}]"#);
    assert_eq!(counted(None, "NO").await?, r#"[{"count":0}]"#);
    assert_eq!(counted(Some("artist_id"), "SE").await?, r#"[{"artist_id":1,"count":2}]"#);
    assert_eq!(counted(Some("artist_id"), "NO").await?, "[]");
    Ok(())
}

/// What a request names is grouped by what is shown, or by the column of that name; what it does not name, by
/// what the row has, as PostgREST words it for PostgreSQL.
pub(super) async fn by_what_casts_make(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table sizes (id int primary key, team text, n numeric, facts jsonb);";
    let database = migrated(&env, "1_sizes.sql", sql).await?;
    let rows = r#"[{"id":1,"team":"a","n":"1.5","facts":{"k":1}},{"id":2,"team":"a","n":"1.50","facts":{"k":"1"}},
      {"id":3,"team":"b","n":"2.4","facts":{"k":2}},{"id":4,"team":"b","n":null,"facts":null}]"#;
    insert(&database, "sizes", rows).await?;
    let item = |field: Field, alias: Option<&str>, cast: Option<&str>| Item::Column {
        field,
        alias: alias.map(str::to_owned),
        cast: cast.map(str::to_owned),
        aggregate: None,
    };
    let counted = async |item: Item| {
        let items = vec![item, Item::Count { alias: None, cast: None }];
        let found = read(&database, "sizes", Query { items, ..Query::default() }).await?;
        Ok::<String, Error>(sorted(&found))
    };
    let n = |alias, cast| item(Field::column("n"), alias, cast);
    for (item, wanted) in [
        (n(Some("c"), Some("int")), r#"{"c":2,"count":3} {"c":null,"count":1}"#),
        (n(None, Some("int")), r#"{"n":2,"count":1} {"n":2,"count":2} {"n":null,"count":1}"#),
        (
            n(Some("c"), Some("text")),
            r#"{"c":"1.5","count":1} {"c":"1.50","count":1} {"c":"2.4","count":1} {"c":null,"count":1}"#,
        ),
        (
            item(path("facts", &["k"], true), Some("c"), None),
            r#"{"c":"1","count":2} {"c":"2","count":1} {"c":null,"count":1}"#,
        ),
        (
            n(Some("id"), None),
            r#"{"id":1.5,"count":1} {"id":1.5,"count":1} {"id":2.4,"count":1} {"id":null,"count":1}"#,
        ),
    ] {
        assert_eq!(counted(item.clone()).await?, wanted, "{item:?}");
    }
    let message = "column \"sizes.n\" must appear in the GROUP BY clause or be used in an aggregate function";
    refused_saying(counted(n(Some("team"), None)).await, "42803", message);
    Ok(())
}

/// A path to no value makes another group than one to JSON's null, though both are shown as null.
pub(super) async fn by_what_paths_lead_to(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table facts (id int primary key, doc jsonb);";
    let database = migrated(&env, "1_facts.sql", sql).await?;
    let rows = r#"[{"id":1,"doc":{"k":null}},{"id":2,"doc":{}},{"id":3,"doc":null},{"id":4,"doc":{"k":null}},
      {"id":5,"doc":{"k":[null]}},{"id":6,"doc":{"k":null}}]"#;
    insert(&database, "facts", rows).await?;
    for alias in [None, Some("c".to_owned())] {
        let name = alias.as_deref().unwrap_or("k").to_owned();
        let taken = Item::Column { field: path("doc", &["k"], false), alias, cast: None, aggregate: None };
        let items = vec![taken, Item::Count { alias: None, cast: None }];
        let found = sorted(&read(&database, "facts", Query { items, ..Query::default() }).await?);
        let wanted = format!(
            r#"{{"{name}":[null],"count":1}} {{"{name}":null,"count":2}} {{"{name}":null,"count":3}}"#
        );
        assert_eq!(found, wanted);
    }
    Ok(())
}

/// What an embed shows makes groups: by the JSON that it is, also where its values are equal and are written
/// otherwise.
pub(super) async fn by_what_embeds_show(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table sizes (id int primary key, n numeric, took interval, facts jsonb);
        create table parts (id int primary key, size_id int references sizes(id), n int);";
    let database = migrated(&env, "1_sizes.sql", sql).await?;
    let rows = r#"[{"id":1,"n":"1.5","took":"1 day","facts":{"k":1}},
      {"id":2,"n":"1.50","took":"24:00:00","facts":{"k":"1"}},
      {"id":3,"n":"1.7","took":"1 day","facts":{"k":null}},{"id":4,"n":null,"took":null,"facts":null}]"#;
    insert(&database, "sizes", rows).await?;
    let rows = r#"[{"id":1,"size_id":1,"n":1},{"id":2,"size_id":2,"n":2},{"id":3,"size_id":3,"n":4},
      {"id":4,"size_id":4,"n":8},{"id":5,"size_id":1,"n":16}]"#;
    insert(&database, "parts", rows).await?;
    let item = |field: Field, cast: Option<&str>| Item::Column {
        field,
        alias: Some("c".to_owned()),
        cast: cast.map(str::to_owned),
        aggregate: None,
    };
    let summed = async |item: Item, spread: bool| {
        let mut size = embed("sizes", &[]);
        size.spread = spread;
        size.query.items = vec![item];
        let items = vec![aggregate("n", AggregateFunction::Sum), Item::Embed(size)];
        let found = read(&database, "parts", Query { items, ..Query::default() }).await?;
        Ok::<String, Error>(sorted(&found))
    };
    let column = |name: &str, cast| item(Field::column(name), cast);
    for (item, embedded, spread) in [
        (
            column("n", Some("text")),
            r#"17:"1.5" 2:"1.50" 4:"1.7" 8:null"#,
            r#"17:"1.5" 2:"1.50" 4:"1.7" 8:null"#,
        ),
        (column("n", Some("int")), "23:2 8:null", "23:2 8:null"),
        (column("n", None), "19:1.5 4:1.7 8:null", "19:1.5 4:1.7 8:null"),
        (column("took", None), r#"2:"24:00:00" 21:"1 day" 8:null"#, r#"23:"1 day" 8:null"#),
        (item(path("facts", &["k"], true), None), r#"12:null 19:"1""#, r#"12:null 19:"1""#),
        (item(path("facts", &["k"], false), None), r#"12:null 17:1 2:"1""#, r#"17:1 2:"1" 4:null 8:null"#),
    ] {
        let wrapped = |pairs: &str, spread: bool| {
            let row = |pair: &str| {
                let (sum, shown) = pair.split_once(':').unwrap_or_default();
                let size = format!(r#""c":{shown}"#);
                let size = if spread { size } else { format!(r#""sizes":{{{size}}}"#) };
                format!(r#"{{"sum":{sum},{size}}}"#)
            };
            let mut rows: Vec<String> = pairs.replace("1 day", "1_day").split(' ').map(row).collect();
            rows.sort();
            rows.join(" ").replace("1_day", "1 day")
        };
        assert_eq!(summed(item.clone(), false).await?, wrapped(embedded, false), "{item:?}");
        assert_eq!(summed(item.clone(), true).await?, wrapped(spread, true), "spread {item:?}");
    }
    Ok(())
}

/// The rows of a reply, one after another in the order of their texts.
fn sorted(rows: &str) -> String {
    let rows = serde_json::from_str::<Vec<Json>>(rows).unwrap_or_default();
    let mut rows: Vec<String> = rows.iter().map(Json::to_string).collect();
    rows.sort();
    rows.join(" ")
}

pub(super) async fn functions_are_called(env: Env<DatabaseService>) -> Outcome {
    let database = env.service();
    let sql = "create function add_them(a int, b int default 1) returns int language sql as 'select a + b';";
    database.send(Migrate { name: "1_add.sql".into(), sql: sql.into(), dry_run: false }).await?;
    let call = |arguments: &str| Invoke {
        function: table("add_them"),
        arguments: Arguments::Json(arguments.to_owned().into()),
        query: Query::all(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    };
    assert_eq!(compact(&database.send(call(r#"{"a":1,"b":2}"#)).await?.body), "3");
    assert_eq!(compact(&database.send(call(r#"{"a":1}"#)).await?.body), "2");
    let large = database.send(call(r#"{"a":2147483647}"#)).await;
    assert_eq!(large.as_ref().err().map(Error::code), Some("22003"));
    let unknown = database.send(call(r#"{"c":1}"#)).await;
    assert_eq!(unknown.as_ref().err().map(Error::code), Some("PGRST202"));
    Ok(())
}
