//! What a plan says of the way back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use truststream_kernel::Body;
use truststream_layers::Fault;
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Delete, Insert, Migrate, Query, TableName};
use truststream_services::storage::{Access, BucketSettings, CreateBucket, Upload};
use truststream_switch::{Options, Phase, Strategy};

use super::PATIENT;
use super::pairs::servers::{Engine, Servers};

async fn project(servers: &Servers, from: Engine, to: Engine) -> Arc<Runtime> {
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n{PATIENT}{}{}",
        servers.backend("main", from),
        servers.backend("cloud", to)
    );
    let config = Config::from_text(Path::new(""), &text).unwrap();
    let runtime = Runtime::open_in_memory(config).await.unwrap();
    let sql = "create table readings (id bigint primary key, level double precision, near real, body text)";
    let migrate = Migrate { name: "1.sql".into(), sql: sql.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
    runtime
}

/// What of the way back is named, without the words.
async fn named(from: Engine, to: Engine) -> Vec<String> {
    let servers = Servers::start(&[from, to]);
    let runtime = project(&servers, from, to).await;
    let plan = runtime.switcher().plan("cloud").await.unwrap();
    assert!(plan.way_back.iter().all(|cost| cost.words.contains("main")), "{:?}", plan.way_back);
    plan.way_back.into_iter().map(|cost| cost.of).collect()
}

