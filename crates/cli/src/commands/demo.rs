//! `truststream demo`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use truststream_kernel::Error;
use truststream_runtime::{Config, LoadOptions, Runtime};
use truststream_services::database::Migrate;
use truststream_switch::{Phase, Record};

use super::serve::Ready;
use super::switch_text::report;
use crate::Common;
use crate::demo::{MIGRATION, Outcome, Postgres, Traffic, draw, fill, percentile};
use crate::failure::{Done, Failure};
use crate::progress::Shown;
use crate::text::thousands;

/// Shows it all in a temporary folder: data, mixed traffic over HTTP, a switch from the embedded
/// backend to PostgreSQL (if the machine has one) and back, verification, the report.
#[derive(Args)]
pub struct Demo {
    /// Rows to begin with
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Requests a second
    #[arg(long, default_value_t = 400)]
    rate: u64,
    /// Clients
    #[arg(long, default_value_t = 8)]
    clients: u64,
}

impl Demo {
    pub async fn run(&self, common: &Common) -> Done {
        let folder = Folder::new()?;
        let postgres = Postgres::start(&folder.0)?;
        write_configuration(&folder.0, postgres.as_ref())?;
        let options = LoadOptions { development: true, ..LoadOptions::default() };
        let ready = Ready::open(Config::load(&folder.0, &options)?, Some(0)).await?;
        let runtime = Arc::clone(&ready.runtime);
        let url = ready.url();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(ready.serve_until(async {
            // A sender that is dropped stops the server as well.
            let _ = stopped.await;
        }));
        let shown = self.show(&runtime, &url, postgres.is_some(), common.json).await;
        let _ = stop.send(());
        serving.await.map_err(|error| Error::internal("the gateway broke off").with_source(error))??;
        shown
    }

    async fn show(&self, runtime: &Arc<Runtime>, url: &str, postgres: bool, as_json: bool) -> Done {
        let name = "0001_demo.sql".to_owned();
        let migrate = Migrate { name, sql: MIGRATION.to_owned(), dry_run: false };
        runtime.database().send(migrate).await?;
        let target = if postgres { "PostgreSQL" } else { "a second SQLite file" };
        eprintln!("filling the embedded backend with {} rows …", thousands(self.rows));
        let agents = fill(runtime.database(), self.rows, |_| {}).await?;

        let token = runtime.keys().api_key("service_role")?;
        eprintln!("traffic: {} clients, {} requests a second over HTTP", self.clients, self.rate);
        let traffic = Traffic::start(url, &token, agents, self.clients, self.rate);
        tokio::time::sleep(Duration::from_secs(3)).await;
        eprintln!("switching from SQLite to {target}, under that traffic");
        runtime.switcher().start("cloud", runtime.switch_options()).await?;
        let there = watch(runtime).await?;
        let first = traffic.elapsed();
        tokio::time::sleep(Duration::from_secs(4)).await;
        eprintln!("and back, with everything written since");
        let back = runtime.switcher().back().await?;
        let second = traffic.elapsed();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let outcome = traffic.finish().await.map_err(Error::internal)?;
        debug_assert_eq!(there.id, back.id);
        tell(&back, &outcome, &[first, second], as_json)
    }
}

/// Shows progress until the target serves.
async fn watch(runtime: &Runtime) -> Done<Record> {
    let mut bar = Shown::new();
    loop {
        if let Some(progress) = runtime.switcher().watch() {
            bar.show(&progress.borrow());
        }
        let record = runtime.switcher().latest().await?;
        match record.filter(|record| record.phase == Phase::Committed || record.phase.is_over()) {
            None => tokio::time::sleep(Duration::from_millis(50)).await,
            Some(record) => {
                bar.finish();
                if record.phase == Phase::Committed {
                    return Ok(record);
                }
                let reason = record.report.failure.unwrap_or_default();
                return Err(Error::internal(format!("the switch was given up: {reason}")).into());
            }
        }
    }
}

fn tell(record: &Record, outcome: &Outcome, flips: &[Duration], as_json: bool) -> Done {
    let p = |share| percentile(&outcome.samples, share);
    if as_json {
        let body = serde_json::json!({
            "switch": record,
            "requests": outcome.samples.len(),
            "failed_requests": outcome.failed,
            "acknowledged_inserts": outcome.writes,
            "missing": outcome.missing,
            "surplus": outcome.surplus,
            "latency_ms": { "p50": p(0.5), "p99": p(0.99), "max": p(1.0) },
        });
        println!("{body}");
    } else {
        println!("\n{}", report(record));
        println!("  requests answered: {}", thousands(outcome.samples.len() as u64));
        println!("  failed requests: {}", outcome.failed);
        for failure in &outcome.failures {
            println!("    {failure}");
        }
        println!(
            "  acknowledged inserts: {}, missing: {}, surplus: {}",
            thousands(outcome.writes),
            outcome.missing,
            outcome.surplus
        );
        println!("  latency: p50 {:.2} ms, p99 {:.2} ms, slowest {:.1} ms\n", p(0.5), p(0.99), p(1.0));
        print!("{}", draw(&outcome.samples, flips));
    }
    if outcome.failed == 0 && outcome.missing == 0 && outcome.surplus == 0 {
        return Ok(());
    }
    Err(Failure::from(Error::internal("the switch was not without loss")))
}

fn write_configuration(folder: &Path, postgres: Option<&Postgres>) -> Done {
    let database = match postgres {
        Some(postgres) => format!("{{ provider = \"postgres\", url = \"{}\" }}", postgres.url),
        None => "{ provider = \"sqlite\", path = \"second.db\" }".to_owned(),
    };
    let text = format!(
        "active = \"main\"\n\n[backend.main]\ndatabase = {{ provider = \"sqlite\", path = \"first.db\" }}\n\n\
         [backend.cloud]\ndatabase = {database}\nstorage = {{ provider = \"fs\", root = \"cloud-objects\" }}\n"
    );
    std::fs::write(folder.join("truststream.toml"), text)?;
    Ok(())
}

/// A folder of the demo's own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Done<Self> {
        let path = std::env::temp_dir().join(format!("truststream-demo-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path)?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed lies in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
