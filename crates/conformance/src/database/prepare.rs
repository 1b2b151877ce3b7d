//! Making ready to receive another database.

use std::sync::Arc;

use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Database, DatabaseService, Filter, Migrations, Position, Prepare,
    PrepareClaimed, Query,
};

use super::build::{QueryExt, filled, ids, insert, insert_returning, ready, refused, table};
use super::scanning::scan_all;
use crate::{Env, Outcome};

async fn begin(source: &Database, target: &Database) -> Result<()> {
    let migrations = source.send(Migrations).await?;
    target.send(Prepare::Begin { migrations }).await
}

async fn copy(source: &Database, target: &Database, name: &str, key: &[&str]) -> Result<Applied> {
    let (rows, _) = scan_all(source, name, key, 100).await?;
    let rows = vec![(table(name), rows)];
    let origin = format!("copy/{name}");
    target.send(Apply { origin, expected: None, position: None, rows, changes: Vec::new() }).await
}

pub(super) async fn rows_arrive_in_any_order(env: Env<DatabaseService>) -> Outcome {
    let source = filled(&env).await?;
    let target = env.another().await?;
    begin(&source, &target).await?;
    // Children before their parents: foreign keys wait for the end.
    copy(&source, &target, "album_genres", &["album_id", "genre_code"]).await?;
    copy(&source, &target, "albums", &["id"]).await?;
    copy(&source, &target, "genres", &["code"]).await?;
    copy(&source, &target, "artists", &["id"]).await?;
    target.send(Prepare::Finish).await?;
    for (name, key) in
        [("artists", &["id"][..]), ("albums", &["id"]), ("album_genres", &["album_id", "genre_code"])]
    {
        assert_eq!(
            scan_all(&target, name, key, 10).await?.0,
            scan_all(&source, name, key, 10).await?.0,
            "{name}"
        );
    }
    // Afterwards all rules hold again.
    refused(insert(&target, "albums", r#"{"id":9,"artist_id":99,"title":"x"}"#).await, "23503");
    refused(insert(&target, "artists", r#"{"id":9,"name":"Ada"}"#).await, "23505");
    Ok(())
}

pub(super) async fn a_database_with_rows_is_refused(env: Env<DatabaseService>) -> Outcome {
    let source = ready(&env).await?;
    let target = env.another().await?;
    super::build::migrate(&target).await?;
    insert(&target, "genres", r#"{"code":"a","name":"kept"}"#).await?;
    assert!(begin(&source, &target).await.is_err());
    let kept = Query::all().matching(Filter::eq("code", "a"));
    assert_eq!(super::build::read(&target, "genres", kept).await?, r#"[{"code":"a","name":"kept"}]"#);
    Ok(())
}

pub(super) async fn identities_go_on_after_the_largest(env: Env<DatabaseService>) -> Outcome {
    let source = ready(&env).await?;
    let target = env.another().await?;
    begin(&source, &target).await?;
    let columns: Arc<[String]> = ["id", "name", "country", "born", "feels"].map(str::to_owned).into();
    let values =
        vec![Value::Int(500), Value::Text("n".into()), Value::Null, Value::Null, Value::Text("ok".into())];
    let rows = vec![(table("artists"), vec![Row { columns, values }])];
    target
        .send(Apply { origin: "copy".into(), expected: None, position: None, rows, changes: Vec::new() })
        .await?;
    target.send(Prepare::Finish).await?;
    let mut next = insert_returning("artists", r#"{"name":"next"}"#);
    next.query = Query::all().columns(&["id"]);
    target.send(next).await?;
    let found = ids(&target, "artists", Query::all()).await?;
    assert!(found.len() == 2 && found[1] > 500, "{found:?}");
    Ok(())
}

/// Who may prepare a database, and where the stream stands that says so.
struct Claims<'a> {
    target: &'a Database,
}

impl Claims<'_> {
    const ORIGIN: &'static str = "project/prepare";

    async fn take(&self, from: Option<u64>, to: u64) -> Result<Applied> {
        let (origin, expected) = (Self::ORIGIN.to_owned(), from.map(Position::Sequence));
        let position = Some(Position::Sequence(to));
        self.target.send(Apply { origin, expected, position, rows: Vec::new(), changes: Vec::new() }).await
    }

    async fn asks(&self, at: u64, step: Prepare) -> Result<Applied> {
        let (origin, expected) = (Self::ORIGIN.to_owned(), Position::Sequence(at));
        self.target.send(PrepareClaimed { origin, expected, step }).await
    }
}

pub(super) async fn what_is_asked_for_late_is_not_done(env: Env<DatabaseService>) -> Outcome {
    let source = filled(&env).await?;
    let target = env.another().await?;
    let claims = Claims { target: &target };
    let migrations = source.send(Migrations).await?;
    let begin = || Prepare::Begin { migrations: migrations.clone() };
    assert_eq!(claims.asks(1, begin()).await?, Applied::Stale, "nobody has taken it");
    assert_eq!(claims.take(None, 1).await?, Applied::Done);
    assert_eq!(claims.asks(1, begin()).await?, Applied::Done);
    assert_eq!(claims.take(Some(1), 2).await?, Applied::Done);
    copy(&source, &target, "artists", &["id"]).await?;
    let rows = async || ids(&target, "artists", Query::all()).await;
    let copied = rows().await?;
    for step in [begin(), Prepare::Discard, Prepare::Keep, Prepare::Finish] {
        assert_eq!(claims.asks(1, step).await?, Applied::Stale);
    }
    assert!(!copied.is_empty() && rows().await? == copied, "{copied:?}");
    // Whoever has it goes on with it, although all else is forgotten.
    assert_eq!(claims.asks(2, Prepare::Discard).await?, Applied::Done);
    let stands = target.send(AppliedPosition { origin: Claims::ORIGIN.to_owned() }).await?;
    assert_eq!(stands, Some(Position::Sequence(2)));
    // With its table, where that was made by what was begun.
    assert!(rows().await.map_or(true, |left| left.is_empty()));
    assert_eq!(claims.take(None, 3).await?, Applied::Stale);
    assert_eq!(claims.asks(2, begin()).await?, Applied::Done);
    assert_eq!(rows().await?, Vec::<i64>::new());
    Ok(())
}
