//! `truststream switch …`

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use truststream_kernel::units;
use truststream_switch::{Phase, Progress, Record, TableReport};

use super::next_step::next_step;
use super::switch_text::{compared, heading, print_plan, print_record, print_rehearsal};
use crate::Common;
use crate::client::AdminClient;
use crate::failure::{Done, Failure};
use crate::progress::Shown;

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
    Start(Box<Start>),
    /// Show where the latest switch stands
    Status,
    /// Stop a switch that has not flipped yet, until it is resumed; writes are not held meanwhile
    Pause,
    /// Go on with a switch that was paused or stopped, from where it stands
    Resume(Resume),
    /// Move a part of a gradual switch to the target, or all parts that are left and then the rest
    Move {
        /// A part that `switch status` names, `tenant:VALUE` where tenants are the parts, or `all`
        part: String,
    },
    /// Return to the backend that served before, with everything written since; of a gradual switch
    /// that has not committed, return one part
    Back {
        /// A part that `switch status` names
        part: Option<String>,
    },
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
    /// Copy while writes go on and hold them for a moment at the end; or hold them first; or have both
    /// sides answer reads, compared, and move a growing share of them before the flip
    #[arg(long, value_name = "HOW", value_parser = ["blue-green", "immediate", "gradual"])]
    strategy: Option<String>,
    /// Longest pause of writes, such as 500ms or 2s; past it the fence is lifted and tried again
    #[arg(long, value_name = "TIME", value_parser = wait)]
    max_pause: Option<Duration>,
    /// How long one write waits in a pause before it is refused (retry later), such as 5s
    #[arg(long, value_name = "TIME", value_parser = wait)]
    hold: Option<Duration>,
    /// Compare every row of both sides before the flip, or one in sixteen, or none
    #[arg(long, value_name = "WHAT", value_parser = ["none", "sample", "full"])]
    verify: Option<String>,
    /// Make rows that differ on the target what they are on the source, instead of giving up
    #[arg(long)]
    repair: bool,
    /// Share of its time that the copy may work
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    throttle: Option<u8>,
    /// Let the copy wait while the source takes longer to answer, such as 20ms
    #[arg(long, value_name = "TIME", value_parser = wait)]
    max_latency: Option<Duration>,
    /// How much longer than usual the application's median write may take while rows are copied and
    /// compared [default: 20]
    #[arg(long, value_name = "PERCENT")]
    max_slowdown: Option<u16>,
    /// How long the way back stays open after the flip, such as 24h; until `switch finalize` if absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    rollback_window: Option<Duration>,
    /// Gradual: reads that both sides are asked for
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    shadow: Option<u8>,
    /// Gradual: how long each share of the reads lasts, such as 30s
    #[arg(long, value_name = "TIME", value_parser = wait)]
    read_step: Option<Duration>,
    /// Gradual: move parts when `switch move` asks for it, not one after the other
    #[arg(long)]
    by_hand: bool,
    /// Gradual: tenants are the parts, told apart by this column of their tables; they move when
    /// `switch move tenant:VALUE` asks for it
    #[arg(long, value_name = "COLUMN")]
    tenants: Option<String>,
    /// The claim that names a caller's tenant, such as app_metadata.org_id; policies keep callers to it
    #[arg(long, value_name = "PATH", requires = "tenants")]
    tenant_claim: Option<String>,
    /// What becomes of what is written directly to the database that served before: the database
    /// refuses it, or it is applied to the one that serves, or set down
    #[arg(long, value_name = "HOW", value_parser = ["refuse", "forward", "quarantine"])]
    stray: Option<String>,
    /// Most rows in a chunk of the copy; wide rows come in smaller chunks
    #[arg(long)]
    chunk: Option<usize>,
}

fn time(text: &str) -> Result<Duration, String> {
    units::time::parse(text).ok_or_else(|| "expected a number with ms, s, m or h".to_owned())
}

/// The same where a number alone is milliseconds.
fn wait(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).or_else(|_| time(text))
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
            SwitchCommand::Move { part } if part == "all" => {
                client.post("switch/move", &Json::Null).await?;
                // From now on it does not wait to be asked.
                while client.get("switch").await?["record"]["options"]["by_hand"] == json!(true) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                to_its_end(&client, common).await
            }
            SwitchCommand::Move { part } => part_to(&client, "move", part, common).await,
            SwitchCommand::Back { part: Some(part) } => part_to(&client, "back", part, common).await,
            SwitchCommand::Back { part: None } => ended(&client, "back", common).await,
            SwitchCommand::Finalize => ended(&client, "finalize", common).await,
            SwitchCommand::Abort => ended(&client, "abort", common).await,
        }
    }
}

