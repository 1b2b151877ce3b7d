//! What is done between two engines, and what has to hold after each step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use truststream_layers::Fault;
use truststream_runtime::{Config, Runtime};
use truststream_switch::{Options, Phase, Strategy};

use super::app::{App, Ticker, rows};
use super::content::{Content, read, same};
use super::parts;
use super::servers::{Engine, Servers};
use crate::PATIENT;

/// Longest that any step may take.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Rows that somebody writes all the time, which no two readings agree on.
pub const APART: &[&str] = &["ticks"];

/// Gives a switch up, makes it, goes back, and makes it again for good; part by part where the strategy
/// is that.
pub async fn tell(
    servers: &Servers,
    source: Engine,
    target: Engine,
    strategy: Strategy,
) -> Result<(), String> {
    let runtime = open(servers, source, target).await?;
    let triggers = source.has_triggers() && target.has_triggers();
    let app = App::begin(&runtime, triggers).await;
    Box::pin(live(&runtime, app, strategy)).await
}

/// Does all of it with an application that works, while somebody writes.
pub async fn live(runtime: &Arc<Runtime>, mut app: App<'_>, strategy: Strategy) -> Result<(), String> {
    let ticker = Ticker::start(runtime);
    let told = match strategy {
        Strategy::Gradual => Box::pin(parts::steps(runtime, &mut app)).await,
        Strategy::BlueGreen | Strategy::Immediate => Box::pin(steps(runtime, &mut app, strategy)).await,
    };
    let ticked = ticker.finish(runtime).await;
    let log = runtime.switcher().latest().await.ok().flatten().map(|record| format!("{:?}", record.history));
    runtime.close(PATIENCE).await;
    told.map_err(|why| format!("{why}\n  {}", log.unwrap_or_default()))?;
    ticked
}

async fn open(servers: &Servers, source: Engine, target: Engine) -> Result<Arc<Runtime>, String> {
    let auth = "[auth]\njwt_secret = \"a-secret-of-at-least-thirty-two-characters\"\n";
    let (main, cloud) = (servers.backend("main", source), servers.backend("cloud", target));
    let text = format!("active = \"main\"\n{auth}{PATIENT}{main}{cloud}");
    let config = Config::from_text(Path::new(""), &text).map_err(|error| error.to_string())?;
    Runtime::open_in_memory(config).await.map_err(|error| format!("{error:?}"))
}

async fn steps(runtime: &Arc<Runtime>, app: &mut App<'_>, strategy: Strategy) -> Result<(), String> {
    app.work().await?;
    let before = read(runtime, "main", APART).await;
    Box::pin(given_up(runtime, &before, strategy)).await?;
    there(runtime, strategy).await?;
    same("the target after the switch", &before, &read(runtime, "cloud", APART).await)?;
    app.work().await?;
    let written = read(runtime, "cloud", APART).await;
    runtime.switcher().back().await.map_err(|error| format!("back: {error:?}"))?;
    served_by(runtime, "main")?;
    same("the source after the way back", &written, &read(runtime, "main", APART).await)?;
    app.work().await?;
    let written = read(runtime, "main", APART).await;
    runtime.switcher().finalize().await.map_err(|error| format!("finalize: {error:?}"))?;
    empty(runtime).await?;
    there(runtime, strategy).await?;
    same("the target after another switch", &written, &read(runtime, "cloud", APART).await)?;
    runtime.switcher().finalize().await.map_err(|error| format!("finalize: {error:?}"))?;
    app.work().await
}

/// Begins, and gives up while rows are being copied.
async fn given_up(runtime: &Arc<Runtime>, before: &Content, strategy: Strategy) -> Result<(), String> {
    let slow = Fault::latency(Duration::from_secs(1)).on("database.apply").on("database.load");
    let slow = runtime.faults().add(slow);
    start(runtime, strategy).await?;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let record = runtime.switcher().abort().await.map_err(|error| format!("abort: {error:?}"))?;
    runtime.faults().remove(slow);
    if record.phase != Phase::Aborted {
        return Err(format!("given up, but {:?}", record.phase));
    }
    served_by(runtime, "main")?;
    same("the source after giving up", before, &read(runtime, "main", APART).await)?;
    empty(runtime).await
}

pub async fn empty(runtime: &Arc<Runtime>) -> Result<(), String> {
    let left = read(runtime, "cloud", &[]).await;
    // The schema of a remote project is its own.
    let far = runtime.config().file.backend["cloud"].database.as_ref();
    let stays = far
        .and_then(|table| table.get_ref().get("provider"))
        .is_some_and(|name| name.as_str() == Some("supabase"));
    let made = |name: &str| name.starts_with("public.") && !stays;
    let left: Vec<_> = left.into_iter().filter(|(name, rows)| made(name) || !rows.is_empty()).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("the target still has {left:?}")) }
}

/// Rows in a chunk of the copy: several of them are needed.
pub fn chunk() -> usize {
    rows().div_ceil(4)
}

async fn start(runtime: &Arc<Runtime>, strategy: Strategy) -> Result<(), String> {
    let options = Options { strategy, chunk: chunk(), ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.map(drop).map_err(|error| format!("start: {error:?}"))
}

async fn there(runtime: &Arc<Runtime>, strategy: Strategy) -> Result<(), String> {
    start(runtime, strategy).await?;
    let mut progress = runtime.switcher().watch().ok_or("nothing runs")?;
    let ended = progress.wait_for(|progress| !progress.phase.is_before_commit());
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    let ended = ended.map_err(|_| "it did not end".to_owned())?.map_err(|error| error.to_string())?.clone();
    match ended.failure {
        Some(why) => Err(format!("it was given up: {why}")),
        None => served_by(runtime, "cloud"),
    }
}

pub fn served_by(runtime: &Arc<Runtime>, owner: &str) -> Result<(), String> {
    let route = runtime.route();
    if route.owner == owner && !route.fenced { Ok(()) } else { Err(format!("{route:?}, not {owner}")) }
}
