//! `truststream failover …`

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::Common;
use crate::client::AdminClient;
use crate::failure::{Done, Failure};

/// Has the mirror take the place of a backend that is lost, and decides about what only that had.
#[derive(Args)]
pub struct Failover {
    /// Do it, whatever it costs; without this it is only told
    #[arg(long)]
    confirm: bool,
    #[command(subcommand)]
    command: Option<LostCommand>,
}

/// What can be done with rows that only a lost backend had.
#[derive(Subcommand)]
pub enum LostCommand {
    /// Show the rows that only a lost backend had, once it is back
    Lost,
    /// Bring them to the backend that serves; those that were changed there since are kept on
    Apply {
        /// Number of the failover, as `failover lost` shows it
        failover: u64,
        /// Overwrite what was changed since, too
        #[arg(long)]
        force: bool,
    },
    /// Forget them
    Drop {
        /// Number of the failover, as `failover lost` shows it
        failover: u64,
    },
}

impl Failover {
    pub async fn run(&self, common: &Common) -> Done {
        let client = AdminClient::find(common)?;
        match &self.command {
            None => self.fail_over(&client, common).await,
            Some(LostCommand::Lost) => shown(&client.get("failover/lost").await?, common, lost),
            Some(LostCommand::Apply { failover, force }) => {
                let body = json!({ "failover": failover, "force": force });
                shown(&client.post("failover/apply", &body).await?, common, applied)
            }
            Some(LostCommand::Drop { failover }) => {
                let dropped = client.post("failover/drop", &json!({ "failover": failover })).await?;
                shown(&dropped, common, |dropped| format!("{} rows are forgotten\n", dropped["dropped"]))
            }
        }
    }

    async fn fail_over(&self, client: &AdminClient, common: &Common) -> Done {
        if self.confirm {
            let report = client.post("failover", &Json::Null).await?;
            return shown(&report, common, super::status_text::failover);
        }
        let foreseen = client.get("failover").await?;
        let (from, to) = (text(&foreseen["from"]), text(&foreseen["to"]));
        let message = format!("`{to}` would take the place of `{from}`; {}", bound(&foreseen["loss"]));
        let hint = format!(
            "nothing has changed; `truststream failover --confirm` does it, and if `{from}` answers, \
             `truststream switch start {to}` moves there and loses nothing"
        );
        Err(Failure::answered(&json!({
            "code": "BACKEND_020",
            "message": message,
            "hint": hint,
            "details": foreseen,
        })))
    }
}

fn shown(answer: &Json, common: &Common, tell: impl Fn(&Json) -> String) -> Done {
    if common.json {
        println!("{answer}");
    } else {
        print!("{}", tell(answer));
    }
    Ok(())
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is lost at most, in words.
fn bound(loss: &Json) -> String {
    let writes = loss["writes"].as_u64().unwrap_or_default();
    match loss["ms"].as_u64() {
        Some(ms) if ms < u64::MAX => format!("at most {writes} writes of the last {ms} ms are lost"),
        _ => format!("at most {writes} writes are lost, and what others wrote at an unknown time"),
    }
}

fn lost(all: &Json) -> String {
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "nothing of a lost backend is kept\n".to_owned();
    }
    let mut out = String::new();
    for of in all {
        let rows = of["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        out += &format!("failover {}: {} rows that only the lost backend had\n", of["failover"], rows.len());
        for row in rows {
            let table = format!("{}.{}", text(&row["table"]["schema"]), text(&row["table"]["name"]));
            let what = match (row["was"].is_null(), row["row"].is_null()) {
                (true, _) => "made",
                (_, true) => "removed",
                _ => "changed",
            };
            out += &format!("  {table} {}: {what}{}\n", text(&row["key"]), columns(row));
        }
    }
    out
}

/// The columns that the lost backend had otherwise.
fn columns(row: &Json) -> String {
    let read = |image: &Json| -> Vec<(String, Option<String>)> {
        serde_json::from_value(image.clone()).unwrap_or_default()
    };
    let (was, is) = (read(&row["was"]), read(&row["row"]));
    let other = is.iter().filter(|column| !was.contains(column));
    let told: Vec<_> =
        other.map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null"))).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn applied(done: &Json) -> String {
    let changed = done["changed_since"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut out = format!("{} rows are applied\n", done["applied"]);
    if !changed.is_empty() {
        out +=
            &format!("{} were changed since and are kept on (`--force` overwrites them):\n", changed.len());
        changed.iter().for_each(|row| out += &format!("  {}\n", text(row)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_in_words() {
        assert_eq!(bound(&json!({ "writes": 3, "ms": 250 })), "at most 3 writes of the last 250 ms are lost");
        assert!(bound(&json!({ "writes": 3, "ms": u64::MAX })).contains("unknown time"));
        let row = json!({
            "table": { "schema": "public", "name": "tracks" }, "key": "id=7",
            "was": [["id", "7"], ["title", "a"]], "row": [["id", "7"], ["title", "b"]],
        });
        let told = lost(&json!([{ "failover": 2, "rows": [row] }]));
        assert!(
            told.contains("failover 2: 1 rows") && told.contains("public.tracks id=7: changed (title=b)")
        );
        let told = applied(&json!({ "applied": 1, "changed_since": ["public.tracks id=8"] }));
        assert!(told.starts_with("1 rows are applied") && told.contains("public.tracks id=8"));
    }
}
