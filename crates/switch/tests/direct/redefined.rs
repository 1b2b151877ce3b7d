//! Schemas that are changed directly while writes are held, after they were looked at.

use truststream_services::database::Begin;

use super::*;

/// A switch in whose cut-over a program runs a statement on the side that serves; returns how it ended.
async fn typed_while_writes_are_held(sql: &str) -> (Arc<Runtime>, Place) {
    let (main, cloud) = (Place::postgres(), Place::sqlite());
    let runtime = project(&main, &cloud).await;
    // Its end is waited for before anything else is done in the pause.
    let open = runtime.database().send(Begin::default()).await.unwrap();
    let options = Options { max_pause_ms: PATIENCE.as_millis() as u64, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    let fenced = async {
        while !runtime.route().fenced {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, fenced).await.unwrap();
    main.connect().await.run(sql).await.unwrap();
    drop(open);
    let mut progress = runtime.switcher().watch().unwrap();
    let ended = progress.wait_for(|progress| matches!(progress.phase, Phase::Aborted | Phase::Committed));
    tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    (runtime, main)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_comes_then_is_not_left_behind() {
    let (runtime, main) = typed_while_writes_are_held("create table late (id bigint primary key)").await;
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    let failure = record.report.failure.unwrap();
    assert!(failure.contains("`main`") && failure.contains("table public.late"), "{failure}");
    assert_eq!((record.phase, runtime.route().owner.as_str()), (Phase::Aborted, "main"));
    insert(runtime.database(), json!({ "id": 5_000, "body": "after" })).await.unwrap();
    main.connect().await.run("insert into late values (1)").await.unwrap();
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_no_table_is_no_reason_to_give_up() {
    let (runtime, _main) = typed_while_writes_are_held("create index notes_body on notes (body)").await;
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    assert_eq!((record.phase, record.report.failure), (Phase::Committed, None));
    assert_eq!(record.report.flips[0].attempts, 1);
    runtime.close(PATIENCE).await;
}
