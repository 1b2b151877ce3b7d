//! Bodies that are opened when they are read, and replies that only their receiver's format allows to be so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use truststream_kernel::{Body, Error, Result};
use truststream_services::database::{
    DatabaseService, Filter, Insert, Media, OnConflict, Query, Returning, Select, Update,
};

use super::build::{QueryExt, compact, filled, insert, read, refused, table, update_returning};
use crate::{Env, Outcome};

/// A body of several chunks, and how often it was opened.
fn opened(chunks: &[&'static str], end: Option<Error>) -> (Body, Arc<AtomicUsize>) {
    let (chunks, opened) = (chunks.to_vec(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&opened);
    let broken = end.is_some();
    let body = Body::opened_by(None, move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let chunks: Vec<Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk))).collect();
        let end = broken.then(|| Err(Error::unavailable("the body is gone")));
        stream::iter(chunks.into_iter().chain(end)).boxed()
    });
    (body, opened)
}

fn whole(chunks: &[&'static str]) -> Body {
    opened(chunks, None).0
}

pub(super) async fn are_written_like_those_in_memory(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rows = whole(&[
        " [{\"code\":\"p\",\"na",
        "me\":\"Pop \\u00fc\"},{\"name\":",
        "\"Rock\",\"code\":\"r\"}",
        "]",
    ]);
    let mut added = Insert::new(table("genres"), rows);
    added.options.returning = Returning::Representation;
    let page = database.send(added).await?;
    assert_eq!(compact(&page.body), r#"[{"code":"p","name":"Pop ü"},{"code":"r","name":"Rock"}]"#);
    assert_eq!((page.rows, page.inserted), (2, Some(2)));
    // One object, keys that exist, and columns that are chosen.
    let conflict = Some(OnConflict { columns: None, merge: true });
    let merged = whole(&["{\"code\":\"p\",", "\"name\":\"Popular\",\"other\":1}"]);
    let columns = Some(vec!["code".to_owned(), "name".to_owned()]);
    database.send(Insert { on_conflict: conflict, columns, ..Insert::new(table("genres"), merged) }).await?;
    let one = Query::all().matching(Filter::eq("code", "p"));
    let mut changed = Update::new(table("genres"), whole(&["{\"name\":", "\"P\"}"]), one.clone());
    changed.options.returning = Returning::Representation;
    assert_eq!(compact(&database.send(changed).await?.body), r#"[{"code":"p","name":"P"}]"#);
    // What is read twice is opened twice.
    let (body, times) = opened(&["{\"name\":\"Q\"}"], None);
    for _ in 0..2 {
        let again = Update { values: body.clone(), ..update_returning("genres", "", one.clone()) };
        assert_eq!(compact(&database.send(again).await?.body), r#"[{"code":"p","name":"Q"}]"#);
    }
    assert!(times.load(Ordering::Relaxed) >= 2);
    Ok(())
}

pub(super) async fn that_are_wrong_leave_nothing(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let before = read(&database, "genres", Query::all().ordered(&["code"])).await?;
    for chunks in [
        &["[{\"code\":\"p\",\"name\":\"Pop\"},", "{"][..],
        &["[{\"code\":\"p\",\"name\":\"Pop\"},{\"code\":\"q\"}]"],
        &["[{\"code\":\"p\",\"name\":\"Pop\"}]", "]"],
        &["{\"code\":\"p\",\"name\":"],
    ] {
        refused(database.send(Insert::new(table("genres"), whole(chunks))).await, "PGRST102");
    }
    refused(
        database.send(Insert::new(table("genres"), whole(&["[{\"code\":\"p\",\"nom\":1}]"]))).await,
        "PGRST204",
    );
    let existing = whole(&["[{\"code\":\"p\",\"name\":\"Pop\"},", "{\"code\":\"a\",\"name\":\"again\"}]"]);
    refused(database.send(Insert::new(table("genres"), existing)).await, "23505");
    // A body that can't be read to its end.
    let (broken, _) = opened(&["[{\"code\":\"p\",\"name\":\"Pop\"},"], Some(Error::unavailable("")));
    assert!(database.send(Insert::new(table("genres"), broken)).await.is_err());
    assert_eq!(read(&database, "genres", Query::all().ordered(&["code"])).await?, before);
    Ok(())
}

pub(super) async fn of_replies_are_spooled_where_that_is_allowed(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let title = "ü".repeat(1_000);
    let rows: Vec<String> = (1_000..2_500).map(|id| format!(r#"{{"id":{id},"title":"{title}"}}"#)).collect();
    insert(&database, "albums", &format!("[{}]", rows.join(","))).await?;
    let query = Query::all().columns(&["id", "title"]).ordered(&["id"]);
    for media in [Media::Json, Media::Csv] {
        let mut select = Select::new(table("albums"), query.clone());
        select.format.media = media;
        let kept = database.send(select.clone()).await?;
        assert!(kept.spooled.is_none() && kept.body.len() > 2_000_000);
        select.format.spooled = true;
        let page = database.send(select.clone()).await?;
        assert_eq!((page.rows, page.total), (kept.rows, kept.total));
        let body = match &page.spooled {
            Some(spooled) => spooled.collect(usize::MAX).await?,
            None => page.body.clone(),
        };
        assert!(page.spooled.is_none() || page.body.is_empty());
        assert!(body == kept.body, "{} and {} bytes", body.len(), kept.body.len());
        // What is small comes as always.
        select.query.filter = Some(Filter::eq("id", "1"));
        let small = database.send(select).await?;
        assert!(small.spooled.is_none() && !small.body.is_empty());
    }
    Ok(())
}
