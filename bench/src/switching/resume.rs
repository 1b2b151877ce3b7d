//! How soon a copy goes on after the gateway that made it was killed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value as Json;
use truststream_conformance::postgres_server::PostgresServer;

use super::copying::project_from_sqlite;
use super::project::Project;
use super::{DURABLE, Options};

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Seconds from starting the gateway again until it copies, for each of some kills of the same copy.
pub async fn run(options: &Options, binary: &Path) -> Result<Vec<f64>> {
    let server = PostgresServer::start(DURABLE)?;
    let target = format!(
        "[backend.cloud]\ndatabase = {{ provider = \"postgres\", url = {:?} }}\nstorage = {{ provider = \"memory\" }}\n",
        server.new_database()?
    );
    let mut project = project_from_sqlite(binary, &target, options.rows).await?;
    // Slow enough to be killed several times.
    let slow = ["switch", "start", "cloud", "--detach", "--throttle", "2", "--chunk", "500"];
    project.cli(&slow).await?;
    let mut took = Vec::new();
    for _ in 0..options.kills {
        goes_on(&project).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        project.kill().await?;
        let began = Instant::now();
        project.again().await?;
        goes_on(&project).await?;
        took.push(began.elapsed().as_secs_f64());
    }
    project.cli(&["switch", "abort"]).await?;
    Ok(took)
}

/// Waits until rows are copied by this process.
async fn goes_on(project: &Project) -> Result<()> {
    let began = Instant::now();
    let mut first = None;
    loop {
        ensure!(began.elapsed() < PATIENCE, "the copy does not go on");
        let shown = project.standing().await?;
        let progress: &Json = &shown["progress"];
        ensure!(
            shown["record"]["phase"] != "committed",
            "the copy was over before it was killed: use more rows"
        );
        if progress["phase"] == "copying" {
            let done = progress["rows_done"].as_u64().unwrap_or(0);
            if done > *first.get_or_insert(done) {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