const NUMBERS: [&str; 2] = ["columns of type double precision", "columns of type real"];

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_target_holds_is_named_with_the_reason() {
    for (from, to) in [(Engine::Sqlite, Engine::Postgres), (Engine::Memory, Engine::Mongodb)] {
        let named = named(from, to).await;
        assert!(NUMBERS.iter().all(|of| named.iter().any(|one| one == of)), "{from:?} to {to:?}: {named:?}");
    }
    for (from, to) in [(Engine::Postgres, Engine::Sqlite), (Engine::Sqlite, Engine::Memory)] {
        let named = named(from, to).await;
        assert!(NUMBERS.iter().all(|of| named.iter().all(|one| one != of)), "{from:?} to {to:?}: {named:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_foreseen_stops_the_way_back_and_nothing_is_lost() {
    let servers = Servers::start(&[Engine::Sqlite, Engine::Postgres]);
    let runtime = project(&servers, Engine::Sqlite, Engine::Postgres).await;
    runtime.switcher().start("cloud", runtime.switch_options()).await.unwrap();
    let mut progress = runtime.switcher().watch().unwrap();
    progress.wait_for(|progress| progress.phase == Phase::Committed).await.unwrap();
    let row = r#"{"id":1,"level":"NaN"}"#.to_owned();
    runtime.database().send(Insert::new(TableName::public("readings"), row)).await.unwrap();
    let error = runtime.switcher().back().await.unwrap_err();
    assert!(error.message().contains("NaN"), "{error:?}");
    assert_eq!(runtime.route().owner, "cloud");
    runtime.close(std::time::Duration::from_secs(60)).await;
}

async fn read(runtime: &Runtime, id: u64, level: &str) {
    let row = format!(r#"{{"id":{id},"level":"{level}"}}"#);
    runtime.database().send(Insert::new(TableName::public("readings"), row)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_target_refuses_is_named_by_rehearsals_and_switches() {
    let servers = Servers::start(&[Engine::Sqlite, Engine::Postgres]);
    let runtime = project(&servers, Engine::Postgres, Engine::Sqlite).await;
    for id in 1..=40 {
        read(&runtime, id, if id == 23 { "NaN" } else { "1.5" }).await;
    }
    let tried = runtime.switcher().rehearse("cloud").await.unwrap();
    let [refused] = &tried.refused[..] else { panic!("{:?}", tried.refused) };
    assert_eq!((refused.table.name.as_str(), refused.row.as_str()), ("readings", "id=23"));
    assert!(refused.reason.contains("NaN"), "{refused:?}");

    runtime.switcher().start("cloud", runtime.switch_options()).await.unwrap();
    let mut progress = runtime.switcher().watch().unwrap();
    progress.wait_for(|progress| progress.phase == Phase::Aborted).await.unwrap();
    let report = runtime.switcher().latest().await.unwrap().unwrap().report;
    let failure = report.failure.unwrap_or_default();
    assert!(failure.contains("NaN") && failure.contains("public.readings, row id=23"), "{failure}");
    assert!(report.advice.is_some_and(|advice| advice.contains("change that row")));

    runtime.database().send(Delete::new(TableName::public("readings"), Query::all())).await.unwrap();
    assert_eq!(runtime.switcher().rehearse("cloud").await.unwrap().refused, []);
    runtime.close(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_done_first_is_told_before_a_switch_is_begun() {
    let servers = Servers::start(&[Engine::Memory]);
    let runtime = project(&servers, Engine::Memory, Engine::Memory).await;
    read(&runtime, 1, "1").await;
    let first = async || runtime.switcher().plan("cloud").await.unwrap().first;
    assert_eq!(first().await, Vec::<String>::new());
    let error = runtime.switcher().verify("main", "cloud", &runtime.switch_options()).await.unwrap_err();
    assert!(error.message().contains("`cloud` has no table"), "{error:?}");
    let error = runtime.switcher().pause().await.unwrap_err();
    assert!(error.message().contains("no switch is under way"), "{error:?}");

    runtime.switcher().start("cloud", runtime.switch_options()).await.unwrap();
    let mut progress = runtime.switcher().watch().unwrap();
    progress.wait_for(|progress| progress.phase == Phase::Committed).await.unwrap();
    let plan = runtime.switcher().plan("main").await.unwrap();
    assert!(plan.first[0].contains("switch 1 from main to cloud is not over"), "{:?}", plan.first);
    runtime.switcher().finalize().await.unwrap();
    // What served before keeps its rows.
    let plan = runtime.switcher().plan("main").await.unwrap();
    assert!(
        plan.first[0].contains("`main` holds rows already, in table public.readings"),
        "{:?}",
        plan.first
    );
    runtime.close(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_once_which_side_can_not_be_closed() {
    let servers = Servers::start(&[Engine::Memory, Engine::Mongodb]);
    let runtime = project(&servers, Engine::Memory, Engine::Mongodb).await;
    let plan = runtime.switcher().plan("cloud").await.unwrap();
    assert!(plan.not_closed.contains(&"cloud".to_owned()), "{:?}", plan.not_closed);
    assert!(!plan.missing.contains(&"fences".to_owned()), "{:?}", plan.missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_counts_what_waited_and_what_was_moved() {
    let servers = Servers::start(&[Engine::Memory]);
    let runtime = project(&servers, Engine::Memory, Engine::Memory).await;
    read(&runtime, 1, "1").await;
    let settings = BucketSettings::default();
    runtime.storage().send(CreateBucket { name: "files".into(), settings }).await.unwrap();
    let upload = Upload {
        bucket: "files".into(),
        name: "a.txt".into(),
        body: Body::from("text"),
        content_type: "text/plain".into(),
        cache_control: "no-cache".into(),
        user_metadata: None,
        upsert: false,
        access: Access::Caller,
    };
    runtime.storage().send(upload).await.unwrap();
    let slow = Duration::from_millis(300);
    runtime.faults().add(Fault::latency(slow).on("database.apply"));
    runtime.faults().add(Fault::latency(slow).on("database.load"));
    let options = Options { strategy: Strategy::Immediate, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.unwrap();
    let mut progress = runtime.switcher().watch().unwrap();
    progress.wait_for(|progress| progress.phase == Phase::Copying).await.unwrap();
    read(&runtime, 2, "2").await;
    progress.wait_for(|progress| progress.phase == Phase::Committed).await.unwrap();
    let report = runtime.switcher().latest().await.unwrap().unwrap().report;
    // From the first moment, in which rows were copied, and not the last step alone.
    assert!(report.flips[0].pause_ms >= slow.as_secs_f64() * 1000.0, "{:?}", report.flips);
    assert_eq!((report.flips[0].held, report.objects, report.object_bytes), (1, 1, 4), "{report:?}");
    runtime.close(Duration::from_secs(60)).await;
}