impl Start {
    async fn run(&self, client: &AdminClient, common: &Common) -> Done {
        let ms = |time: Option<Duration>| time.map(|time| time.as_millis());
        let body = json!({
            "to": self.to,
            "strategy": self.strategy,
            "chunk": self.chunk,
            "max_pause_ms": ms(self.max_pause),
            "hold_ms": ms(self.hold),
            "verify": self.verify,
            "repair": self.repair,
            "throttle": self.throttle,
            "max_latency_ms": ms(self.max_latency),
            "max_slowdown": self.max_slowdown,
            "rollback_window_ms": ms(self.rollback_window),
            "stray": self.stray,
            "shadow": self.shadow,
            "read_step_ms": ms(self.read_step),
            "by_hand": self.by_hand,
            "tenants": self.tenants,
            "tenant_claim": self.tenant_claim,
        });
        let started = client.post("switch", &body).await?;
        if self.detach {
            return under_way(&started, common);
        }
        to_its_end(client, common).await
    }
}

impl Resume {
    async fn run(&self, client: &AdminClient, common: &Common) -> Done {
        let resumed = client.post("switch/resume", &Json::Null).await?;
        if self.detach {
            return under_way(&resumed, common);
        }
        to_its_end(client, common).await
    }
}

/// Prints a switch that goes on without anybody watching.
fn under_way(answer: &Json, common: &Common) -> Done {
    match read_record(answer).filter(|_| !common.json) {
        Some(record) => println!(
            "{}{}            `truststream switch status` shows how far it is",
            heading(&record),
            next_step(&record)
        ),
        None => println!("{answer}"),
    }
    Ok(())
}

/// Watches a switch until it has committed, was paused or ended, and prints its report.
async fn to_its_end(client: &AdminClient, common: &Common) -> Done {
    let shown = watch(client).await?;
    let record = read_record(&shown["record"])
        .ok_or_else(|| Failure::answered(&json!({ "message": "the gateway forgot the switch" })))?;
    print_record(&record, &shown, common.json);
    if record.phase == Phase::Aborted {
        let reason = record.report.failure.unwrap_or_default();
        let advice = record.report.advice.map_or(String::new(), |advice| format!("; {advice}"));
        return Err(Failure::answered(&json!({
            "code": "BACKEND_011",
            "message": format!("the switch was given up: {reason}"),
            "hint": format!("{} serves as before; nothing has changed{advice}", record.from),
        })));
    }
    Ok(())
}

/// How often to look again for the report of a switch that has committed; a gateway that ended in
/// between leaves none.
const REPORTED: u32 = 30;

/// Shows progress until the switch has committed or ended.
async fn watch(client: &AdminClient) -> Done<Json> {
    let mut bar = Shown::new();
    // The route commits in the moment before the report says how.
    let mut without_report = 0;
    loop {
        let shown = client.get("switch").await?;
        if let Ok(progress) = serde_json::from_value::<Progress>(shown["progress"].clone()) {
            bar.show(&progress);
        }
        let record = read_record(&shown["record"]);
        let waits = |record: &Record| record.phase == Phase::Ready && record.options.by_hand;
        let ended = |record: &Record| {
            record.phase.is_over() || record.phase == Phase::Committed || record.paused || waits(record)
        };
        let is_bare = |record: &Record| record.phase == Phase::Committed && record.report.flips.is_empty();
        if record.as_ref().is_some_and(is_bare) && without_report < REPORTED {
            without_report += 1;
        } else if record.as_ref().is_none_or(ended) {
            bar.finish();
            return Ok(shown);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks for a part to be moved or returned, and waits until that was done.
async fn part_to(client: &AdminClient, how: &str, part: &str, common: &Common) -> Done {
    let before = client.get("switch").await?;
    let flips = |record: &Record| {
        let of_part = record.report.parts.iter().find(|report| report.name == part);
        of_part.map_or(0, |report| report.flips.len())
    };
    let name: String = url::form_urlencoded::byte_serialize(part.as_bytes()).collect();
    let (flips_before, refused_before) = read_record(&before["record"])
        .map_or((0, 0), |record| (flips(&record), record.report.refusals.len()));
    client.post(&format!("switch/{how}?part={name}"), &Json::Null).await?;
    loop {
        let shown = client.get("switch").await?;
        let Some(record) = read_record(&shown["record"]) else { return Ok(()) };
        if let Some(refused) = record.report.refusals.get(refused_before) {
            return Err(Failure::answered(&json!({ "code": "BACKEND_011", "message": refused })));
        }
        if flips(&record) > flips_before || record.phase != Phase::Ready {
            print_record(&record, &shown, common.json);
            return Ok(());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_milliseconds() {
        assert_eq!(wait("500"), Ok(Duration::from_millis(500)));
        assert_eq!((wait("20ms"), wait("2s")), (Ok(Duration::from_millis(20)), Ok(Duration::from_secs(2))));
        assert!(wait("soon").is_err() && time("500").is_err());
    }
}
