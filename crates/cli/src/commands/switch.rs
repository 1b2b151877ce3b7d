//! `truststream switch …`

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use truststream_switch::{Phase, Progress, Record, Rehearsal, TableReport};

use crate::Common;
use crate::client::AdminClient;
use crate::failure::{Done, Failure};
use crate::progress::Shown;
use crate::text::{bytes, table, thousands};

/// What can be done with switches. They run inside the gateway; these commands watch and steer.
#[derive(Subcommand)]
pub enum SwitchCommand {
    /// Show what a switch would move and what stands in its way; changes nothing
    Plan {
        /// Backend to move to, a name from truststream.toml
        to: String,
    },
    /// Try a switch on some rows of every table, and remove them: how long, and what would differ
    Rehearse {
        /// Backend to move to, a name from truststream.toml
        to: String,
    },
    /// Move to another backend: copy, follow, verify, hold writes for a moment, flip
    Start(Start),
    /// Show where the latest switch stands
    Status,
    /// Stop a switch that has not flipped yet, until it is resumed; writes are not held meanwhile
    Pause,
    /// Go on with a switch that was paused or stopped, from where it stands
    Resume(Resume),
    /// Return to the backend that served before, with everything written since
    Back,
    /// Close the way back and remove what was installed for it
    Finalize,
    /// Give up a switch that has not flipped yet; nothing has changed then
    Abort,
}

/// How to start a switch.
#[derive(Args)]
pub struct Start {
    /// Backend to move to, a name from truststream.toml
    to: String,
    /// Don't wait: print the switch and return
    #[arg(long)]
    detach: bool,
    /// Copy while writes go on and hold them for a moment at the end, or hold them first
    #[arg(long, value_name = "HOW", value_parser = ["blue-green", "immediate"])]
    strategy: Option<String>,
    /// Longest pause of writes in milliseconds; past it the fence is lifted and tried again
    #[arg(long, value_name = "MS")]
    max_pause: Option<u64>,
    /// How long one write waits in a pause before it is refused (retry later), in milliseconds
    #[arg(long, value_name = "MS")]
    hold: Option<u64>,
    /// Compare every row of both sides before the flip, or one in sixteen, or none
    #[arg(long, value_name = "WHAT", value_parser = ["none", "sample", "full"])]
    verify: Option<String>,
    /// Make rows that differ on the target what they are on the source, instead of giving up
    #[arg(long)]
    repair: bool,
    /// Share of its time that the copy may read the source
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    throttle: Option<u8>,
    /// Let the copy wait while the source takes longer to answer, in milliseconds
    #[arg(long, value_name = "MS")]
    max_latency: Option<u64>,
    /// Rows in a chunk of the copy
    #[arg(long)]
    chunk: Option<usize>,
}

/// How to go on with a switch.
#[derive(Args)]
pub struct Resume {
    /// Don't wait: print the switch and return
    #[arg(long)]
    detach: bool,
}

impl SwitchCommand {
    pub async fn run(&self, common: &Common) -> Done {
        let client = AdminClient::find(common)?;
        match self {
            SwitchCommand::Plan { to } => {
                let plan = client.get(&format!("switch/plan?to={to}")).await?;
                print_plan(&plan, common.json)
            }
            SwitchCommand::Rehearse { to } => {
                let shown = client.post(&format!("switch/rehearse?to={to}"), &Json::Null).await?;
                print_rehearsal(&shown, common.json)
            }
            SwitchCommand::Start(start) => start.run(&client, common).await,
            SwitchCommand::Status => {
                let shown = client.get("switch").await?;
                match read_record(&shown["record"]) {
                    Some(record) => print_record(&record, &shown, common.json),
                    None => println!("there was no switch yet"),
                }
                Ok(())
            }
            SwitchCommand::Pause => ended(&client, "pause", common).await,
            SwitchCommand::Resume(resume) => resume.run(&client, common).await,
            SwitchCommand::Back => ended(&client, "back", common).await,
            SwitchCommand::Finalize => ended(&client, "finalize", common).await,
            SwitchCommand::Abort => ended(&client, "abort", common).await,
        }
    }
}

impl Start {
    async fn run(&self, client: &AdminClient, common: &Common) -> Done {
        let body = json!({
            "to": self.to,
            "strategy": self.strategy,
            "chunk": self.chunk,
            "max_pause_ms": self.max_pause,
            "hold_ms": self.hold,
            "verify": self.verify,
            "repair": self.repair,
            "throttle": self.throttle,
            "max_latency_ms": self.max_latency,
        });
        let started = client.post("switch", &body).await?;
        if self.detach {
            println!("{started}");
            return Ok(());
        }
        to_its_end(client, common).await
    }
}

impl Resume {
    async fn run(&self, client: &AdminClient, common: &Common) -> Done {
        let resumed = client.post("switch/resume", &Json::Null).await?;
        if self.detach {
            println!("{resumed}");
            return Ok(());
        }
        to_its_end(client, common).await
    }
}

/// Watches a switch until it has committed, was paused or ended, and prints its report.
async fn to_its_end(client: &AdminClient, common: &Common) -> Done {
    let shown = watch(client).await?;
    let record = read_record(&shown["record"])
        .ok_or_else(|| Failure::answered(&json!({ "message": "the gateway forgot the switch" })))?;
    print_record(&record, &shown, common.json);
    if record.phase == Phase::Aborted {
        let reason = record.report.failure.unwrap_or_default();
        return Err(Failure::answered(&json!({
            "code": "BACKEND_011",
            "message": format!("the switch was given up: {reason}"),
            "hint": format!("{} serves as before; nothing has changed", record.from),
        })));
    }
    Ok(())
}

