//! Inserts of rows whose key exists.

use truststream_services::database::{DatabaseService, Insert, OnConflict, Query};

use super::build::{QueryExt, compact, filled, insert_returning, read, refused, table};
use crate::{Env, Outcome};

fn upsert(name: &str, rows: &str, columns: Option<&[&str]>, merge: bool) -> Insert {
    let columns = columns.map(|columns| columns.iter().map(|column| (*column).to_owned()).collect());
    Insert { on_conflict: Some(OnConflict { columns, merge }), ..insert_returning(name, rows) }
}

pub(super) async fn merge(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let request =
        upsert("genres", r#"[{"code":"a","name":"changed"},{"code":"n","name":"new"}]"#, None, true);
    let page = database.send(request).await?;
    assert_eq!(compact(&page.body), r#"[{"code":"a","name":"changed"},{"code":"n","name":"new"}]"#);
    assert_eq!(page.rows, 2);
    assert!(page.inserted.is_none_or(|inserted| inserted == 1), "{:?}", page.inserted);
    let rows = read(&database, "genres", Query::all().ordered(&["code"])).await?;
    assert_eq!(
        rows,
        concat!(
            r#"[{"code":"a","name":"changed"},{"code":"j","name":"Jazz"},"#,
            r#"{"code":"n","name":"new"},{"code":"z","name":"Zydeco"}]"#
        )
    );
    // Columns that are not given keep their values.
    let mut partial = upsert("artists", r#"{"id":1,"name":"Eva"}"#, None, true);
    partial.query = Query::all().columns(&["id", "name", "country"]);
    let page = database.send(partial).await?;
    assert_eq!(compact(&page.body), r#"[{"id":1,"name":"Eva","country":"SE"}]"#);
    Ok(())
}

pub(super) async fn ignore(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let request =
        upsert("genres", r#"[{"code":"a","name":"changed"},{"code":"n","name":"new"}]"#, None, false);
    let page = database.send(request).await?;
    assert_eq!((page.rows, compact(&page.body).as_str()), (1, r#"[{"code":"n","name":"new"}]"#));
    let query = Query::all().matching(truststream_services::database::Filter::eq("code", "a"));
    assert_eq!(read(&database, "genres", query).await?, r#"[{"code":"a","name":"Ambient"}]"#);
    Ok(())
}

pub(super) async fn by_another_key(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rows = r#"{"name":"Ada","country":"FI"}"#;
    let mut request = upsert("artists", rows, Some(&["name"]), true);
    request.query = Query::all().columns(&["id", "country"]);
    assert_eq!(compact(&database.send(request).await?.body), r#"[{"id":1,"country":"FI"}]"#);
    // A conflict of another key than the named one is an error.
    refused(
        database.send(upsert("artists", r#"{"id":1,"name":"Zoe"}"#, Some(&["name"]), true)).await,
        "23505",
    );
    refused(database.send(upsert("artists", rows, Some(&["country"]), true)).await, "42P10");
    Ok(())
}

pub(super) async fn several_rows(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let twice = r#"[{"code":"q","name":"1"},{"code":"q","name":"2"}]"#;
    refused(database.send(upsert("genres", twice, None, true)).await, "21000");
    let mut links = upsert(
        "album_genres",
        r#"[{"album_id":1,"genre_code":"a"},{"album_id":1,"genre_code":"z"}]"#,
        None,
        true,
    );
    links.query = Query::all();
    assert_eq!(database.send(links).await?.rows, 2);
    let all = database
        .send(truststream_services::database::Select::new(table("album_genres"), Query::all()))
        .await?;
    assert_eq!(all.rows, 4);
    Ok(())
}
