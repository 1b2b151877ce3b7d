//! Moving to another backend while writes go on: from embedded SQLite to a second file, or to
//! PostgreSQL if `DATABASE_URL` is set (to an empty database).
//!
//! `cargo run -p truststream --example switch_live`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use serde_json::json;
use truststream::{Config, TrustStream};

const MIGRATION: &str = "create table events (id bigint primary key, body text not null);";

#[tokio::main]
async fn main() -> truststream::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "switch-data".to_owned());
    let db = TrustStream::open_with(configuration(Path::new(&folder))?).await?;
    db.migrate("1_events.sql", MIGRATION).await?;
    let target = if db.switch().active() == "main" { "second" } else { "main" };

    let stop = Arc::new(AtomicBool::new(false));
    let first = db.from("events").select("id").count().await?;
    let writer = tokio::spawn(write(db.clone(), first, Arc::clone(&stop)));

    db.switch().start(target).await?;
    let mut progress = db.switch().watch();
    while let Some(at) = progress.next().await {
        println!("{}: {} of {} rows", at.phase.name(), at.rows_done, at.rows_total);
    }
    db.switch().finished().await?;
    println!("{} serves", db.switch().active());

    stop.store(true, Ordering::Relaxed);
    let written = writer.await.map_err(|error| truststream::Error::internal(error.to_string()))??;
    let found = db.from("events").select("id").count().await? - first;
    println!("{written} rows were written during the switch, {found} are there");

    db.switch().back().await?;
    println!(
        "{} serves again, with {} rows",
        db.switch().active(),
        db.from("events").select("id").count().await?
    );
    db.switch().finalize().await?;
    db.close().await;
    Ok(())
}

/// Writes rows until told to stop; the switch holds a write for a moment but fails none.
async fn write(db: TrustStream, first: u64, stop: Arc<AtomicBool>) -> truststream::Result<u64> {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        db.from("events").insert(&json!({ "id": first + written, "body": "tick" })).await?;
        written += 1;
    }
    Ok(written)
}

/// Usually this is `truststream.toml`; secrets are read from the environment by `${NAME}`.
fn configuration(folder: &Path) -> truststream::Result<Config> {
    let second = match std::env::var("DATABASE_URL") {
        Ok(_) => "provider = \"postgres\"\nurl = \"${DATABASE_URL}\"",
        Err(_) => "provider = \"sqlite\"\npath = \"second.db\"",
    };
    let secret = "for this example only: not a secret at all";
    let text = format!("[auth]\njwt_secret = \"{secret}\"\n[backend.second.database]\n{second}\n");
    Config::from_text(folder, &text)
}
