//! `truststream status`

use serde_json::Value as Json;

use crate::Common;
use crate::client::AdminClient;
use crate::failure::Done;
use crate::text::table;

/// Shows which backend serves, how every service is, and the latest switch.
pub async fn run(common: &Common) -> Done {
    let status = AdminClient::find(common)?.get("status").await?;
    if common.json {
        println!("{status}");
        return Ok(());
    }
    let route = &status["route"];
    let fenced = if route["fenced"] == true { ", writes are held" } else { "" };
    println!("backend {} serves (epoch {}{fenced})\n", text(&route["owner"]), route["epoch"]);
    let mut rows = Vec::new();
    for backend in array(&status["backends"]) {
        let mark = if backend["active"] == true { "●" } else { " " };
        if let Some(error) = backend["error"].as_str() {
            rows.push(vec![
                format!("{mark} {}", text(&backend["name"])),
                String::new(),
                format!("down: {error}"),
            ]);
        }
        for service in array(&backend["services"]) {
            let health = match service["error"].as_str() {
                None => format!("up in {:.1} ms", service["latency_ms"].as_f64().unwrap_or_default()),
                Some(error) => format!("down: {error}"),
            };
            let on = format!("{} {}", text(&service["provider"]), text(&service["place"]));
            rows.push(vec![
                format!("{mark} {}", text(&backend["name"])),
                text(&service["service"]).to_owned(),
                health,
                on,
            ]);
        }
    }
    print!("{}", table(&["  backend", "service", "health", "runs on"], &rows));
    if let Some(record) = status["switch"].as_object() {
        let phase = record["phase"].as_str().unwrap_or_default().replace('_', " ");
        println!(
            "\nswitch {} from {} to {}: {phase}",
            record["id"],
            text(&record["from"]),
            text(&record["to"])
        );
    }
    Ok(())
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}
