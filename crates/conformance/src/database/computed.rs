//! What functions compute: columns and relationships of rows, results with names, the reply itself.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Delete, Embed, Filter, Insert, Item, Migrate, Query, Returning, Update,
};

use super::build::{
    ALICE, BOB, QueryExt, as_role, compact, embed, filled, insert, insert_returning, migrated, read, refused,
    refused_saying, signed_in, table, update_returning,
};
use super::routines::{call, posted};
use crate::{Env, Outcome};

async fn computing(env: &Env<DatabaseService>) -> Result<Database> {
    let database = filled(env).await?;
    let sql = include_str!("computed.sql").to_owned();
    database.send(Migrate { name: "2_computed.sql".into(), sql, dry_run: false }).await?;
    Ok(database)
}

pub(super) async fn columns_of_a_row(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let query = Query::all().columns(&["id", "caption"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "albums", query.matching(Filter::eq("is_cheap", "true"))).await?,
        r#"[{"id":1,"caption":"One (1)"},{"id":4,"caption":"Four"}]"#
    );
    let query = Query::all().columns(&["caption"]).ordered(&["caption"]);
    assert_eq!(
        read(&database, "albums", Query { limit: Some(2), ..query }).await?,
        r#"[{"caption":"Four"},{"caption":"One (1)"}]"#
    );
    // Nobody asked for them with everything else.
    let all = read(&database, "albums", Query::all().matching(Filter::eq("id", "1"))).await?;
    assert!(!all.contains("caption"), "{all}");
    refused(read(&database, "artists", Query::all().columns(&["caption"])).await, "42703");
    let query = Query::all().columns(&["caption"]).matching(Filter::eq("is_cheap", "true"));
    let written = database.send(update_returning("albums", r#"{"title":"Cheap"}"#, query)).await?;
    assert_eq!(compact(&written.body), r#"[{"caption":"Cheap (1)"},{"caption":"Cheap"}]"#);
    Ok(())
}

pub(super) async fn columns_of_rows_that_functions_give(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    // Functions of the same name over rows of other tables are not meant.
    let sql = "create function public.caption(artists) returns text language sql stable as 'select $1.name';
        create function public.priciest() returns setof albums language sql stable
            as 'select * from albums where price is not null order by price desc limit 1';";
    database.send(Migrate { name: "3_overloads.sql".into(), sql: sql.into(), dry_run: false }).await?;
    let mut priciest = posted("priciest", "{}");
    priciest.query = Query::all().columns(&["id", "caption"]).matching(Filter::eq("title", "Two"));
    assert_eq!(compact(&database.send(priciest).await?.body), r#"[{"id":2,"caption":"Two (1)"}]"#);
    let mut counted = posted("priciest", "{}");
    counted.query = Query::all().columns(&["count"]);
    assert_eq!(compact(&database.send(counted).await?.body), r#"[{"count":1}]"#);
    Ok(())
}

pub(super) async fn relationships_of_a_row(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let shown = || Query::all().columns(&["title"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "albums", shown().embedding("main_artist", &["name"])).await?,
        r#"[{"title":"One","main_artist":{"name":"Ada"}},{"title":"Two","main_artist":{"name":"Ada"}},{"title":"Three","main_artist":{"name":"Bo"}},{"title":"Four","main_artist":null}]"#
    );
    let siblings = Embed { inner: true, ..embed("siblings", &["title"]) };
    let mut query = shown();
    query.items.push(Item::Embed(siblings));
    assert_eq!(
        read(&database, "albums", query).await?,
        r#"[{"title":"One","siblings":[{"title":"Two"}]},{"title":"Two","siblings":[{"title":"One"}]}]"#
    );
    // Those who may not see the other rows don't see them through functions either.
    let query = Query::all().columns(&["title"]).embedding("siblings", &["title"]);
    refused(read(&as_role(&database, "anon"), "albums", query).await, "42501");
    refused(read(&database, "artists", Query::all().embedding("siblings", &["title"])).await, "PGRST200");
    Ok(())
}

pub(super) async fn results_with_names(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    assert_eq!(call(&database, "divided", r#"{"n":7,"by":2}"#).await?, r#"{"quotient":3,"rest":1}"#);
    assert_eq!(call(&database, "increased", r#"{"n":7}"#).await?, r#"{"more":8}"#);
    assert_eq!(call(&database, "both_texts", r#"{"a":"a"}"#).await?, r#"{"a":"b","b":"a"}"#);
    refused(call(&database, "divided", r#"{"n":7,"quotient":2}"#).await, "PGRST202");
    Ok(())
}

pub(super) async fn settings_and_the_reply(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let page = database.send(posted("teapot", "{}")).await?;
    assert_eq!((page.status, compact(&page.body).as_str()), (Some(418), "1"));
    assert_eq!(page.headers, [("X-Tea".to_owned(), "green".to_owned())]);
    let page = database.send(posted("kept", r#"{"name":"app.kept"}"#)).await?;
    assert_eq!((page.status, compact(&page.body).as_str()), (None, "null"));
    assert_eq!(call(&database, "put_and_kept", r#"{"value":"x"}"#).await?, r#""x""#);
    let claims = call(&signed_in(&database, ALICE), "kept", r#"{"name":"request.jwt.claims"}"#).await?;
    assert!(claims.contains(ALICE), "{claims}");
    for (name, value) in [("is_superuser", "off"), ("client_encoding", "UTF8"), ("IntervalStyle", "postgres")]
    {
        let arguments = format!(r#"{{"name":"{name}"}}"#);
        let told = call(&signed_in(&database, ALICE), "kept", &arguments).await?;
        assert_eq!(told, format!("\"{value}\""), "{name}");
    }
    Ok(())
}

pub(super) async fn views_are_written_through(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let alice = signed_in(&database, ALICE);
    let mut row = insert_returning("cheap", r#"{"number":9,"label":"Nine","price":3}"#);
    row.query = Query::all().columns(&["number", "label", "price"]);
    assert_eq!(compact(&alice.send(row).await?.body), r#"[{"number":9,"label":"Nine","price":3.00}]"#);
    let titles = Query::all().columns(&["title"]).matching(Filter::eq("id", "9"));
    assert_eq!(read(&database, "albums", titles).await?, r#"[{"title":"Nine"}]"#);
    refused(read(&alice, "albums", Query::all()).await, "42501");
    // What the view doesn't show is not touched through it.
    let label = |label: &str| format!(r#"{{"label":"{label}"}}"#);
    let all = Query::all().columns(&["number", "label"]);
    let written = alice.send(update_returning("cheap", &label("New"), all.ordered(&["number"]))).await?;
    let mut labels: Vec<&str> = compact(&written.body).leak().split("},{").collect();
    labels.sort_unstable();
    assert_eq!(labels.len(), 3, "{labels:?}");
    let rest = Query::all().columns(&["id"]).matching(Filter::eq("title", "New")).ordered(&["id"]);
    assert_eq!(read(&database, "albums", rest).await?, r#"[{"id":1},{"id":4},{"id":9}]"#);
    refused(alice.send(update_returning("priced", r#"{"loud":"X"}"#, Query::all())).await, "0A000");
    refused(alice.send(insert_returning("cheap", r#"{"nope":1}"#)).await, "PGRST204");
    let gone = Delete {
        table: table("cheap"),
        query: Query::all().matching(Filter::eq("number", "9")),
        options: Default::default(),
    };
    assert_eq!(alice.send(gone).await?.rows, 1);
    refused_saying(
        as_role(&database, "anon").send(insert_returning("cheap", r#"{"number":10,"label":"x"}"#)).await,
        "42501",
        "permission denied for view cheap",
    );
    Ok(())
}

pub(super) async fn views_have_defaults_of_their_own(env: Env<DatabaseService>) -> Outcome {
    let sql =
        "create table items (id int primary key, name text, kind text default 'plain', at int default 7);
        create view shown as select id, name as called, kind from items;
        alter view shown alter column called set default 'un' || 'named';
        create view above as select id, called, kind from shown;
        alter table only above alter column kind set default 'upper';
        alter view above alter called set default 'none';
        alter view above alter called drop default;";
    let database = migrated(&env, "1_items.sql", sql).await?;
    insert(&database, "shown", r#"{"id":1}"#).await?;
    let mut some = Insert::new(table("shown"), r#"[{"id":2,"called":"x"},{"id":3},{"id":4,"called":null}]"#);
    some.columns = Some(vec!["id".into(), "called".into()]);
    some.missing_default = true;
    database.send(some.clone()).await?;
    // What is named and not given is null, unless the request says otherwise.
    some.rows = r#"{"id":5}"#.into();
    some.missing_default = false;
    database.send(some).await?;
    insert(&database, "above", r#"{"id":6}"#).await?;
    insert(&database, "items", r#"{"id":7}"#).await?;
    assert_eq!(
        read(&database, "items", Query::all().columns(&["id", "name", "kind"]).ordered(&["id"])).await?,
        r#"[{"id":1,"name":"unnamed","kind":"plain"},{"id":2,"name":"x","kind":"plain"},{"id":3,"name":"unnamed","kind":"plain"},{"id":4,"name":null,"kind":"plain"},{"id":5,"name":null,"kind":"plain"},{"id":6,"name":"unnamed","kind":"upper"},{"id":7,"name":null,"kind":"plain"}]"#
    );
    Ok(())
}

pub(super) async fn views_of_who_asks_are_written_by_their_policies(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let notes = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"a","shared":false}},{{"id":2,"owner":"{BOB}","body":"b","shared":false}}]"#
    );
    insert(&database, "notes", &notes).await?;
    let alice = signed_in(&database, ALICE);
    let change = |query| Update {
        options: Default::default(),
        ..update_returning("own_titles", r#"{"body":"x"}"#, query)
    };
    let touched = alice.send(change(Query::all())).await?;
    assert_eq!(touched.rows, 1);
    let foreign = format!(r#"{{"id":3,"owner":"{BOB}","body":"c"}}"#);
    refused(alice.send(insert_returning("own_titles", &foreign)).await, "42501");
    let bodies = Query::all().columns(&["body"]).ordered(&["id"]);
    assert_eq!(read(&database, "notes", bodies).await?, r#"[{"body":"x"},{"body":"b"}]"#);
    Ok(())
}

pub(super) async fn rights_on_columns_open_writes_to_them(env: Env<DatabaseService>) -> Outcome {
    let database = computing(&env).await?;
    let anon = as_role(&database, "anon");
    let returning = |body: &str| {
        let mut row = insert_returning("artists", body);
        row.query = Query::all().columns(&["id", "name"]);
        row
    };
    let page = anon.send(returning(r#"{"id":77,"name":"New"}"#)).await?;
    assert_eq!(compact(&page.body), r#"[{"id":77,"name":"New"}]"#);
    let closed = returning(r#"{"id":78,"name":"Other","country":"SE"}"#);
    refused_saying(anon.send(closed).await, "42501", "permission denied for table artists");
    let one = || Query::all().columns(&["name"]).matching(Filter::eq("id", "77"));
    let mut named = update_returning("artists", r#"{"name":"Newer"}"#, one());
    named.options.returning = Returning::Minimal;
    assert_eq!(anon.send(named).await?.rows, 1);
    refused(anon.send(update_returning("artists", r#"{"country":"SE"}"#, one())).await, "42501");
    refused(anon.send(update_returning("artists", r#"{"id":5}"#, one())).await, "42501");
    Ok(())
}
