//! What `truststream status` says of mirrors, failovers and of what was down.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::status::{array, text};
use crate::text::{table, thousands};

/// Changes of state that are shown.
const SHOWN: usize = 6;

/// How the mirror stands, and what it is for.
pub fn mirror(mirror: &Json) -> String {
    if !mirror.is_object() {
        return String::new();
    }
    let number = |key: &str| mirror[key].as_u64().unwrap_or_default();
    let mut out = format!("{} follows {}: ", text(&mirror["to"]), text(&mirror["from"]));
    match text(&mirror["phase"]) {
        "following" if number("behind_writes") == 0 => out.push_str("in sync"),
        "following" => out.push_str(&format!(
            "{} writes behind, by {}",
            thousands(number("behind_writes")),
            time(number("behind_ms"))
        )),
        "copying" => out.push_str(&format!("copying, {} rows so far", thousands(number("rows")))),
        phase => out.push_str(phase),
    }
    out.push('\n');
    if let Some(note) = mirror["note"].as_str() {
        out.push_str(&format!("  {note}\n"));
    }
    let fit = mirror["verified"] == true && mirror["phase"] == "following";
    match (mirror["failover_after_ms"].as_u64(), fit) {
        (Some(after), true) => {
            out.push_str(&format!("  takes over after {} without an answer\n", time(after)));
        }
        (Some(_), false) => out.push_str("  can't take over yet: the two have not been compared\n"),
        (None, _) => {}
    }
    if mirror["reads"] == true {
        out.push_str(&format!("  reads go there while {} does not answer\n", text(&mirror["from"])));
    }
    out
}

/// What the latest failover did and cost.
pub fn failover(failover: &Json) -> String {
    if !failover.is_object() {
        return String::new();
    }
    let number = |value: &Json| value.as_u64().unwrap_or_default();
    let loss = &failover["loss"];
    let cost = match (number(&loss["writes"]), number(&loss["ms"])) {
        (writes, u64::MAX) => {
            format!("how much was lost is not known; {} writes at least", thousands(writes))
        }
        (0, 0) => "nothing was lost".to_owned(),
        (writes, ms) => format!("at most {} writes of the last {} were lost", thousands(writes), time(ms)),
    };
    let mut out = format!(
        "failover {} from {} to {}, {}: after {} without an answer, in {:.0} ms; {cost}\n",
        failover["id"],
        text(&failover["from"]),
        text(&failover["to"]),
        ago(number(&failover["at_ms"])),
        time(number(&failover["down_ms"])),
        failover["took_ms"].as_f64().unwrap_or_default(),
    );
    let returned = &failover["returned"];
    if returned.is_object() {
        let rows: Vec<_> = array(&returned["rows"]).iter().map(text).collect();
        let found = match number(&returned["changes"]) {
            0 => "nothing was only there".to_owned(),
            1 => format!("one change was only there: {}", shortened(&rows)),
            changes => format!("{} changes were only there: {}", thousands(changes), shortened(&rows)),
        };
        let (from, came) = (text(&failover["from"]), ago(number(&returned["at_ms"])));
        out.push_str(&format!("  {from} came back {came}; {found}\n"));
    }
    out
}

fn shortened(rows: &[&str]) -> String {
    let shown = rows.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if rows.len() > SHOWN { format!("{shown}, …") } else { shown }
}

/// When providers went and came, the latest first.
pub fn history(backends: &[Json]) -> String {
    let mut all = Vec::new();
    for backend in backends {
        for service in array(&backend["services"]) {
            for change in array(&service["breaker"]["history"]) {
                all.push((change["at_ms"].as_u64().unwrap_or_default(), backend, service, change));
            }
        }
    }
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let rows: Vec<_> = all
        .into_iter()
        .take(SHOWN)
        .map(|(at, backend, service, change)| {
            let state = if change["to"] == "open" { "down" } else { "up" };
            let who = format!("{} {}", text(&backend["name"]), text(&service["service"]));
            vec![ago(at), who, state.to_owned(), text(&change["reason"]).to_owned()]
        })
        .collect();
    table(&["when", "provider", "", "why"], &rows)
}

/// How long ago that was: `12 s ago`.
fn ago(at_ms: u64) -> String {
    format!("{} ago", since(at_ms))
}

/// The time since then.
pub fn since(at_ms: u64) -> String {
    time(now_ms().saturating_sub(at_ms))
}

/// The time until then.
pub fn until(at_ms: u64) -> String {
    time(at_ms.saturating_sub(now_ms()))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time in the unit that fits: `340 ms`, `5.2 s`, `3 min`, `7 h`.
fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_unit_that_fits() {
        let told = [340, 5_240, 180_000, 7_300_000, 200_000_000].map(time);
        assert_eq!(told, ["340 ms", "5.2 s", "3 min", "2 h", "2 days"]);
    }
}
