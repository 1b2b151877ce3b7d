//! Rows that are alike where a key allows one of them: written past TrustStream to a target that has no
//! keys yet.

use truststream_services::database::Ping;

use super::*;

/// A row of the target's own meets one of the source's: both are named, and nothing has changed.
async fn stops_with_both_rows(main: Place, cloud: Place) {
    let runtime = project(&main, &cloud).await;
    let kinds = TableName::public("kinds");
    let row = r#"{"id":1,"name":"only one"}"#.to_owned();
    runtime.database().send(Insert::new(kinds.clone(), row)).await.unwrap();
    // The program has its row there before the keys are put back.
    let slow = slow_copy(&runtime);
    let options = Options { chunk: 100, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    copying(&runtime).await;
    cloud.connect().await.run("insert into kinds (id, name) values (77, 'only one')").await.unwrap();
    runtime.faults().remove(slow);
    let mut progress = runtime.switcher().watch().unwrap();
    let ended = progress.wait_for(|progress| progress.phase == Phase::Aborted);
    tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    let record = runtime.switcher().latest().await.unwrap().unwrap();
    let failure = record.report.failure.unwrap();
    assert!(failure.contains("public.kinds violate the unique key kinds_name_key"), "{failure}");
    for id in [1, 77] {
        let row = format!(r#"{{"id": {id}, "name": "only one"}}"#);
        assert!(failure.contains(&row), "{row} in {failure}");
    }
    assert_eq!(runtime.route().owner, "main");
    let far = runtime.database_of(Some("cloud")).await.unwrap();
    far.send(Ping).await.unwrap();
    assert!(far.send(Select::new(kinds.clone(), Query::all())).await.is_err(), "nothing is left there");
    assert_eq!(runtime.database().send(Select::new(kinds, Query::all())).await.unwrap().rows, 1);
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_postgres_both_rows_are_named() {
    stops_with_both_rows(Place::sqlite(), Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_sqlite_both_rows_are_named() {
    stops_with_both_rows(Place::postgres(), Place::sqlite()).await;
}
