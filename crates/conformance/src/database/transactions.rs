//! Transactions that stay open over several requests.

use std::time::Duration;

use serde_json::json;
use truststream_kernel::Context;
use truststream_services::database::{
    Batch, Begin, Database, DatabaseFeature, DatabaseService, Filter, Insert, Isolation, OpenTransaction,
    Page, Query, Select, Step, Update,
};

use super::build::{
    ALICE, BOB, QueryExt, compact, filled, insert_returning, migrated, read, refused, signed_in, table,
};
use super::routines::call;
use crate::{Env, Outcome};

async fn begin(
    database: &Database,
    isolation: Option<Isolation>,
) -> truststream_kernel::Result<OpenTransaction> {
    database.send(Begin { isolation, read_only: false }).await
}

fn genre(code: &str) -> Step {
    insert_returning("genres", &json!({ "code": code, "name": code }).to_string()).into()
}

fn genres() -> Step {
    Select::new(table("genres"), Query::all().columns(&["code"]).ordered(&["code"])).into()
}

fn rename(code: &str, name: &str) -> Step {
    let query = Query::all().matching(Filter::eq("code", code));
    Update::new(table("genres"), json!({ "name": name }).to_string(), query).into()
}

async fn codes(database: &Database) -> truststream_kernel::Result<String> {
    read(database, "genres", Query::all().columns(&["code"]).ordered(&["code"])).await
}

const THREE: &str = r#"[{"code":"a"},{"code":"j"},{"code":"z"}]"#;
const FOUR: &str = r#"[{"code":"a"},{"code":"j"},{"code":"x"},{"code":"z"}]"#;

