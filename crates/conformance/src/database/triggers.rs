//! Triggers for each row.

use truststream_services::database::{DatabaseService, Delete, Filter, Query, Update};

use super::build::{
    ALICE, QueryExt, compact, ids, insert, insert_returning, read, refused_saying, table, update_returning,
};
use super::routines::{call, programmed};
use crate::{Env, Outcome};

pub(super) async fn change_the_row_before_it_is_written(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let mut first = insert_returning("posts", r#"{"id":1,"title":"Hello World","slug":"given"}"#);
    first.query = Query::all().columns(&["slug", "state", "changes"]);
    let page = database.send(first).await?;
    assert_eq!(compact(&page.body), r#"[{"slug":"hello-world","state":"draft","changes":0}]"#);
    // What a constraint demands may come from the trigger.
    insert(
        &database,
        "posts",
        r#"[{"id":2,"title":"Two","state":"new"},{"id":3,"title":"Three","state":"spam"}]"#,
    )
    .await?;
    let shown = Query::all().columns(&["id", "slug", "state"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "posts", shown).await?,
        r#"[{"id":1,"slug":"hello-world","state":"draft"},{"id":2,"slug":"two","state":"NEW"}]"#
    );
    let silly = insert(&database, "posts", r#"{"id":4,"title":"x","state":"silly"}"#).await;
    refused_saying(silly, "23514", "post 4 can't be silly");
    assert_eq!(
        call(&database, "add_post", r#"{"id":5,"title":"By A Function"}"#).await?,
        r#""by-a-function""#
    );
    Ok(())
}

pub(super) async fn fire_on_the_updates_they_are_for(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    insert(&database, "posts", r#"{"id":1,"title":"A"}"#).await?;
    let change = |values: &str| {
        let shown = Query::all().columns(&["changes", "title"]).matching(Filter::eq("id", "1"));
        database.send(update_returning("posts", values, shown))
    };
    assert_eq!(compact(&change(r#"{"words":3}"#).await?.body), r#"[{"changes":0,"title":"A"}]"#);
    assert_eq!(compact(&change(r#"{"title":"A"}"#).await?.body), r#"[{"changes":0,"title":"A"}]"#);
    assert_eq!(compact(&change(r#"{"title":"B","words":4}"#).await?.body), r#"[{"changes":1,"title":"B"}]"#);
    let stamped = Query::all().matching(Filter::eq("changed_at", "-infinity").negated());
    assert_eq!(ids(&database, "posts", stamped).await?, [1]);
    assert!(call(&database, "publish", r#"{"post":1}"#).await?.contains(r#""changes":1"#));
    Ok(())
}

pub(super) async fn write_elsewhere_after_it(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    insert(&database, "posts", r#"[{"id":1,"title":"A"},{"id":2,"title":"B"}]"#).await?;
    let only = |id: &str| Query::all().matching(Filter::eq("id", id));
    for title in ["C", "D"] {
        database.send(Update::new(table("posts"), format!(r#"{{"title":"{title}"}}"#), only("1"))).await?;
    }
    let secret = Update::new(table("posts"), r#"{"title":"Secret"}"#.to_owned(), only("2"));
    refused_saying(database.send(secret).await, "P0001", "not this title");
    database.send(Update::new(table("posts"), r#"{"state":"PUBLISHED"}"#.to_owned(), only("2"))).await?;
    refused_saying(database.send(Delete::new(table("posts"), only("2"))).await, "P0001", "published");
    database.send(Delete::new(table("posts"), only("1"))).await?;
    assert_eq!(
        read(&database, "history", Query::all().columns(&["post", "what"]).ordered(&["id"])).await?,
        r#"[{"post":1,"what":"insert: A!"},{"post":2,"what":"insert: B"},{"post":1,"what":"update: C!"},{"post":1,"what":"update: D!"},{"post":2,"what":"update: B"},{"post":1,"what":"gone: D"}]"#
    );
    insert(&database, "accounts", &format!(r#"[{{"id":"{ALICE}","meta":{{"name":"Alice"}}}}]"#)).await?;
    let profiles = read(&database, "profiles", Query::all().columns(&["id", "name"])).await?;
    assert_eq!(profiles, format!(r#"[{{"id":"{ALICE}","name":"Alice"}}]"#));
    Ok(())
}
