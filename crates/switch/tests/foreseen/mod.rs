//! What a plan says of the way back.

use std::path::Path;
use std::sync::Arc;

use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Insert, Migrate, TableName};
use truststream_switch::Phase;

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
