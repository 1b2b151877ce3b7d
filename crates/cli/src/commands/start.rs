//! `truststream start`

use clap::Args;
use serde_json::json;
use truststream_runtime::Config;

use super::config::load_options;
use super::serve::Ready;
use crate::Common;
use crate::failure::Done;

/// Starts the gateway for production. Migrations are not applied; keys must be the project's own.
#[derive(Args)]
pub struct Start {
    /// Port on 127.0.0.1 and ::1; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
}

impl Start {
    pub async fn run(&self, common: &Common) -> Done {
        let config = Config::load(&common.project, &load_options(common, false))?;
        let ready = Ready::open(config, self.port).await?;
        ready.serve(|ready| announce(ready, common.json)).await
    }
}

fn announce(ready: &Ready, as_json: bool) -> Done {
    if as_json {
        println!("{}", json!({ "api_url": ready.url(), "pid": std::process::id() }));
    } else {
        println!("TrustStream serves {} on {}", ready.runtime.route().owner, ready.url());
    }
    Ok(())
}
