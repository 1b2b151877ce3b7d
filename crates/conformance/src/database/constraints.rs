//! Rules of the data: PostgreSQL's codes, messages and details, whoever found the violation.

use truststream_kernel::{ErrorKind, Outcome as Applied};
use truststream_services::database::{DatabaseService, Delete, Filter, Query, Update};

use super::build::{
    QueryExt, compact, details, filled, ids, insert, insert_returning, migrated, read, ready, refused,
    refused_saying, table, update_returning,
};
use crate::{Env, Outcome};

pub(super) async fn unique(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let message = "duplicate key value violates unique constraint \"artists_pkey\"";
    let error =
        refused_saying(insert(&database, "artists", r#"{"id":1,"name":"x"}"#).await, "23505", message);
    assert_eq!(details(&error), "Key (id)=(1) already exists.");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::AlreadyExists, Applied::NotApplied));
    let message = "duplicate key value violates unique constraint \"artists_name_key\"";
    let error =
        refused_saying(insert(&database, "artists", r#"{"id":9,"name":"Ada"}"#).await, "23505", message);
    assert_eq!(details(&error), "Key (name)=(Ada) already exists.");
    let message = "duplicate key value violates unique constraint \"album_genres_pkey\"";
    let twice = r#"{"album_id":1,"genre_code":"a"}"#;
    let error = refused_saying(insert(&database, "album_genres", twice).await, "23505", message);
    assert_eq!(details(&error), "Key (album_id, genre_code)=(1, a) already exists.");
    let query = Query::all().matching(Filter::eq("id", "2"));
    refused(
        database.send(Update::new(table("artists"), r#"{"name":"Ada"}"#.to_owned(), query)).await,
        "23505",
    );
    Ok(())
}

pub(super) async fn foreign_keys(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let message =
        "insert or update on table \"albums\" violates foreign key constraint \"albums_artist_id_fkey\"";
    let orphan = r#"{"id":9,"artist_id":99,"title":"x"}"#;
    let error = refused_saying(insert(&database, "albums", orphan).await, "23503", message);
    assert_eq!(details(&error), "Key (artist_id)=(99) is not present in table \"artists\".");
    assert_eq!(error.kind(), ErrorKind::Constraint);
    let message = "update or delete on table \"artists\" violates foreign key constraint \"albums_artist_id_fkey\" on table \"albums\"";
    let query = Query::all().matching(Filter::eq("id", "1"));
    let error = refused_saying(database.send(Delete::new(table("artists"), query)).await, "23503", message);
    assert_eq!(details(&error), "Key (id)=(1) is still referenced from table \"albums\".");
    assert_eq!(ids(&database, "artists", Query::all()).await?, [1, 2, 3, 4]);
    Ok(())
}

pub(super) async fn not_null(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let message = "null value in column \"name\" of relation \"genres\" violates not-null constraint";
    for row in [r#"{"code":"x"}"#, r#"{"code":"x","name":null}"#] {
        let error = refused_saying(insert(&database, "genres", row).await, "23502", message);
        assert_eq!(details(&error), "Failing row contains (x, null).");
    }
    let query = Query::all().matching(Filter::eq("code", "a"));
    let update = update_returning("genres", r#"{"name":null}"#, query);
    refused_saying(database.send(update).await, "23502", message);
    Ok(())
}

pub(super) async fn checks(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let message = "new row for relation \"albums\" violates check constraint \"albums_price_check\"";
    let row = r#"{"id":7,"title":"x","price":-1}"#;
    let error = refused_saying(insert(&database, "albums", row).await, "23514", message);
    assert_eq!(
        details(&error),
        "Failing row contains (7, null, x, -1.00, null, {}, 2024-01-01 00:00:00+00)."
    );
    insert(&database, "albums", r#"{"title":"x","price":null}"#).await?;
    Ok(())
}

pub(super) async fn checks_of_domains(env: Env<DatabaseService>) -> Outcome {
    let sql = "create domain positive as int check (value > 0);
               create table sizes (id int primary key, size positive, check (size < 100));";
    let database = migrated(&env, "1_sizes.sql", sql).await?;
    let message = "value for domain positive violates check constraint \"positive_check\"";
    let error = refused_saying(insert(&database, "sizes", r#"{"id":1,"size":0}"#).await, "23514", message);
    assert_eq!(error.details(), None);
    insert(&database, "sizes", r#"[{"id":1,"size":1},{"id":2,"size":null}]"#).await?;
    let query = Query::all().matching(Filter::eq("id", "1"));
    let update = update_returning("sizes", r#"{"size":-1}"#, query);
    refused_saying(database.send(update).await, "23514", message);
    let own = "new row for relation \"sizes\" violates check constraint \"sizes_size_check\"";
    refused_saying(insert(&database, "sizes", r#"{"id":3,"size":100}"#).await, "23514", own);
    Ok(())
}

pub(super) async fn of_the_end_hold_before_an_undo(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table roots (id int primary key);
        create table leaves (id int primary key,
            root int references roots (id) deferrable initially deferred);";
    let database = migrated(&env, "1_deferred.sql", sql).await?;
    insert(&database, "roots", r#"{"id":1}"#).await?;
    let tried = |row: &str| {
        let mut tried = insert_returning("leaves", row);
        tried.options.transaction.rollback = true;
        database.send(tried)
    };
    let message = "insert or update on table \"leaves\" violates foreign key constraint \"leaves_root_fkey\"";
    refused_saying(tried(r#"{"id":1,"root":2}"#).await, "23503", message);
    assert_eq!(compact(&tried(r#"{"id":1,"root":1}"#).await?.body), r#"[{"id":1,"root":1}]"#);
    assert_eq!(read(&database, "leaves", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn cascades(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().matching(Filter::eq("id", "2"));
    assert_eq!(database.send(Delete::new(table("albums"), query)).await?.rows, 1);
    let links = read(&database, "album_genres", Query::all()).await?;
    assert_eq!(links, r#"[{"album_id":1,"genre_code":"a"}]"#);
    Ok(())
}

pub(super) async fn generated_columns(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let id = "00000000-0000-4000-8000-000000000001";
    let row = format!(r#"{{"id":"{id}","count":5}}"#);
    insert(&database, "defaults", &row).await?;
    let query = || Query::all().columns(&["count", "doubled"]).matching(Filter::eq("id", id));
    assert_eq!(read(&database, "defaults", query()).await?, r#"[{"count":5,"doubled":10}]"#);
    database.send(Update::new(table("defaults"), r#"{"count":6}"#.to_owned(), query())).await?;
    assert_eq!(read(&database, "defaults", query()).await?, r#"[{"count":6,"doubled":12}]"#);
    let message = "cannot insert a non-DEFAULT value into column \"doubled\"";
    refused_saying(insert(&database, "defaults", r#"{"doubled":1}"#).await, "428C9", message);
    Ok(())
}
