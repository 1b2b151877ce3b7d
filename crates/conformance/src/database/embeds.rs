//! Related rows inside rows.

use truststream_services::database::{DatabaseService, Embed, Filter, Item, Operator, Order, Query};

use super::build::{QueryExt, ascending, compare, embed, filled, read, refused};
use crate::{Env, Outcome};

fn with(query: Query, embed: Embed) -> Query {
    let mut query = query;
    query.items.push(Item::Embed(embed));
    query
}

pub(super) async fn parents_and_children(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().columns(&["title"]).embedding("artists", &["name"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "albums", query).await?,
        concat!(
            r#"[{"title":"One","artists":{"name":"Ada"}},{"title":"Two","artists":{"name":"Ada"}},"#,
            r#"{"title":"Three","artists":{"name":"Bo"}},{"title":"Four","artists":null}]"#
        )
    );
    let mut children = embed("albums", &["id", "title"]);
    children.alias = Some("records".into());
    children.query.order = vec![Order { descending: true, ..ascending("id") }];
    let query = with(Query::all().columns(&["name"]).ordered(&["id"]), children);
    assert_eq!(
        read(&database, "artists", query).await?,
        concat!(
            r#"[{"name":"Ada","records":[{"id":2,"title":"Two"},{"id":1,"title":"One"}]},"#,
            r#"{"name":"Bo","records":[{"id":3,"title":"Three"}]},"#,
            r#"{"name":"çelik","records":[]},{"name":"D%_x","records":[]}]"#
        )
    );
    Ok(())
}

pub(super) async fn through_a_third_table(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut genres = embed("genres", &["name"]);
    genres.query.order = vec![ascending("name")];
    let query = with(Query::all().columns(&["id"]).ordered(&["id"]), genres);
    assert_eq!(
        read(&database, "albums", query).await?,
        concat!(
            r#"[{"id":1,"genres":[{"name":"Ambient"}]},{"id":2,"genres":[{"name":"Ambient"},{"name":"Jazz"}]},"#,
            r#"{"id":3,"genres":[]},{"id":4,"genres":[]}]"#
        )
    );
    Ok(())
}

pub(super) async fn filtered_and_ordered(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut albums = embed("albums", &["title"]);
    albums.query.and(compare("price", Operator::Gt, "10"));
    let nested = with(Query::all().columns(&["name"]).ordered(&["id"]), albums);
    let query = Query { limit: Some(2), ..nested };
    assert_eq!(
        read(&database, "artists", query).await?,
        r#"[{"name":"Ada","albums":[{"title":"Two"}]},{"name":"Bo","albums":[]}]"#
    );
    let mut albums = embed("albums", &["title"]).clone();
    albums.query.limit = Some(1);
    albums.query.order = vec![ascending("title")];
    albums.query.items.push(Item::Embed(embed("genres", &["code"])));
    let query = Query { limit: Some(1), ..with(Query::all().columns(&["id"]).ordered(&["id"]), albums) };
    assert_eq!(
        read(&database, "artists", query).await?,
        r#"[{"id":1,"albums":[{"title":"One","genres":[{"code":"a"}]}]}]"#
    );
    Ok(())
}

pub(super) async fn inner_joins_drop_parents(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut albums = embed("albums", &["id"]);
    albums.inner = true;
    albums.query.and(Filter::eq("title", "Three"));
    let query = with(Query::all().columns(&["name"]).ordered(&["id"]), albums);
    assert_eq!(read(&database, "artists", query).await?, r#"[{"name":"Bo","albums":[{"id":3}]}]"#);
    let mut artist = embed("artists", &["country"]);
    artist.inner = true;
    artist.query.and(Filter::eq("country", "SE"));
    let query = with(Query::all().columns(&["id"]).ordered(&["id"]), artist);
    assert_eq!(
        read(&database, "albums", query).await?,
        r#"[{"id":1,"artists":{"country":"SE"}},{"id":2,"artists":{"country":"SE"}}]"#
    );
    Ok(())
}

pub(super) async fn spread(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let mut artist = embed("artists", &["name", "country"]);
    artist.spread = true;
    let query = with(Query::all().columns(&["id"]).ordered(&["id"]), artist);
    assert_eq!(
        read(&database, "albums", query).await?,
        concat!(
            r#"[{"id":1,"name":"Ada","country":"SE"},{"id":2,"name":"Ada","country":"SE"},"#,
            r#"{"id":3,"name":"Bo","country":null},{"id":4,"name":null,"country":null}]"#
        )
    );
    Ok(())
}

pub(super) async fn unknown_relations_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().embedding("vault", &["id"]);
    refused(read(&database, "artists", query).await, "PGRST200");
    let query = Query::all().embedding("nowhere", &["id"]);
    refused(read(&database, "artists", query.clone()).await, "PGRST200");
    // Of a table that there is not nothing is related.
    refused(read(&database, "nobody", query).await, "PGRST205");
    Ok(())
}
