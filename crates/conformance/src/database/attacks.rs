//! What was tried on systems like this one: names that are SQL, questions about what is hidden, bodies
//! that mean two things, callers taken for one another.

use std::time::Duration;

use futures::future::try_join_all;
use serde_json::json;
use truststream_kernel::Result;
use truststream_services::database::{
    Aggregate, AggregateFunction, Count, Database, DatabaseService, Delete, Embed, Field, Filter,
    FullTextParser, Insert, Item, JsonKey, JsonStep, OnConflict, Operator, Order, Query, Select, TableName,
    Update,
};

use super::build::{
    ALICE, BOB, QueryExt, as_role, ascending, compact, compare, embed, filled, ids, insert, insert_returning,
    read, ready, refused, signed_in, table, update_returning,
};
use crate::{Env, Outcome};

/// Names that would be something else if they were spliced.
const NAMES: &[&str] = &[
    "x\"; drop table albums; --",
    "id\" from vault; --",
    "1) or (1=1",
    "'||(select secret from vault)||'",
    "id/**/from/**/vault",
    "$where",
    "a.b",
];

/// That a name is told as unknown in the words for it, and the tables are still there.
async fn unknown(database: &Database, query: Query, code: &str) {
    refused(read(database, "albums", query).await, code);
}

fn path(key: &str, as_text: bool) -> Field {
    let step = JsonStep { key: JsonKey::Key(key.into()), as_text };
    Field { name: "facts".into(), path: vec![step] }
}

fn column(field: Field, cast: Option<&str>, aggregate: Option<AggregateFunction>) -> Item {
    let aggregate = aggregate.map(|function| Aggregate { function, cast: None });
    Item::Column { field, alias: Some("found".into()), cast: cast.map(str::to_owned), aggregate }
}

