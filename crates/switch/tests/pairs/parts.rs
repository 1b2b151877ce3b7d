//! The story of a switch that goes part by part: given up with some parts moved, there by parts one of
//! which comes back on the way, and back as a whole. Somebody reads everything all the time, so that
//! both sides' answers are compared and the target answers some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use truststream_runtime::Runtime;
use truststream_services::database::{Filter, Query, Select, TableName};
use truststream_switch::{Options, PartPhase, PartReport, Phase, ReadOptions, Record, Strategy};

use super::app::App;
use super::content::{Content, read, same};
use super::story::{APART, PATIENCE, chunk, empty, served_by};

/// A table of each of two parts; somebody writes to the second all the time.
const FIRST: &str = "made";
const SECOND: &str = "ticks";

/// Goes through all of it.
pub async fn steps(runtime: &Arc<Runtime>, app: &mut App<'_>) -> Result<(), String> {
    app.work().await?;
    let readers = Readers::start(runtime);
    let told = Box::pin(both(runtime, app)).await;
    let read = readers.finish().await;
    told?;
    read
}

async fn both(runtime: &Arc<Runtime>, app: &mut App<'_>) -> Result<(), String> {
    Box::pin(given_up(runtime, app)).await?;
    let mut step_ms = 30;
    while by_parts(runtime, app, step_ms).await? == 0 {
        // A busy machine needs more time for what is to be compared.
        if step_ms > 2_000 {
            return Err("no answers were compared".to_owned());
        }
        step_ms *= 10;
    }
    Ok(())
}

/// Given up when one side serves a part, and the other side another one.
async fn given_up(runtime: &Arc<Runtime>, app: &mut App<'_>) -> Result<(), String> {
    start(runtime, 30).await?;
    moves(runtime, FIRST, true).await?;
    moves(runtime, SECOND, true).await?;
    let record = latest(runtime).await?;
    let moved = record.report.parts.iter().filter(|part| part.phase == PartPhase::Moved).count();
    if moved != 2 || record.report.parts.len() < 4 {
        return Err(format!("not two of several parts: {:?}", record.report.parts));
    }
    app.work().await?;
    let wanted = seen(runtime).await;
    let record = runtime.switcher().abort().await.map_err(|error| format!("abort: {error:?}"))?;
    if record.phase != Phase::Aborted {
        return Err(format!("given up, but {:?}", record.phase));
    }
    served_by(runtime, "main")?;
    same("the source after giving up", &wanted, &read(runtime, "main", APART).await)?;
    no_strays(runtime).await?;
    empty(runtime).await?;
    app.work().await
}

/// There by parts, with one that comes back on the way; back as a whole. Returns how many answers were
/// compared.
async fn by_parts(runtime: &Arc<Runtime>, app: &mut App<'_>, step_ms: u64) -> Result<u64, String> {
    start(runtime, step_ms).await?;
    moves(runtime, FIRST, true).await?;
    app.work().await?;
    moves(runtime, SECOND, true).await?;
    moves(runtime, FIRST, false).await?;
    app.work().await?;
    runtime.switcher().move_part(None).await.map_err(|error| format!("move all: {error:?}"))?;
    let record = until(runtime, "commit", |record| !record.phase.is_before_commit()).await?;
    if let Some(why) = record.report.failure {
        return Err(format!("it was given up: {why}"));
    }
    served_by(runtime, "cloud")?;
    let compared = record.report.parts.iter().filter_map(|part| Some(part.reads.as_ref()?.equal)).sum();
    app.work().await?;
    let written = read(runtime, "cloud", APART).await;
    runtime.switcher().back().await.map_err(|error| format!("back: {error:?}"))?;
    served_by(runtime, "main")?;
    same("the source after the way back", &written, &read(runtime, "main", APART).await)?;
    no_strays(runtime).await?;
    runtime.switcher().finalize().await.map_err(|error| format!("finalize: {error:?}"))?;
    empty(runtime).await?;
    app.work().await?;
    Ok(compared)
}

