//! Aggregates and functions.

use truststream_kernel::Error;
use truststream_services::database::{
    Aggregate, AggregateFunction, Arguments, DatabaseService, Field, Filter, Format, Invoke, Item, Migrate,
    Query, Transaction,
};

use super::build::{QueryExt, compact, filled, insert, migrated, read, table};
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