pub(super) async fn names_are_never_sql(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for name in NAMES {
        unknown(&database, Query::all().columns(&[name]), "42703").await;
        unknown(&database, Query::all().matching(Filter::eq(*name, "1")), "42703").await;
        unknown(&database, Query { order: vec![ascending(name)], ..Query::all() }, "42703").await;
        let cast = Query { items: vec![column(Field::column("title"), Some(name), None)], ..Query::all() };
        assert!(read(&database, "albums", cast).await.is_err(), "{name} is a type");
        let elsewhere = Select::new(TableName::new(*name, "albums"), Query::all());
        assert!(database.send(elsewhere).await.is_err(), "{name} is a schema");
        let chosen = Insert {
            columns: Some(vec![(*name).to_owned()]),
            ..Insert::new(table("genres"), r#"{"code":"n","name":"n"}"#)
        };
        refused(database.send(chosen).await, "PGRST204");
        let key = OnConflict { columns: Some(vec![(*name).to_owned()]), merge: true };
        let upsert =
            Insert { on_conflict: Some(key), ..Insert::new(table("genres"), r#"{"code":"a","name":"n"}"#) };
        assert!(database.send(upsert).await.is_err(), "{name} is a key");
    }
    assert_eq!(ids(&database, "albums", Query::all()).await?, [1, 2, 3, 4]);
    Ok(())
}

pub(super) async fn paths_and_aliases_are_never_sql(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for name in NAMES {
        for as_text in [false, true] {
            let shown = Query { items: vec![column(path(name, as_text), None, None)], ..Query::all() };
            let shown = shown.matching(Filter::eq("id", "1"));
            assert_eq!(read(&database, "albums", shown).await?, r#"[{"found":null}]"#, "{name}");
        }
        let mut equal = Filter::eq("facts", "1");
        if let Filter::Compare(comparison) = &mut equal {
            comparison.field = path(name, true);
        }
        assert_eq!(ids(&database, "albums", Query::all().matching(equal)).await?, [0; 0], "{name}");
        let by_path = Order { field: path(name, true), ..ascending("id") };
        let ordered = Query { order: vec![by_path, ascending("id")], ..Query::all() };
        assert_eq!(ids(&database, "albums", ordered).await?, [1, 2, 3, 4], "{name}");
    }
    for name in &NAMES[..5] {
        let alias = Item::Column {
            field: Field::column("id"),
            alias: Some((*name).to_owned()),
            cast: None,
            aggregate: None,
        };
        let aliased = Query { items: vec![alias], ..Query::all() }.matching(Filter::eq("id", "1"));
        let found = read(&database, "albums", aliased).await?;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&found)?, json!([{ *name: 1 }]));
    }
    Ok(())
}

pub(super) async fn relations_are_never_sql(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for name in NAMES {
        let of = |embed: Embed| Query { items: vec![Item::Embed(embed)], ..Query::all() };
        unknown(&database, of(embed(name, &["name"])), "PGRST200").await;
        let hinted = Embed { hint: Some((*name).to_owned()), ..embed("artists", &["name"]) };
        unknown(&database, of(hinted), "PGRST200").await;
        unknown(&database, of(embed("artists", &[name])), "42703").await;
    }
    assert_eq!(ids(&database, "albums", Query::all()).await?, [1, 2, 3, 4]);
    Ok(())
}

/// Longest that one hostile search may take on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for titles by an operator; what is asked is answered or refused, in time, and the database goes on.
async fn in_time(database: &Database, operator: Operator, text: &str) -> Result<()> {
    let asked = read(database, "albums", Query::all().matching(compare("title", operator, text)));
    let shown: String = text.chars().take(30).collect();
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    assert!(answered.is_ok(), "{shown} takes longer than {PATIENCE:?}");
    let first = Query { limit: Some(1), ..Query::all() }.ordered(&["id"]);
    let goes_on = tokio::time::timeout(PATIENCE, ids(database, "albums", first)).await;
    assert_eq!(goes_on.ok().transpose()?, Some(vec![1]), "after {shown}");
    Ok(())
}

/// Titles that backtracking engines need exponential time for.
async fn with_bait(env: &Env<DatabaseService>) -> Result<Database> {
    let database = filled(env).await?;
    let bait = format!("{}!", "a".repeat(60));
    let rows =
        json!([{ "id": 90, "artist_id": 1, "title": bait }, { "id": 91, "artist_id": 1, "title": "b" }]);
    insert(&database, "albums", &rows.to_string()).await?;
    Ok(database)
}

pub(super) async fn patterns_never_stall(env: Env<DatabaseService>) -> Outcome {
    let database = with_bait(&env).await?;
    let long = "(x?)".repeat(2_000);
    for pattern in [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a|a?)+$",
        "^(a*)*b$",
        "((a{1,50}){1,50}){1,50}",
        "a{1,100000}",
        "((((",
        &long,
    ] {
        in_time(&database, Operator::Match, pattern).await?;
        in_time(&database, Operator::Imatch, pattern).await?;
    }
    for pattern in ["%a%a%a%a%a%a%a%a%a%a%a%a%b", &"%_".repeat(500)] {
        in_time(&database, Operator::Like, pattern).await?;
    }
    Ok(())
}

pub(super) async fn searches_never_stall(env: Env<DatabaseService>) -> Outcome {
    let database = with_bait(&env).await?;
    let long = vec!["a"; 20_000].join(" & ");
    let deep = format!("{}a{}", "(".repeat(3_000), ")".repeat(3_000));
    let far = vec!["a"; 2_000].join(" <-> ");
    let negated = format!("{}a", "!".repeat(5_000));
    for text in [&long, &deep, &far, &negated, "a:*", "& | !", "'"] {
        for parser in [FullTextParser::Raw, FullTextParser::Plain, FullTextParser::Websearch] {
            in_time(&database, Operator::FullText(parser, None), text).await?;
        }
    }
    Ok(())
}

/// Notes of Alice (1) and Bob (2), neither of them shared.
async fn private(env: &Env<DatabaseService>) -> Result<Database> {
    let database = ready(env).await?;
    let rows = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"hers","shared":false}},
            {{"id":2,"owner":"{BOB}","body":"his","shared":false}}]"#
    );
    insert(&database, "notes", &rows).await?;
    Ok(database)
}