pub(super) async fn see_their_own_steps_and_commit_them(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cx = Context::system();
    let mut open = begin(&database, None).await?;
    let page = open.step(&cx, &genre("x")).await?.unwrap_or_default();
    assert_eq!((page.rows, compact(&page.body).as_str()), (1, r#"[{"code":"x","name":"x"}]"#));
    let within = open.step(&cx, &genres()).await?.unwrap_or_default();
    assert_eq!(compact(&within.body), FOUR);
    let apart = database.stack().features().supported().has(DatabaseFeature::Snapshots);
    if apart {
        assert_eq!(codes(&database).await?, THREE, "nobody else sees it yet");
    }
    open.commit().await?;
    assert_eq!(codes(&database).await?, FOUR);
    Ok(())
}

pub(super) async fn leave_nothing_unless_committed(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cx = Context::system();
    let mut open = begin(&database, None).await?;
    open.step(&cx, &genre("x")).await?;
    open.rollback().await?;
    assert_eq!(codes(&database).await?, THREE);
    let mut dropped = begin(&database, None).await?;
    dropped.step(&cx, &genre("x")).await?;
    drop(dropped);
    // Others go on at once.
    database.send(Insert::new(table("genres"), r#"{"code":"x","name":"after"}"#)).await?;
    assert_eq!(codes(&database).await?, FOUR);
    Ok(())
}

pub(super) async fn end_after_a_step_that_failed(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cx = Context::system();
    let mut open = begin(&database, None).await?;
    open.step(&cx, &genre("x")).await?;
    refused(open.step(&cx, &genre("a")).await, "23505");
    refused(open.step(&cx, &genre("y")).await, "25P02");
    refused(open.commit().await, "25P02");
    assert_eq!(codes(&database).await?, THREE);
    Ok(())
}

pub(super) async fn act_for_the_caller_of_each_step(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let alice = signed_in(&database, ALICE).context().clone();
    let secret = Step::from(Select::new(table("genres"), Query::all()));
    let mut open = begin(&database, None).await?;
    open.step(&Context::system(), &secret).await?;
    let note = json!({ "id": 1, "owner": ALICE, "body": "hers" }).to_string();
    open.step(&alice, &Insert::new(table("notes"), note).into()).await?;
    let mine = open.step(&alice, &Select::new(table("notes"), Query::all().columns(&["id"])).into()).await?;
    assert_eq!(mine.unwrap_or_default().rows, 1);
    open.step(&Context::system(), &genre("x")).await?;
    let theirs = Insert::new(table("notes"), json!({ "id": 2, "owner": BOB, "body": "b" }).to_string());
    refused(open.step(&alice, &theirs.into()).await, "42501");
    open.rollback().await?;
    assert_eq!(codes(&database).await?, THREE);
    Ok(())
}

pub(super) async fn of_reads_see_one_moment(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cx = Context::system();
    let begin = Begin { isolation: Some(Isolation::RepeatableRead), read_only: true };
    let mut open = database.send(begin).await?;
    assert_eq!(compact(&open.step(&cx, &genres()).await?.unwrap_or_default().body), THREE);
    database.send(Insert::new(table("genres"), r#"{"code":"x","name":"x"}"#)).await?;
    assert_eq!(compact(&open.step(&cx, &genres()).await?.unwrap_or_default().body), THREE);
    refused(open.step(&cx, &genre("y")).await, "25006");
    open.rollback().await?;
    assert_eq!(codes(&database).await?, FOUR);
    Ok(())
}

pub(super) async fn that_lose_are_told_so(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let add = |name: &'static str| {
        let database = database.clone();
        async move {
            let cx = Context::system().within(Duration::from_secs(60));
            let mut open = begin(&database, Some(Isolation::Serializable)).await?;
            let one = Select::new(table("genres"), Query::all().matching(Filter::eq("code", "a")));
            open.step(&cx, &one.into()).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            open.step(&cx, &rename("a", name)).await?;
            open.commit().await
        }
    };
    begin(&database, None).await?.rollback().await?;
    let (one, other) = tokio::join!(add("one"), add("other"));
    // An engine that lets them run one after the other has no loser.
    let lost: Vec<_> = [one, other].into_iter().filter_map(truststream_kernel::Result::err).collect();
    assert!(lost.len() < 2, "one of them wins: {lost:?}");
    for error in lost {
        refused::<()>(Err(error), "40001");
    }
    Ok(())
}

pub(super) async fn that_last_too_long_are_undone(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cx = Context::system().within(Duration::from_secs(5));
    let mut open = database.with(cx).send(Begin::default()).await?;
    open.step(&Context::system(), &genre("x")).await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(open.commit().await.is_err(), "its deadline has passed");
    assert_eq!(codes(&database).await?, THREE);
    database.send(Insert::new(table("genres"), r#"{"code":"x","name":"x"}"#)).await?;
    Ok(())
}

pub(super) async fn in_one_call_name_the_step_that_failed(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for isolation in [None, Some(Isolation::ReadCommitted), Some(Isolation::Serializable)] {
        let steps = vec![genre("x"), rename("x", "y"), genre("a")];
        let error = refused(database.send(Batch { steps, isolation }).await, "23505");
        assert_eq!(error.step(), Some(2));
    }
    let steps = vec![rename("none", "y"), Step::Expect(1)];
    assert_eq!(refused(database.send(Batch::new(steps)).await, "40001").step(), Some(1));
    let reads = database.send(Batch::new(vec![genres(), genres()])).await?;
    assert_eq!(reads.iter().map(|page| compact(&page.body)).collect::<Vec<_>>(), [THREE, THREE]);
    assert_eq!(codes(&database).await?, THREE);
    Ok(())
}

/// `now()` is when the transaction began, in every step of it.
pub(super) async fn have_one_moment(env: Env<DatabaseService>) -> Outcome {
    let sql = "
        create table moments (id int primary key, made_at timestamptz not null default now());
        create function one_moment() returns boolean language sql volatile as
            $$ select now() = current_timestamp and clock_timestamp() >= now() $$;";
    let database = migrated(&env, "1_moment.sql", sql).await?;
    assert_eq!(call(&database, "one_moment", "{}").await?, "true");
    let step = |id: i32| Step::from(insert_returning("moments", &json!({ "id": id }).to_string()));
    let moment = |page: &Page| compact(&page.body).split_once("made_at").map(|(_, moment)| moment.to_owned());
    let pages = database.send(Batch::new(vec![step(1), step(2)])).await?;
    assert!(moment(&pages[0]).is_some());
    assert_eq!(moment(&pages[0]), moment(&pages[1]), "both steps of a batch");
    let cx = Context::system();
    let mut open = begin(&database, None).await?;
    let first = open.step(&cx, &step(3)).await?.unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = open.step(&cx, &step(4)).await?.unwrap_or_default();
    open.commit().await?;
    assert_eq!(moment(&first), moment(&second), "both steps of a transaction");
    assert_ne!(moment(&pages[0]), moment(&first));
    Ok(())
}
