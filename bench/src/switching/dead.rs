//! What clients see of a flip just before which another gateway was killed.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use truststream_conformance::postgres_server::PostgresServer;

use super::live::{Seen, fleet, flips};
use super::load::{Load, now_ms};
use super::project::began;
use super::{DURABLE, Options};

/// What was seen.
#[derive(Serialize)]
pub struct Dead {
    pub writes: usize,
    pub failed: Vec<String>,
    pub flips: Vec<Seen>,
}

/// Has clients write through one gateway and kills the other while a switch compares its sides, so that its
/// lease is not over when the flip is due; as often as asked for.
pub async fn run(options: &Options, binary: &Path) -> Result<Dead> {
    let server = PostgresServer::start(DURABLE)?;
    let objects = tempfile::tempdir()?;
    let mut gateways = fleet(&server, options.rows, binary, objects.path()).await?;
    let load = Load::start(&gateways[..1], options.rows, options.clients, options.rate);
    tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
    let mut records = Vec::new();
    for kill in 1..=options.kills {
        let [lives, dies] = &mut gateways;
        lives.cli(&["switch", "start", "cloud", "--detach"]).await?;
        while began(&lives.standing().await?["record"], "verifying").is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        dies.kill().await?;
        records.push((now_ms(), lives.reach("committed").await?));
        dies.again().await?;
        lives.cli(&["switch", "back"]).await?;
        lives.reach("rolled_back").await?;
        lives.cli(&["switch", "finalize"]).await?;
        lives.reach("finalized").await?;
        eprintln!("{kill} of {} kills", options.kills);
    }
    let writes = load.stop().await?;
    Ok(Dead {
        failed: writes.iter().filter_map(|write| write.failed.clone()).collect(),
        flips: records
            .iter()
            .flat_map(|(killed, record)| flips(record).map(|flip| Seen::of(flip, Some(*killed), &writes)))
            .collect(),
        writes: writes.len(),
    })
}
