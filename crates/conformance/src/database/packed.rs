//! Rows in a form of the engine's own.

use truststream_kernel::{ErrorKind, Value};
use truststream_services::database::{
    Applied, Apply, Database, DatabaseService, Load, Packing, Position, Query, Scan, Unload,
};

use super::build::{QueryExt, filled, ids, insert, table};
use super::scanning::scan_all;
use crate::{Env, Outcome};

const TABLES: [(&str, &[&str]); 3] =
    [("albums", &["id"]), ("album_genres", &["album_id", "genre_code"]), ("odd \"names\"", &["primary"])];

fn load(name: &str, packing: &str, unloaded: bytes::Bytes) -> Load {
    Load {
        origin: "test/copy".into(),
        expected: Some(Position::Sequence(1)),
        table: table(name),
        packing: packing.to_owned(),
        bytes: unloaded,
    }
}

async fn packing(database: &Database, name: &str) -> truststream_kernel::Result<Option<String>> {
    database.send(Packing { table: table(name) }).await
}

pub(super) async fn rows_in_an_engines_own_form_are_the_same_rows(env: Env<DatabaseService>) -> Outcome {
    let source = filled(&env).await?;
    let target = env.another().await?;
    super::build::migrate(&target).await?;
    let rows = (100..150).map(|id| {
        let title = if id % 2 == 0 { "tab\\tand \\\"quote\\\" and ü" } else { "" };
        format!(
            r#"{{"id":{id},"title":"{title}","price":{id}.50,"labels":["a","b,c"],"facts":{{"n":null}}}}"#
        )
    });
    insert(&source, "albums", &format!("[{}]", rows.collect::<Vec<_>>().join(","))).await?;
    insert(&source, "odd \"names\"", r#"{"primary":1,"two words":"a","UPPER":null}"#).await?;
    let Some(form) = packing(&source, "albums").await? else {
        let refused = source.send(Unload(Scan::new(table("albums"), None, 10))).await;
        assert_eq!(refused.map_err(|error| error.kind()).err(), Some(ErrorKind::Unsupported));
        return Ok(());
    };
    assert_eq!(packing(&target, "albums").await?, Some(form.clone()));
    assert_eq!(packing(&source, "artists").await?, None, "an enum is known to one database only");
    let begin = Apply {
        origin: "test/copy".into(),
        expected: None,
        position: Some(Position::Sequence(1)),
        rows: Vec::new(),
        changes: Vec::new(),
    };
    assert_eq!(target.send(begin).await?, Applied::Done);
    for (name, key) in TABLES {
        let Some(form) = packing(&source, name).await? else { panic!("{name} has no form") };
        let (mut after, mut count) = (None, 0);
        loop {
            let packed = source.send(Unload(Scan::new(table(name), after, 20))).await?;
            count += packed.rows;
            // What comes twice replaces what is there.
            for _ in 0..2 {
                assert_eq!(target.send(load(name, &form, packed.bytes.clone())).await?, Applied::Done);
            }
            let Some(next) = packed.next else { break };
            after = Some(next);
        }
        let rows = scan_all(&source, name, key, 100).await?.0;
        assert_eq!((count, scan_all(&target, name, key, 100).await?.0), (rows.len() as u64, rows), "{name}");
    }
    Ok(())
}

pub(super) async fn rows_in_an_engines_own_form_have_bounds_and_a_stream(
    env: Env<DatabaseService>,
) -> Outcome {
    let source = filled(&env).await?;
    let Some(form) = packing(&source, "albums").await? else {
        let nowhere = source.send(load("albums", "none", bytes::Bytes::new())).await;
        assert_eq!(nowhere.map_err(|error| error.kind()).err(), Some(ErrorKind::Unsupported));
        return Ok(());
    };
    let rows: Vec<String> = (100..125).map(|id| format!(r#"{{"id":{id},"title":"t"}}"#)).collect();
    insert(&source, "albums", &format!("[{}]", rows.join(","))).await?;
    let key = |id: i64| Some(vec![Value::Int(id)]);
    let between = Scan { until: key(113), ..Scan::new(table("albums"), key(110), 10) };
    let packed = source.send(Unload(between)).await?;
    assert_eq!((packed.rows, packed.next), (3, None));
    let target = env.another().await?;
    super::build::migrate(&target).await?;
    // The stream stands nowhere yet: somebody else may write.
    assert_eq!(target.send(load("albums", &form, packed.bytes.clone())).await?, Applied::Stale);
    let free = Load { expected: None, ..load("albums", &form, packed.bytes.clone()) };
    let other = Load { packing: "something else".into(), ..free.clone() };
    let other = target.send(other).await;
    assert_eq!(other.map_err(|error| error.kind()).err(), Some(ErrorKind::Conflict));
    assert_eq!(target.send(free).await?, Applied::Done);
    assert_eq!(ids(&target, "albums", Query::all().ordered(&["id"])).await?, [111, 112, 113]);
    Ok(())
}
