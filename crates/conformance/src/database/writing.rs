//! Inserts, updates and deletes.

use serde_json::Value as Json;
use truststream_kernel::ErrorKind;
use truststream_services::database::{
    Count, DatabaseService, Delete, Filter, Insert, Operator, Query, Update,
};

use super::build::{
    QueryExt, compact, compare, filled, ids, insert, insert_returning, read, ready, refused, table,
    update_returning,
};
use crate::{Env, Outcome};

pub(super) async fn one_row(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let page = insert(&database, "genres", r#"{"code":"x","name":"X"}"#).await?;
    assert_eq!(page.rows, 1);
    assert_eq!(read(&database, "genres", Query::all()).await?, r#"[{"code":"x","name":"X"}]"#);
    Ok(())
}

pub(super) async fn many_rows(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let rows: Vec<String> = (0..2_000).map(|at| format!(r#"{{"code":"c{at:04}","name":"n{at}"}}"#)).collect();
    let mut request = Insert::new(table("genres"), format!("[{}]", rows.join(",")));
    request.options.count = Some(Count::Exact);
    let page = database.send(request).await?;
    assert_eq!((page.rows, page.total.unwrap_or(2_000)), (2_000, 2_000));
    let query = Query { limit: Some(1), offset: 1_999, ..Query::all() }.ordered(&["code"]);
    assert_eq!(read(&database, "genres", query).await?, r#"[{"code":"c1999","name":"n1999"}]"#);
    assert_eq!(insert(&database, "genres", "[]").await?.rows, 0);
    Ok(())
}

pub(super) async fn defaults_fill_what_is_missing(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let page = database.send(insert_returning("defaults", "[{},{}]")).await?;
    let rows: Json = serde_json::from_slice(&page.body)?;
    for row in rows.as_array().into_iter().flatten() {
        assert_eq!((&row["word"], &row["count"], &row["doubled"]), (&"none".into(), &7.into(), &14.into()));
        let id = row["id"].as_str().unwrap_or_default();
        assert!(uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4), "{id}");
        assert!(row["made_at"].as_str().is_some_and(|at| at.ends_with("+00:00")), "{row}");
    }
    assert_ne!(rows[0]["id"], rows[1]["id"]);
    let mut mixed = insert_returning("defaults", r#"[{"word":"w","count":1},{"count":2}]"#);
    mixed.columns = Some(vec!["word".into(), "count".into()]);
    mixed.missing_default = true;
    mixed.query = Query::all().columns(&["word", "count", "doubled"]);
    let body = compact(&database.send(mixed).await?.body);
    assert_eq!(body, r#"[{"word":"w","count":1,"doubled":2},{"word":"none","count":2,"doubled":4}]"#);
    // An identity counts on by itself, also after a value that was given.
    let mut artists = insert_returning("artists", r#"[{"name":"a"},{"name":"b"}]"#);
    artists.query = Query::all().columns(&["id"]);
    assert_eq!(compact(&database.send(artists).await?.body), r#"[{"id":1},{"id":2}]"#);
    Ok(())
}

pub(super) async fn chosen_columns(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let mut request =
        Insert::new(table("artists"), r#"[{"id":5,"name":"x","country":"y","more":1}]"#.to_owned());
    request.columns = Some(vec!["id".into(), "name".into()]);
    database.send(request).await?;
    let query = Query::all().columns(&["id", "name", "country"]);
    assert_eq!(read(&database, "artists", query).await?, r#"[{"id":5,"name":"x","country":null}]"#);
    Ok(())
}

pub(super) async fn updates(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().matching(Filter::eq("country", "SE"));
    let page = database.send(Update::new(table("artists"), r#"{"country":"NO"}"#.to_owned(), query)).await?;
    assert_eq!(page.rows, 2);
    let moved = Query::all().matching(Filter::eq("country", "NO"));
    assert_eq!(ids(&database, "artists", moved).await?, [1, 4]);
    let query = Query::all().columns(&["id", "price", "labels"]).matching(Filter::eq("id", "1"));
    let page = database.send(update_returning("albums", r#"{"price":null,"labels":["n"]}"#, query)).await?;
    assert_eq!(compact(&page.body), r#"[{"id":1,"price":null,"labels":["n"]}]"#);
    let nothing = Query::all().matching(Filter::eq("id", "99"));
    let page = database.send(update_returning("albums", r#"{"title":"t"}"#, nothing)).await?;
    assert_eq!((page.rows, compact(&page.body).as_str()), (0, "[]"));
    Ok(())
}

pub(super) async fn deletes(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().matching(compare("price", Operator::Gt, "5"));
    let page = database.send(Delete::new(table("albums"), query)).await?;
    assert_eq!(page.rows, 2);
    assert_eq!(ids(&database, "albums", Query::all()).await?, [3, 4]);
    let mut all = Delete::new(table("albums"), Query::all());
    all.options.count = Some(Count::Exact);
    let page = database.send(all).await?;
    assert_eq!((page.rows, page.total.unwrap_or(2)), (2, 2));
    Ok(())
}

pub(super) async fn malformed_bodies_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    for body in ["", "{", "[{]", "{\"code\":\"a\",}", "not json"] {
        refused(insert(&database, "genres", body).await, "PGRST102");
    }
    let different = r#"[{"code":"a","name":"A"},{"code":"b"}]"#;
    let error = refused(insert(&database, "genres", different).await, "PGRST102");
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, "All object keys must match"));
    assert_eq!(read(&database, "genres", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn more_rows_than_allowed_are_undone(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut update = Update::new(table("artists"), r#"{"country":"XX"}"#.to_owned(), Query::all());
    update.options.transaction.max_affected = Some(3);
    refused(database.send(update).await, "PGRST124");
    let changed = Query::all().matching(Filter::eq("country", "XX"));
    assert!(ids(&database, "artists", changed).await?.is_empty());
    let mut delete = Delete::new(table("album_genres"), Query::all());
    delete.options.transaction.max_affected = Some(3);
    assert_eq!(database.send(delete).await?.rows, 3);
    Ok(())
}

pub(super) async fn what_is_rolled_back_is_gone(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let mut request = insert_returning("genres", r#"{"code":"x","name":"X"}"#);
    request.options.transaction.rollback = true;
    assert_eq!(compact(&database.send(request).await?.body), r#"[{"code":"x","name":"X"}]"#);
    assert_eq!(read(&database, "genres", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn rows_are_written_all_or_none(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let rows = r#"[{"code":"a","name":"A"},{"code":"b","name":"B"},{"code":"a","name":"again"}]"#;
    refused(insert(&database, "genres", rows).await, "23505");
    assert_eq!(read(&database, "genres", Query::all()).await?, "[]");
    Ok(())
}
