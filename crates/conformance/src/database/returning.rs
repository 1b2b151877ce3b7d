//! What writes return.

use truststream_services::database::{DatabaseService, Delete, Filter, Item, Query, Returning};

use super::build::{QueryExt, compact, filled, insert, insert_returning, ready, table, update_returning};
use crate::{Env, Outcome};

pub(super) async fn representations(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut request = insert_returning("genres", r#"[{"code":"q","name":"Q"},{"code":"b","name":"B"}]"#);
    request.query.items = vec![Item::column("name")];
    let page = database.send(request).await?;
    assert_eq!((page.rows, compact(&page.body).as_str()), (2, r#"[{"name":"Q"},{"name":"B"}]"#));
    let query = Query::all().columns(&["id", "title"]).matching(Filter::eq("id", "3"));
    let page = database.send(update_returning("albums", r#"{"title":"new"}"#, query)).await?;
    assert_eq!(compact(&page.body), r#"[{"id":3,"title":"new"}]"#);
    let query = Query::all().columns(&["id", "title"]).matching(Filter::eq("id", "3"));
    let mut delete = Delete::new(table("albums"), query);
    delete.options.returning = Returning::Representation;
    assert_eq!(compact(&database.send(delete).await?.body), r#"[{"id":3,"title":"new"}]"#);
    Ok(())
}

pub(super) async fn nothing_unless_asked(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let page = insert(&database, "genres", r#"{"code":"x","name":"X"}"#).await?;
    assert!(page.body.is_empty() && page.location.is_empty(), "{page:?}");
    Ok(())
}

pub(super) async fn the_key_of_an_inserted_row(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut request = insert_returning("album_genres", r#"{"album_id":3,"genre_code":"z"}"#);
    request.options.returning = Returning::HeadersOnly;
    let page = database.send(request).await?;
    let shown = page.location.iter();
    let location: Vec<(&str, &str)> =
        shown.map(|(column, literal)| (column.as_str(), literal.as_deref().unwrap_or("null"))).collect();
    assert!(page.body.is_empty());
    // The literal may carry the operator of a filter, as in PostgREST's header.
    assert_eq!(location.iter().map(|(column, _)| *column).collect::<Vec<_>>(), ["album_id", "genre_code"]);
    let literals: Vec<&str> = location.iter().map(|(_, literal)| literal.trim_start_matches("eq.")).collect();
    assert_eq!(literals, ["3", "z"]);
    Ok(())
}
