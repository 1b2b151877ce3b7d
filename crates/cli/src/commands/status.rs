//! `truststream status`

use serde_json::Value as Json;

use super::status_text::{self, since};
use super::switch_text::standing;
use crate::Common;
use crate::client::AdminClient;
use crate::failure::Done;
use crate::text::table;

/// Shows which backend serves, how every service is, its mirror, and the latest failover and switch.
pub async fn run(common: &Common) -> Done {
    let status = AdminClient::find(common)?.get("status").await?;
    if common.json {
        println!("{status}");
        return Ok(());
    }
    print!("{}", all(&status));
    Ok(())
}

/// The whole status as text.
fn all(status: &Json) -> String {
    let route = &status["route"];
    let fenced = if route["fenced"] == true { ", writes are held" } else { "" };
    let head = format!("backend {} serves (epoch {}{fenced})\n", text(&route["owner"]), route["epoch"]);
    let backends = array(&status["backends"]);
    let parts = [
        head,
        gateways(array(&status["gateways"])),
        services(backends, &status["mirror"]),
        status_text::mirror(&status["mirror"]),
        status_text::failover(&status["failover"]),
        switch(&status["switch"], &status["progress"]),
        status_text::history(backends),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn services(backends: &[Json], mirror: &Json) -> String {
    let mut rows = Vec::new();
    for backend in backends {
        let name = text(&backend["name"]);
        let mark = match (&backend["active"], &mirror["to"]) {
            (Json::Bool(true), _) => "●",
            (_, Json::String(to)) if to == name => "◐",
            _ => "○",
        };
        // Named once: what follows belongs to it.
        let mut label = format!("{mark} {name}");
        if let Some(error) = backend["error"].as_str() {
            rows.push(vec![std::mem::take(&mut label), String::new(), format!("down: {error}")]);
        }
        for service in array(&backend["services"]) {
            let on = format!("{} {}", text(&service["provider"]), text(&service["place"]));
            rows.push(vec![
                std::mem::take(&mut label),
                text(&service["service"]).to_owned(),
                health(service),
                on,
            ]);
        }
    }
    table(&["  backend", "service", "health", "runs on"], &rows)
}

/// What its provider answered now, and whether calls reach it.
fn health(service: &Json) -> String {
    let breaker = &service["breaker"];
    let since = breaker["down_since_ms"].as_u64().map(since);
    match (service["error"].as_str(), since) {
        (None, None) => format!("up in {:.1} ms", service["latency_ms"].as_f64().unwrap_or_default()),
        (None, Some(since)) => format!("back, was down for {since}"),
        (Some(error), None) if breaker.is_object() => format!("failing: {error}"),
        (Some(error), None) => format!("down: {error}"),
        (Some(error), Some(since)) => format!("down for {since}: {error}"),
    }
}

fn switch(record: &Json, progress: &Json) -> String {
    if !record.is_object() {
        return String::new();
    }
    let phase = text(&record["phase"]).replace('_', " ");
    let paused = if record["paused"] == true { ", paused" } else { "" };
    let read = (serde_json::from_value(record.clone()), serde_json::from_value(progress.clone()));
    let said = match &read {
        (Ok(record), Ok(progress)) => {
            standing(record, progress).map_or(String::new(), |said| format!(", {said}"))
        }
        _ => String::new(),
    };
    let (from, to) = (text(&record["from"]), text(&record["to"]));
    format!("switch {} from {from} to {to}: {phase}{paused}{said}\n", record["id"])
}

/// Who else admits writes, and which fence each has acknowledged.
fn gateways(all: &[Json]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for one in all {
        let mark = if one["own"] == true { "●" } else { " " };
        let lease = format!("renewed {} ms ago", one["renewed_ms"]);
        let mut fence = format!("epoch {}", one["acknowledged"]);
        if one["awaited"] == true {
            fence.push_str(", awaited");
        }
        let leads = if one["leads"] == true { "leads switches" } else { "" };
        rows.push(vec![format!("{mark} {}", text(&one["label"])), lease, fence, leads.to_owned()]);
    }
    table(&["  gateway", "lease", "acknowledged", ""], &rows)
}

/// A text of the status; empty where there is none.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list of the status; empty where there is none.
pub fn array(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_down_says_since_when_and_what_takes_its_place_what_it_cost() {
        let status = json!({
            "route": { "owner": "spare", "epoch": 4, "fenced": false },
            "gateways": [],
            "backends": [
                { "name": "main", "active": false, "services": [{
                    "service": "database", "provider": "postgres", "place": "db:5432/app",
                    "healthy": false, "latency_ms": 0.2, "error": "connection refused",
                    "breaker": { "state": "open", "down_since_ms": 0, "history": [
                        { "at_ms": 0, "to": "open", "reason": "5 failures in a row" },
                    ] },
                }] },
                { "name": "spare", "active": true, "services": [{
                    "service": "database", "provider": "sqlite", "place": "spare.db",
                    "healthy": true, "latency_ms": 0.25, "error": null, "breaker": { "state": "closed" },
                }] },
            ],
            "mirror": {
                "from": "spare", "to": "main", "phase": "starting", "verified": false, "behind_writes": 0,
                "behind_ms": 0, "note": "it does not answer", "reads": false, "failover_after_ms": null,
            },
            "failover": {
                "id": 1, "from": "main", "to": "spare", "at_ms": 0, "down_ms": 5200, "took_ms": 14.2,
                "loss": { "writes": 3, "ms": 120 },
                "returned": { "at_ms": 0, "changes": 2, "rows": ["public.tracks id=7"] },
            },
            "switch": null,
        });
        let text = all(&status);
        for part in [
            "backend spare serves (epoch 4)",
            "◐ main ",
            "● spare ",
            "connection refused",
            "main follows spare: starting",
            "it does not answer",
            "after 5.2 s without an answer",
            "at most 3 writes of the last 120 ms",
            "2 changes were only there: public.tracks id=7",
            "5 failures in a row",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
