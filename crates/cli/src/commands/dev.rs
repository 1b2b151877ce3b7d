//! `truststream dev`

use clap::Args;
use serde_json::json;
use truststream_runtime::{Config, Migrated, ProjectFiles};

use super::config::load_options;
use super::serve::Ready;
use crate::Common;
use crate::failure::Done;

/// Starts everything for development.
#[derive(Args)]
pub struct Dev {
    /// Port on 127.0.0.1 and ::1; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
}

impl Dev {
    pub async fn run(&self, common: &Common) -> Done {
        let config = Config::load(&common.project, &load_options(common, true))?;
        let files = ProjectFiles::find(&common.project)?;
        let ready = Ready::open(config, self.port).await?;
        let migrated = files.apply(ready.runtime.database()).await?;
        ready.serve(|ready| announce(ready, &migrated, common.json)).await
    }
}

fn announce(ready: &Ready, migrated: &Migrated, as_json: bool) -> Done {
    let keys = ready.runtime.keys();
    let (anon, service_role) = (keys.api_key("anon")?, keys.api_key("service_role")?);
    if as_json {
        let line = json!({
            "api_url": ready.url(),
            "anon_key": anon,
            "service_role_key": service_role,
            "jwt_secret": keys.secret(),
            "pid": std::process::id(),
            "backend": ready.runtime.route().owner,
            "migrations_applied": migrated.applied,
        });
        println!("{line}");
        return Ok(());
    }
    for name in &migrated.applied {
        println!("applied {name}");
    }
    if migrated.seed_changed {
        println!("seed.sql has changed since it was applied; remove .truststream to begin anew with it");
    }
    println!(
        "\n  TrustStream is ready: backend {} in {}\n",
        ready.runtime.route().owner,
        ready.project().display()
    );
    println!("          API URL: {}", ready.url());
    println!("      REST/Auth/…: {0}/rest/v1 · {0}/auth/v1 · {0}/storage/v1 · {0}/realtime/v1", ready.url());
    println!("       JWT secret: {}", keys.secret().unwrap_or("(asymmetric keys)"));
    println!("         anon key: {anon}");
    println!(" service_role key: {service_role}");
    println!("\n  These keys are for development only; `truststream start` refuses them. Ctrl-C stops.\n");
    Ok(())
}
