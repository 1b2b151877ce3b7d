//! Replies of exactly one row.

use truststream_services::database::{
    DatabaseService, Delete, Filter, Format, Media, Operator, Query, WriteOptions,
};

use super::build::{
    QueryExt, compact, compare, details, filled, ids, insert_returning, read, refused_saying, single, table,
    update_returning,
};
use crate::{Env, Outcome};

const NOT_ONE: &str = "Cannot coerce the result to a single JSON object";

pub(super) async fn one_row_is_an_object(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().columns(&["id", "name"]).matching(Filter::eq("id", "1"));
    let page = database.send(single("artists", query)).await?;
    assert_eq!(compact(&page.body), r#"{"id":1,"name":"Ada"}"#);
    let mut insert = insert_returning("genres", r#"{"code":"x","name":"X"}"#);
    insert.options.format.media = Media::Object;
    assert_eq!(compact(&database.send(insert).await?.body), r#"{"code":"x","name":"X"}"#);
    Ok(())
}

pub(super) async fn none_or_many_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let none = Query::all().matching(Filter::eq("id", "99"));
    let error = refused_saying(database.send(single("artists", none)).await, "PGRST116", NOT_ONE);
    assert_eq!(details(&error), "The result contains 0 rows");
    let many = Query::all().matching(compare("id", Operator::Lt, "3"));
    let error = refused_saying(database.send(single("artists", many)).await, "PGRST116", NOT_ONE);
    assert_eq!(details(&error), "The result contains 2 rows");
    Ok(())
}

pub(super) async fn a_write_of_many_is_undone(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().matching(Filter::eq("country", "SE"));
    let mut update = update_returning("artists", r#"{"country":"XX"}"#, query);
    update.options.format.media = Media::Object;
    refused_saying(database.send(update).await, "PGRST116", NOT_ONE);
    let unchanged = Query::all().matching(Filter::eq("country", "SE"));
    assert_eq!(ids(&database, "artists", unchanged).await?, [1, 4]);
    // Nothing of it need be shown for that.
    let silent = WriteOptions {
        format: Format { media: Media::Object, ..Format::default() },
        ..WriteOptions::default()
    };
    let many = || Query::all().matching(Filter::eq("country", "SE"));
    let mut update = update_returning("artists", r#"{"country":"XX"}"#, many());
    update.options = silent.clone();
    refused_saying(database.send(update).await, "PGRST116", NOT_ONE);
    for query in [
        Query::all().matching(compare("id", Operator::Gt, "2")),
        Query::all().matching(Filter::eq("id", "99")),
    ] {
        let delete = Delete { table: table("artists"), query, options: silent.clone() };
        refused_saying(database.send(delete).await, "PGRST116", NOT_ONE);
    }
    assert_eq!(ids(&database, "artists", many()).await?, [1, 4]);
    let mut insert = insert_returning("genres", r#"[{"code":"x","name":"X"},{"code":"y","name":"Y"}]"#);
    insert.options.format.media = Media::Object;
    refused_saying(database.send(insert).await, "PGRST116", NOT_ONE);
    let codes = read(&database, "genres", Query::all().columns(&["code"]).ordered(&["code"])).await?;
    assert_eq!(codes, r#"[{"code":"a"},{"code":"j"},{"code":"z"}]"#);
    Ok(())
}