async fn start(runtime: &Arc<Runtime>, step_ms: u64) -> Result<(), String> {
    let reads = ReadOptions { sample: 100, comparisons: 3, step_ms };
    let (strategy, chunk, by_hand) = (Strategy::Gradual, chunk(), true);
    let options = Options { strategy, chunk, reads, by_hand, ..runtime.switch_options() };
    runtime.switcher().start("cloud", options).await.map_err(|error| format!("start: {error:?}"))?;
    until(runtime, "ready", |record| record.phase == Phase::Ready).await.map(drop)
}

async fn latest(runtime: &Runtime) -> Result<Record, String> {
    let latest = runtime.switcher().latest().await.map_err(|error| error.to_string())?;
    latest.ok_or_else(|| "there is no switch".to_owned())
}

/// Waits until the switch is as it should be, or was given up.
async fn until(runtime: &Runtime, what: &str, holds: impl Fn(&Record) -> bool) -> Result<Record, String> {
    let began = Instant::now();
    loop {
        let record = latest(runtime).await?;
        if holds(&record) {
            return Ok(record);
        }
        if record.phase == Phase::Aborted || began.elapsed() > PATIENCE {
            let report = &record.report;
            return Err(format!(
                "no {what}: {:?}, {:?}, {:?}",
                record.phase, report.failure, report.refusals
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn part_of<'r>(record: &'r Record, table: &str) -> Option<&'r PartReport> {
    record.report.parts.iter().find(|part| part.tables.contains(&TableName::public(table)))
}

/// Moves the part of a table there or back, and waits until it is.
async fn moves(runtime: &Runtime, table: &str, there: bool) -> Result<(), String> {
    let record = latest(runtime).await?;
    let part = part_of(&record, table).ok_or_else(|| format!("{table} is of no part"))?;
    let (name, flips) = (part.name.as_str(), part.flips.len());
    let asked = if there {
        runtime.switcher().move_part(Some(name)).await
    } else {
        runtime.switcher().part_back(name).await
    };
    asked.map_err(|error| format!("{name}: {error:?}"))?;
    let moved = |record: &Record| part_of(record, table).is_some_and(|part| part.flips.len() > flips);
    until(runtime, name, moved).await.map(drop)
}

/// What clients see: each table where it is served.
async fn seen(runtime: &Runtime) -> Content {
    let (mut content, far) = (read(runtime, "main", APART).await, read(runtime, "cloud", APART).await);
    let route = runtime.route();
    let moved = route.division.iter().flat_map(|division| &division.parts).filter(|part| part.moved);
    for table in moved.flat_map(|part| &part.tables).map(TableName::to_string) {
        if let Some(rows) = far.get(&table) {
            content.insert(table, rows.clone());
        }
    }
    content
}

async fn no_strays(runtime: &Runtime) -> Result<(), String> {
    match runtime.switcher().strays().await.map_err(|error| error.to_string())? {
        Some(strays) if strays.seen > 0 => Err(format!("written where it is not served: {:?}", strays.kept)),
        _ => Ok(()),
    }
}

/// Somebody who reads everything all the time.
struct Readers {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<(), String>>,
}

impl Readers {
    fn start(runtime: &Arc<Runtime>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(read_on(Arc::clone(runtime), Arc::clone(&stop)));
        Readers { stop, task }
    }

    async fn finish(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.map_err(|error| error.to_string())?
    }
}

async fn read_on(runtime: Arc<Runtime>, stop: Arc<AtomicBool>) -> Result<(), String> {
    let mut one = Query::all();
    one.and(Filter::eq("id", "2"));
    let all = ["everything", "made", "teams", "players", "members", "diaries", SECOND];
    let asked: Vec<_> = all.into_iter().map(|table| (table, Query::all())).collect();
    let asked = [asked, vec![("everything", one.clone()), ("teams", one)]].concat();
    while !stop.load(Ordering::Relaxed) {
        for (table, query) in &asked {
            let select = Select::new(TableName::public(*table), query.clone());
            runtime.database().send(select).await.map_err(|error| format!("reading {table}: {error:?}"))?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}