/// Shows progress until the switch has committed or ended.
async fn watch(client: &AdminClient) -> Done<Json> {
    let mut bar = Shown::new();
    loop {
        let shown = client.get("switch").await?;
        if let Ok(progress) = serde_json::from_value::<Progress>(shown["progress"].clone()) {
            bar.show(&progress);
        }
        let record = read_record(&shown["record"]);
        let ended =
            |record: &Record| record.phase.is_over() || record.phase == Phase::Committed || record.paused;
        if record.as_ref().is_none_or(ended) {
            bar.finish();
            return Ok(shown);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn ended(client: &AdminClient, how: &str, common: &Common) -> Done {
    let answer = client.post(&format!("switch/{how}"), &Json::Null).await?;
    if let Some(record) = read_record(&answer) {
        print_record(&record, &json!({ "record": answer }), common.json);
    }
    Ok(())
}

fn read_record(value: &Json) -> Option<Record> {
    serde_json::from_value(value.clone()).ok()
}

fn print_plan(plan: &Json, as_json: bool) -> Done {
    if as_json {
        println!("{plan}");
        return Ok(());
    }
    let count = |name: &str| plan[name].as_array().map_or(0, Vec::len);
    let objects =
        if plan["moves_objects"] == true { "objects move too" } else { "objects are shared and stay" };
    println!(
        "{} → {}: {} tables, {} rows; {objects}",
        plan["from"].as_str().unwrap_or_default(),
        plan["to"].as_str().unwrap_or_default(),
        count("tables"),
        thousands(plan["rows"].as_u64().unwrap_or_default()),
    );
    match plan["problems"].as_array().filter(|problems| !problems.is_empty()) {
        None => println!("nothing stands in the way; start it with `truststream switch start`"),
        Some(problems) => {
            println!("in the way:");
            for problem in problems {
                println!(
                    "  {}: {}",
                    problem["statement"].as_str().unwrap_or_default(),
                    problem["reason"].as_str().unwrap_or_default()
                );
            }
        }
    }
    Ok(())
}

fn print_rehearsal(shown: &Json, as_json: bool) -> Done {
    if as_json {
        println!("{shown}");
        return Ok(());
    }
    print_plan(&shown["plan"], false)?;
    let Ok(tried) = serde_json::from_value::<Rehearsal>(shown.clone()) else { return Ok(()) };
    if !tried.plan.problems.is_empty() {
        return Ok(());
    }
    println!(
        "tried {} rows: copies {} rows/s, compares {} rows/s; all of it ({}) in about {:.0} s",
        thousands(tried.rows),
        thousands(tried.copied_per_second as u64),
        thousands(tried.verified_per_second as u64),
        bytes(tried.bytes),
        tried.seconds.ceil(),
    );
    if tried.altered.is_empty() {
        println!("every value tried came back as it was");
        return Ok(());
    }
    println!("not kept exactly by {}, nor after the way back:", tried.plan.to);
    for one in &tried.altered {
        let (rows, name) = (thousands(one.rows), format!("{}.{}", one.table, one.column));
        println!("  {name} in {rows} rows: {} came back as {}", one.sent, one.received);
    }
    Ok(())
}

/// The report of a switch: JSON as it is stored, or text.
pub fn print_record(record: &Record, shown: &Json, as_json: bool) {
    if as_json {
        println!("{shown}");
    } else {
        print!("{}", report(record));
    }
}

/// The report of a switch as text.
pub fn report(record: &Record) -> String {
    let report = &record.report;
    let paused = if record.paused { ", paused" } else { "" };
    let mut text =
        format!("switch {}: {} → {}, {}{paused}\n", record.id, record.from, record.to, record.phase.name());
    text.push_str(&format!(
        "  copied    {} rows ({}), {} objects ({})\n",
        thousands(report.rows),
        bytes(report.bytes),
        thousands(report.objects),
        bytes(report.object_bytes)
    ));
    text.push_str(&format!(
        "  followed  {} changes there, {} back\n",
        thousands(report.changes),
        thousands(report.changes_back)
    ));
    for flip in &report.flips {
        text.push_str(&format!(
            "  flip      {} → {}: writes held for {:.1} ms, {} of them waited\n",
            flip.from, flip.to, flip.pause_ms, flip.held
        ));
    }
    if !report.tables.is_empty() {
        text.push_str("  verified\n");
        text.push_str(&compared("  ", &report.tables));
    }
    if let Some(failure) = &report.failure {
        text.push_str(&format!("  ended     {failure}\n"));
    }
    text
}

/// What was compared, as a table.
fn compared(indent: &str, tables: &[TableReport]) -> String {
    let row = |table: &TableReport| {
        let same = if table.source == table.target { "equal" } else { "DIFFERENT" };
        vec![format!("{indent}{}", table.table), thousands(table.rows), table.source.clone(), same.to_owned()]
    };
    let rows: Vec<_> = tables.iter().map(row).collect();
    table(&[&format!("{indent}table"), "rows", "checksum", "both sides"], &rows)
}

/// Compares two backends row by row.
#[derive(Args)]
pub struct Verify {
    /// Backend whose rows are right, a name from truststream.toml
    source: String,
    /// Backend that should hold the same
    target: String,
    /// Compare one row in sixteen, chosen by its key
    #[arg(long)]
    sample: bool,
    /// Make rows that differ on the second what they are on the first
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub async fn run(&self, common: &Common) -> Done {
        let body = json!({
            "source": self.source,
            "target": self.target,
            "verify": if self.sample { "sample" } else { "full" },
            "repair": self.repair,
        });
        let answer = AdminClient::find(common)?.post("verify", &body).await?;
        if common.json {
            println!("{answer}");
        } else if let Ok(tables) = serde_json::from_value::<Vec<TableReport>>(answer) {
            print!("{}", compared("", &tables));
        }
        Ok(())
    }
}
