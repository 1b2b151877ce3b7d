//! Functions in PL/pgSQL that loop, branch and keep rows in variables.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Delete, Filter, Insert, Query, Returning, Update,
};

use super::build::{QueryExt, compact, migrated, read, refused, refused_saying, table};
use super::routines::call;
use crate::{Env, Outcome};

const PROGRAMS: &str = include_str!("programs.sql");

async fn programmed(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_programs.sql", PROGRAMS).await
}

pub(super) async fn move_rows_or_fail_whole(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let moved = |source: i64, target: i64, amount: i64| {
        let arguments = format!(r#"{{"source":{source},"target":{target},"amount":{amount}}}"#);
        let database = database.clone();
        async move { call(&database, "move_amount", &arguments).await }
    };
    assert_eq!(moved(1, 2, 4).await?, "6");
    let error = refused_saying(moved(9, 2, 4).await, "P0002", "no account 9");
    assert_eq!((super::build::details(&error), error.hint()), ("asked for 9", Some("look it up")));
    refused_saying(moved(1, 2, 50).await, "PT402", "only 6 of 50");
    refused_saying(moved(1, 77, 1).await, "P0001", "100% gone: 77");
    let amounts = Query::all().columns(&["id", "amount"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "ledger", amounts).await?,
        r#"[{"id":1,"amount":6},{"id":2,"amount":24},{"id":3,"amount":30}]"#
    );
    let notes = Query::all().columns(&["note"]);
    assert_eq!(read(&database, "entries", notes).await?, r#"[{"note":"1 to 2"}]"#);
    Ok(())
}

pub(super) async fn insert_rows_of_defaults(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(call(&database, "open_ticket", "{}").await?, "1");
    call(&database, "open_tickets", r#"{"label":"a"}"#).await?;
    let tickets = Query::all().columns(&["id", "label"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "tickets", tickets).await?,
        concat!(
            r#"[{"id":1,"label":"none"},{"id":2,"label":"none"},{"id":3,"label":"none"},"#,
            r#"{"id":4,"label":"a"},{"id":5,"label":"A"}]"#
        )
    );
    let times = Query::all().columns(&["opened", "shown"]).ordered(&["id"]);
    let times: Vec<serde_json::Value> = serde_json::from_str(&read(&database, "tickets", times).await?)?;
    for row in times {
        assert_eq!(row["opened"], format!("{}+00:00", row["shown"].as_str().unwrap_or_default()), "{row}");
    }
    Ok(())
}

pub(super) async fn loop_over_numbers_and_rows(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(
        call(&database, "squares", r#"{"first":1,"last":5}"#).await?,
        concat!(
            r#"[{"n":1,"square":1},{"n":3,"square":9},{"n":4,"square":16},"#,
            r#"{"n":5,"square":-5},{"n":3,"square":-3},{"n":1,"square":-1}]"#
        )
    );
    assert_eq!(call(&database, "squares", r#"{"first":5,"last":1}"#).await?, "[]");
    assert_eq!(call(&database, "totals", "{}").await?, r#"["ada:2","160","2","nobodyfalse"]"#);
    assert_eq!(call(&database, "dearest", "{}").await?, r#"{"id":3,"owner":"ada","amount":31}"#);
    Ok(())
}

pub(super) async fn end_as_postgres_ends_them(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let two = call(&database, "the_one", r#"{"who":"ada"}"#).await;
    refused_saying(two, "P0003", "query returned more than one row");
    let none = call(&database, "the_one", r#"{"who":"zoe"}"#).await;
    refused_saying(none, "P0002", "query returned no rows");
    assert_eq!(call(&database, "sized", r#"{"n":50}"#).await?, r#""medium12""#);
    let error = refused_saying(call(&database, "sized", r#"{"n":500}"#).await, "20000", "case not found");
    assert_eq!(error.hint(), Some("CASE statement is missing ELSE part."));
    refused(call(&database, "endless", r#"{"n":3}"#).await, "2F005");
    let wet = call(&database, "stays_dry", "{}").await;
    refused_saying(wet, "0A000", "INSERT is not allowed in a non-volatile function");
    Ok(())
}

pub(super) async fn write_instead_of_a_view(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let mut insert = Insert::new(
        table("balances"),
        r#"[{"id":7,"owner":"cy","amount":5},{"id":8,"owner":"no","amount":null}]"#.to_owned(),
    );
    insert.options.returning = Returning::Representation;
    let page = database.send(insert).await?;
    assert_eq!(compact(&page.body), r#"[{"id":7,"owner":"CY","amount":5}]"#);
    let seventh = || Query::all().matching(Filter::eq("id", "7"));
    let mut update = Update::new(table("balances"), r#"{"amount":20}"#.to_owned(), seventh());
    update.options.returning = Returning::Representation;
    let page = database.send(update).await?;
    assert_eq!(compact(&page.body), r#"[{"id":7,"owner":"cy","amount":21}]"#);
    assert_eq!(database.send(Delete::new(table("balances"), seventh())).await?.rows, 1);
    assert_eq!(database.send(Delete::new(table("balances"), seventh())).await?.rows, 0);
    let left = read(&database, "ledger", seventh()).await?;
    assert_eq!(left, r#"[{"id":7,"owner":"cy","amount":0}]"#);
    Ok(())
}