pub(super) async fn what_is_hidden_answers_no_question(env: Env<DatabaseService>) -> Outcome {
    let database = private(&env).await?;
    let alice = signed_in(&database, ALICE);
    for guess in [
        compare("body", Operator::Eq, "his"),
        compare("body", Operator::Gte, "hi"),
        compare("owner", Operator::Eq, BOB),
        compare("id", Operator::Gt, "1"),
        Filter::Not(Box::new(Filter::eq("id", "1"))),
    ] {
        let query = || Query::all().matching(guess.clone());
        let none = ids(&alice, "notes", query()).await?;
        assert_eq!(none, [0; 0], "{guess:?}");
        let mut counted = Select::new(table("notes"), query());
        counted.count = Some(Count::Exact);
        assert_eq!(alice.send(counted).await?.total, Some(0), "{guess:?}");
        let changed = alice.send(update_returning("notes", r#"{"body":"seen"}"#, query())).await?;
        assert_eq!((changed.rows, compact(&changed.body).as_str()), (0, "[]"), "{guess:?}");
        assert_eq!(alice.send(Delete::new(table("notes"), query())).await?.rows, 0, "{guess:?}");
    }
    let bodies = read(&database, "notes", Query::all().columns(&["body"]).ordered(&["id"])).await?;
    assert_eq!(bodies, r#"[{"body":"hers"},{"body":"his"}]"#);
    Ok(())
}

pub(super) async fn groups_count_what_is_seen(env: Env<DatabaseService>) -> Outcome {
    let database = private(&env).await?;
    let items = vec![
        Item::Count { alias: None, cast: None },
        column(Field::column("body"), None, Some(AggregateFunction::Max)),
    ];
    let query = Query { items, ..Query::all() };
    let found = read(&signed_in(&database, ALICE), "notes", query.clone()).await?;
    assert_eq!(found, r#"[{"count":1,"found":"hers"}]"#);
    let found = read(&as_role(&database, "anon"), "notes", query).await?;
    assert_eq!(found, r#"[{"count":0,"found":null}]"#);
    Ok(())
}

pub(super) async fn writes_tell_nothing_of_rows_they_may_not_make(env: Env<DatabaseService>) -> Outcome {
    let database = private(&env).await?;
    let alice = signed_in(&database, ALICE);
    // The first is there, the second is not: one answer for both.
    for id in [2, 20] {
        for merge in [None, Some(true), Some(false)] {
            let row = format!(r#"{{"id":{id},"owner":"{BOB}","body":"x","shared":false}}"#);
            let on_conflict = merge.map(|merge| OnConflict { columns: None, merge });
            let written = alice.send(Insert { on_conflict, ..insert_returning("notes", &row) }).await;
            let error = refused(written, "42501");
            assert!(error.details().is_none(), "{error:?}");
        }
    }
    assert_eq!(ids(&database, "notes", Query::all()).await?, [1, 2]);
    Ok(())
}

pub(super) async fn bodies_mean_one_thing(env: Env<DatabaseService>) -> Outcome {
    let database = private(&env).await?;
    let alice = signed_in(&database, ALICE);
    // Of a member that comes twice the last one counts, for policies as for what is stored.
    let twice = format!(r#"{{"id":3,"owner":"{ALICE}","owner":"{BOB}","body":"x","shared":false}}"#);
    refused(insert(&alice, "notes", &twice).await, "42501");
    let twice =
        format!(r#"{{"id":3,"owner":"{BOB}","owner":"{ALICE}","body":"x","body":"y","shared":false}}"#);
    insert(&alice, "notes", &twice).await?;
    let query = Query::all().columns(&["body"]).matching(Filter::eq("id", "3"));
    assert_eq!(read(&alice, "notes", query).await?, r#"[{"body":"y"}]"#);
    let nul = format!(r#"{{"id":4,"owner":"{ALICE}","body":"a\u0000b","shared":false}}"#);
    refused(insert(&alice, "notes", &nul).await, "22P05");
    let mine = || Query::all().matching(Filter::eq("id", "1"));
    let given = Update::new(table("notes"), format!(r#"{{"owner":"{ALICE}","owner":"{BOB}"}}"#), mine());
    refused(alice.send(given).await, "42501");
    assert_eq!(ids(&alice, "notes", Query::all()).await?, [1, 3]);
    Ok(())
}

pub(super) async fn callers_are_never_taken_for_one_another(env: Env<DatabaseService>) -> Outcome {
    let database = private(&env).await?;
    let callers = [signed_in(&database, ALICE), signed_in(&database, BOB), as_role(&database, "anon")];
    let seen = |caller: &Database| {
        let caller = caller.clone();
        async move { ids(&caller, "notes", Query::all()).await }
    };
    // The same request, in turns and at once, with requests that fail between.
    for _ in 0..3 {
        assert_eq!(seen(&callers[0]).await?, [1]);
        refused(insert(&callers[0], "notes", r#"{"id":"x"}"#).await, "22P02");
        assert_eq!(seen(&callers[2]).await?, [0; 0]);
        assert_eq!(seen(&callers[1]).await?, [2]);
    }
    let at_once = try_join_all(callers.iter().cycle().take(30).map(seen)).await?;
    for (at, found) in at_once.iter().enumerate() {
        let expected: &[i64] = [&[1], &[2], &[] as &[i64]][at % 3];
        assert_eq!(found, expected);
    }
    Ok(())
}
