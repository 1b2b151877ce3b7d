//! What writes return.

use truststream_kernel::ErrorKind;
use truststream_services::database::{
    DatabaseService, Delete, Filter, Insert, Item, Media, PlanFormat, Query, Returning, Update,
};

use super::build::{
    QueryExt, compact, filled, insert, insert_returning, read, ready, table, update_returning,
};
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

/// Whoever asks how a write would be done does not want it done, and where nobody can tell it is refused.
pub(super) async fn plans_are_not_carried_out(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let before = read(&database, "genres", Query::all().ordered(&["code"])).await?;
    let mut inserted = Insert::new(table("genres"), r#"{"code":"plan","name":"P"}"#);
    let mut updated = Update::new(table("genres"), r#"{"name":"planned"}"#, Query::all());
    let mut deleted = Delete::new(table("genres"), Query::all().matching(Filter::eq("code", "z")));
    for options in [&mut inserted.options, &mut updated.options, &mut deleted.options] {
        options.format.media = Media::Plan(PlanFormat { json: true, options: Vec::new() });
    }
    for planned in [database.send(inserted).await, database.send(updated).await, database.send(deleted).await]
    {
        match planned {
            Ok(page) => assert!(compact(&page.body).contains("Plan"), "{page:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
        }
    }
    assert_eq!(read(&database, "genres", Query::all().ordered(&["code"])).await?, before);
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
