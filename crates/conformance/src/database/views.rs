//! Views: read like tables, with the rights of their owner or of who asks.

use truststream_services::database::{DatabaseService, Delete, Describe, Filter, Query, Returning};

use super::build::{
    ALICE, BOB, QueryExt, as_role, compact, ids, insert, insert_returning, migrated, read, refused,
    refused_saying, signed_in, table, update_returning,
};
use super::routines::programmed;
use crate::{Env, Outcome};

pub(super) async fn are_read_like_tables(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(
        read(&database, "prices_by_artist", Query::all().ordered(&["artist_id"])).await?,
        r#"[{"artist_id":1,"spent":21.50,"pieces":2},{"artist_id":2,"spent":null,"pieces":1},{"artist_id":null,"spent":0.99,"pieces":1}]"#
    );
    let query = Query::all().columns(&["id", "cost", "loud"]).ordered(&["cost"]);
    assert_eq!(
        read(&database, "titles", query.matching(Filter::eq("artist_id", "1"))).await?,
        r#"[{"id":1,"cost":9.50,"loud":"ONE!"},{"id":2,"cost":12.00,"loud":"TWO!"}]"#
    );
    let swedes = Query::all().columns(&["name"]).ordered(&["name"]);
    assert_eq!(read(&database, "swedes", swedes).await?, r#"[{"name":"Ada"},{"name":"D%_x"}]"#);
    refused(read(&database, "titles", Query::all().columns(&["price"])).await, "42703");
    Ok(())
}

/// Dumps make keys after the views that show them.
pub(super) async fn have_the_keys_of_their_tables(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table plans (id int, name text);
        create table steps (id int primary key, at int);
        create view shown_plans as select name, id as number from plans;
        create view pairs as select p.id as plan, s.id as step from plans p join steps s on s.at = p.id;
        alter table only plans add constraint plans_pkey primary key (id);";
    let database = migrated(&env, "1_plans.sql", sql).await?;
    let catalog = database.send(Describe::default()).await?;
    let key = |name: &str| catalog.table(&table(name)).map(|view| view.primary_key.clone());
    assert_eq!(key("shown_plans"), Some(vec!["number".to_owned()]));
    let mut pairs = key("pairs").unwrap_or_default();
    pairs.sort();
    assert_eq!(pairs, ["plan", "step"]);
    let mut first = insert_returning("shown_plans", r#"{"number":7,"name":"x"}"#);
    first.options.returning = Returning::HeadersOnly;
    let location = database.send(first).await?.location;
    let [(name, _)] = location.as_slice() else { panic!("{location:?}") };
    assert_eq!(name, "number");
    Ok(())
}

pub(super) async fn are_embedded_by_the_keys_of_their_tables(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let query = Query::all().columns(&["title"]).ordered(&["id"]).embedding("artists", &["name"]);
    assert_eq!(
        read(&database, "titles", query).await?,
        r#"[{"title":"One","artists":{"name":"Ada"}},{"title":"Two","artists":{"name":"Ada"}},{"title":"Three","artists":{"name":"Bo"}}]"#
    );
    let query = Query::all().columns(&["name"]).ordered(&["name"]).embedding("titles", &["title"]);
    assert_eq!(
        read(&database, "swedes", query).await?,
        r#"[{"name":"Ada","titles":[{"title":"One"},{"title":"Two"}]},{"name":"D%_x","titles":[]}]"#
    );
    Ok(())
}

const LETTERS: &str = "
    create table letters (id int primary key, owner uuid, kind text not null, body text);
    alter table letters enable row level security;
    create policy sees on letters for select using (owner = auth.uid() and kind = 'open');
    create policy adds on letters for insert with check (kind <> 'shut');
    create policy changes on letters for update using (owner = auth.uid()) with check (true);
    create policy drops on letters for delete using (owner = auth.uid());
    create view drafts with (security_invoker = on) as
      select id, owner, kind, body from letters where kind <> 'gone';
    grant select, insert, update, delete on letters, drafts to authenticated;
";

/// Rows need not be readable for what names none of them and wants nothing back, also where the view itself
/// looks at them.
pub(super) async fn are_written_by_policies_of_what_is_done(env: Env<DatabaseService>) -> Outcome {
    let database = migrated(&env, "1_letters.sql", LETTERS).await?;
    let row = |id: i32, owner: &str, kind: &str| {
        format!(r#"{{"id":{id},"owner":"{owner}","kind":"{kind}","body":"-"}}"#)
    };
    let rows = [row(1, ALICE, "open"), row(2, ALICE, "kept"), row(3, BOB, "open"), row(4, ALICE, "gone")];
    insert(&database, "letters", &format!("[{}]", rows.join(","))).await?;
    let alice = signed_in(&database, ALICE);
    for (at, name) in (10..).step_by(10).zip(["letters", "drafts"]) {
        let adds = |returning: Returning, at: i32, owner: &str| {
            let mut adds = insert_returning(name, &row(at, owner, "open"));
            adds.options.returning = returning;
            adds
        };
        alice.send(adds(Returning::Minimal, at, BOB)).await?;
        alice.send(adds(Returning::Representation, at + 1, ALICE)).await?;
        alice.send(adds(Returning::HeadersOnly, at + 2, ALICE)).await?;
        refused(alice.send(adds(Returning::Representation, at + 3, BOB)).await, "42501");
        refused(alice.send(adds(Returning::HeadersOnly, at + 3, BOB)).await, "42501");
        refused(insert(&alice, name, &row(at + 3, ALICE, "shut")).await, "42501");
    }
    let changes = |query: Query, returning: Returning, values: &str| {
        let mut changes = update_returning("drafts", values, query);
        changes.options.returning = returning;
        changes
    };
    // Those of hers but the one that the view does not show: 1, 2, 11, 12, 21, 22.
    let all = || Query::all();
    let body = r#"{"body":"x"}"#;
    assert_eq!(alice.send(changes(all(), Returning::Minimal, body)).await?.rows, 6);
    assert_eq!(alice.send(changes(all(), Returning::HeadersOnly, body)).await?.rows, 5);
    assert_eq!(alice.send(changes(all(), Returning::Representation, body)).await?.rows, 5);
    let named = all().matching(Filter::eq("kind", "kept"));
    assert_eq!(alice.send(changes(named, Returning::Minimal, body)).await?.rows, 0);
    // What nobody reads may go out of sight.
    let kept = r#"{"kind":"kept"}"#;
    let one = || all().matching(Filter::eq("id", "12"));
    refused(alice.send(changes(one(), Returning::Minimal, kept)).await, "42501");
    assert_eq!(alice.send(changes(all(), Returning::Minimal, kept)).await?.rows, 6);
    let delete = |returning: Returning| {
        let mut delete = Delete::new(table("drafts"), all());
        delete.options.returning = returning;
        delete
    };
    assert_eq!(alice.send(delete(Returning::Representation)).await?.rows, 0);
    assert_eq!(alice.send(delete(Returning::HeadersOnly)).await?.rows, 0);
    assert_eq!(alice.send(delete(Returning::Minimal)).await?.rows, 6);
    assert_eq!(ids(&database, "letters", all()).await?, [3, 4, 10, 20]);
    Ok(())
}

pub(super) async fn have_the_rights_they_were_made_with(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let notes = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"a","shared":false}},{{"id":2,"owner":"{BOB}","body":"b","shared":false}},{{"id":3,"owner":"{BOB}","body":"c","shared":true}}]"#
    );
    insert(&database, "notes", &notes).await?;
    let alice = signed_in(&database, ALICE);
    let bodies = || Query::all().columns(&["body"]).ordered(&["id"]);
    let all = r#"[{"body":"a"},{"body":"b"},{"body":"c"}]"#;
    assert_eq!(read(&alice, "note_bodies", bodies()).await?, all);
    assert_eq!(read(&as_role(&database, "anon"), "note_bodies", bodies()).await?, all);
    assert_eq!(read(&alice, "own_notes", bodies()).await?, r#"[{"body":"a"},{"body":"c"}]"#);
    assert_eq!(read(&as_role(&database, "anon"), "own_notes", bodies()).await?, r#"[{"body":"c"}]"#);
    assert_eq!(read(&database, "own_notes", bodies()).await?, all);
    let denied = "permission denied for view titles";
    refused_saying(read(&alice, "titles", Query::all()).await, "42501", denied);
    Ok(())
}

/// A query within a column counts rows of its own: the view still shows rows of one table.
pub(super) async fn are_written_beside_what_they_count(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table writers (id int primary key, name text);
        create table poems (id int primary key, writer_id int references writers, title text);
        create view counted as select id, name,
          (select count(*) from poems where poems.writer_id = writers.id) as poems,
          'count(' || name || ')' as label from writers;
        create view merely_counted as select count(*) as id from writers;";
    let database = migrated(&env, "1_writers.sql", sql).await?;
    insert(&database, "counted", r#"[{"id":1,"name":"Ada"},{"id":2,"name":"Bo"}]"#).await?;
    insert(&database, "poems", r#"{"id":1,"writer_id":1,"title":"One"}"#).await?;
    let first = || Query::all().matching(Filter::eq("id", "1"));
    let changed = database.send(update_returning("counted", r#"{"name":"Eve"}"#, first())).await?;
    assert_eq!(compact(&changed.body), r#"[{"id":1,"name":"Eve","poems":1,"label":"count(Eve)"}]"#);
    refused(database.send(update_returning("counted", r#"{"poems":2}"#, first())).await, "0A000");
    let second = Query::all().matching(Filter::eq("poems", "0"));
    assert_eq!(database.send(Delete::new(table("counted"), second)).await?.rows, 1);
    assert_eq!(ids(&database, "writers", Query::all()).await?, [1]);
    refused(insert(&database, "merely_counted", r#"{"id":1}"#).await, "55000");
    Ok(())
}
