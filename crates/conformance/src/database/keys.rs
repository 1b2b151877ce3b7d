//! What a row must be given, and what the database gives it.

use truststream_services::database::{
    AggregateFunction, Database, DatabaseService, Delete, Filter, Insert, Item, Media, OnConflict, Query,
    Select,
};

use super::aggregates::aggregate;
use super::build::{
    QueryExt, compact, details, embed, filled, ids, insert, insert_returning, migrated, read, refused,
    refused_saying, table, update_returning,
};
use crate::{Env, Outcome};

const COUNTED: &str = "\
create table counted (id bigint generated always as identity primary key, n int,
  twice int generated always as (n * 2) stored);
create table given (id int primary key, name text not null, note text);
create table measures (id int primary key, size double precision, facts jsonb, word text);
create function loud(measures) returns text language sql stable as $$ select upper($1.word) $$;
create function quiet(measures) returns text language sql stable as $$ select lower($1.word) $$;";

async fn counted(env: &Env<DatabaseService>) -> truststream_kernel::Result<Database> {
    migrated(env, "1_counted.sql", COUNTED).await
}

pub(super) async fn have_to_be_given(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    let message = "null value in column \"id\" of relation \"given\" violates not-null constraint";
    for rows in [
        r#"{"name":"a"}"#,
        r#"{"id":null,"name":"a"}"#,
        r#"[{"id":1,"name":"a"},{"id":null,"name":"b"}]"#,
        "{}",
    ] {
        refused_saying(insert(&database, "given", rows).await, "23502", message);
    }
    assert!(ids(&database, "given", Query::all()).await?.is_empty());
    let filled = filled(&env).await?;
    refused(insert(&filled, "artists", r#"{"id":null,"name":"Zoe"}"#).await, "23502");
    Ok(())
}

/// As in PostgreSQL, where a row is judged before another one of its key is looked for.
pub(super) async fn are_no_excuse_for_half_a_row(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    insert(&database, "given", r#"{"id":1,"name":"a","note":"x"}"#).await?;
    for merge in [true, false] {
        let rule = OnConflict { columns: None, merge };
        let half = Insert { on_conflict: Some(rule), ..insert_returning("given", r#"{"id":1,"note":"y"}"#) };
        let message = "null value in column \"name\" of relation \"given\" violates not-null constraint";
        refused_saying(database.send(half).await, "23502", message);
    }
    assert_eq!(read(&database, "given", Query::all()).await?, r#"[{"id":1,"name":"a","note":"x"}]"#);
    Ok(())
}

pub(super) async fn are_not_changed_where_the_database_counts(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    insert(&database, "counted", r#"[{"n":1},{"n":2}]"#).await?;
    let one = || Query::all().matching(Filter::eq("n", "1"));
    for (values, column) in [(r#"{"id":9}"#, "id"), (r#"{"twice":9}"#, "twice")] {
        let message = format!("column \"{column}\" can only be updated to DEFAULT");
        refused_saying(database.send(update_returning("counted", values, one())).await, "428C9", &message);
    }
    let rule = OnConflict { columns: None, merge: true };
    let known = Insert { on_conflict: Some(rule), ..insert_returning("counted", r#"{"id":1,"n":7}"#) };
    let error = refused(database.send(known).await, "428C9");
    assert_eq!(error.hint(), Some("Use OVERRIDING SYSTEM VALUE to override."));
    assert_eq!(ids(&database, "counted", Query::all()).await?, [1, 2]);
    Ok(())
}

pub(super) async fn that_there_are_not_are_told(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rule = OnConflict { columns: Some(vec!["nope".into()]), merge: true };
    let rows = r#"{"code":"a","name":"x"}"#;
    let upsert = Insert { on_conflict: Some(rule), ..Insert::new(table("genres"), rows.to_owned()) };
    refused_saying(database.send(upsert).await, "42703", "column \"nope\" does not exist");
    let error = refused(read(&database, "artists", Query::all().columns(&["nam"])).await, "42703");
    assert_eq!(error.hint(), Some("Perhaps you meant to reference the column \"artists.name\"."));
    let error = refused(read(&database, "artists", Query::all().columns(&["elsewhere"])).await, "42703");
    assert_eq!(error.hint(), None);
    Ok(())
}

pub(super) async fn embeds_of_one_name_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let twice = Query::all().embedding("artists", &["name"]).embedding("artists", &["id"]);
    refused_saying(
        read(&database, "albums", twice).await,
        "42712",
        "table name \"albums_artists_1\" specified more than once",
    );
    let mut inner = embed("albums", &["id"]);
    inner.query = inner.query.embedding("genres", &["code"]).embedding("genres", &["name"]);
    let mut query = Query::all();
    query.items.push(Item::Embed(inner));
    refused(read(&database, "artists", query).await, "42712");
    Ok(())
}

pub(super) async fn of_no_value_are_left_out_everywhere(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    let facts = r#"{"id":1,"size":null,"word":null,"facts":{"a":null,"b":[{"c":null},null],"d":{}}}"#;
    insert(&database, "measures", facts).await?;
    for (media, expected) in [
        (Media::Json, r#"[{"id":1,"facts":{"b":[{},null],"d":{}}}]"#),
        (Media::Object, r#"{"id":1,"facts":{"b":[{},null],"d":{}}}"#),
    ] {
        let mut select = Select::new(table("measures"), Query::all());
        (select.format.media, select.format.strip_nulls) = (media, true);
        assert_eq!(compact(&database.send(select).await?.body), expected);
    }
    Ok(())
}

/// A sum with what is no number in it is none; an engine that can't hold such a value says so.
pub(super) async fn of_no_number_add_up_to_none(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    let put =
        insert(&database, "measures", r#"[{"id":1,"size":1.5},{"id":2,"size":"NaN"},{"id":3,"size":null}]"#)
            .await;
    if put.as_ref().is_err_and(|error| error.code() == "0A000") {
        return Ok(());
    }
    put?;
    let of = [AggregateFunction::Sum, AggregateFunction::Avg, AggregateFunction::Max];
    let items = of.into_iter().map(|function| aggregate("size", function)).collect();
    let query = Query { items, ..Query::default() };
    assert_eq!(read(&database, "measures", query).await?, r#"[{"sum":"NaN","avg":"NaN","max":"NaN"}]"#);
    Ok(())
}

pub(super) async fn have_letters_of_both_cases(env: Env<DatabaseService>) -> Outcome {
    let database = counted(&env).await?;
    let rows = r#"[{"id":1,"word":"Çelik 😀 straße"},{"id":2,"word":"ΣΟΦΌς Йод ấ"},{"id":3,"word":"Plain"},{"id":4,"word":null}]"#;
    insert(&database, "measures", rows).await?;
    let query = Query::all().columns(&["loud", "quiet"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "measures", query).await?,
        concat!(
            r#"[{"loud":"ÇELIK 😀 STRAßE","quiet":"çelik 😀 straße"},"#,
            r#"{"loud":"ΣΟΦΌΣ ЙОД Ấ","quiet":"σοφός йод ấ"},"#,
            r#"{"loud":"PLAIN","quiet":"plain"},{"loud":null,"quiet":null}]"#
        )
    );
    Ok(())
}

/// Also where more columns of what was written are looked at than are shown.
pub(super) async fn stand_above_csv_if_they_are_shown(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().columns(&["name"]).matching(Filter::eq("id", "1"));
    let mut update = update_returning("artists", r#"{"country":"FI"}"#, query);
    update.options.format.media = Media::Csv;
    assert_eq!(String::from_utf8_lossy(&database.send(update).await?.body), "name\nAda");
    let mut put = insert_returning("genres", r#"{"code":"q","name":"Q"}"#);
    put.options.format.media = Media::Csv;
    put.query = Query::default().columns(&["name"]);
    assert_eq!(String::from_utf8_lossy(&database.send(put).await?.body), "name\nQ");
    Ok(())
}

/// Whether somebody refers to what is gone is looked at when a statement is done.
pub(super) async fn let_go_of_rows_that_go_together(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table links (id int primary key, link_id int references links on delete restrict)";
    let database = migrated(&env, "1_links.sql", sql).await?;
    insert(&database, "links", r#"[{"id":1,"link_id":null},{"id":2,"link_id":1},{"id":3,"link_id":2}]"#)
        .await?;
    let delete = |ids: &[&str]| {
        let any = Filter::Or(ids.iter().map(|id| Filter::eq("id", *id)).collect());
        database.send(Delete::new(table("links"), Query::all().matching(any)))
    };
    let error = refused(delete(&["1", "3"]).await, "23503");
    assert_eq!(details(&error), "Key (id)=(1) is still referenced from table \"links\".");
    assert_eq!(ids(&database, "links", Query::all()).await?, [1, 2, 3]);
    delete(&["1", "2", "3"]).await?;
    assert!(ids(&database, "links", Query::all()).await?.is_empty());
    Ok(())
}
