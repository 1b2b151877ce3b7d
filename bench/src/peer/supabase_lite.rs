//! `@supabase/lite`: the Supabase API on SQLite in Node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::{Peer, Target, migration, write};
use crate::http::dialect::Dialect;
use crate::install;

const VERSION: &str = "0.10.0";
/// It needs Node 22 for `node:sqlite`, and gets the same one everywhere.
const NODE: &str = "22.23.3";
const KEY: &str = "sb_publishable_benchmark";

/// supabase-lite, from npm.
pub struct SupabaseLite {
    cache: PathBuf,
    modules: PathBuf,
}

impl SupabaseLite {
    /// Installs below `cache`.
    pub fn new(cache: PathBuf) -> Self {
        Self { cache, modules: PathBuf::new() }
    }

    /// `node lite ARGS` in `folder`, without the wrapper script, so that the process measured is the server.
    fn command(&self, folder: &Path, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(self.modules.join("node/bin/node"));
        command.arg(self.modules.join("@supabase/lite/dist/cli/index.js")).args(args).current_dir(folder);
        command.env("LITE_TELEMETRY", "0").env("DO_NOT_TRACK", "1");
        command
    }
}

impl Peer for SupabaseLite {
    fn name(&self) -> &'static str {
        "supabase-lite"
    }

    fn settings(&self) -> &'static str {
        "`lite start` on its default SQLite driver (rollback journal, SQLite's default synchronous=FULL); the \
         publishable key, compared; row-level policies `using (true)`"
    }

    fn install(&mut self) -> Result<String> {
        let packages = [&format!("@supabase/lite@{VERSION}") as &str, &format!("node@{NODE}")];
        self.modules = install::npm(&self.cache, &format!("supabase-lite-{VERSION}"), &packages)?;
        Ok(format!("@supabase/lite {VERSION} on Node {NODE}"))
    }

    fn lay_out(&self, folder: &Path, address: SocketAddr) -> Result<()> {
        let config = format!(
            "[api]\nport = {}\n\n[db]\ndriver = \"sqlite-postgres\"\nurl = \"file:./supabase/.temp/data.db\"\n\n\
             [auth]\nenabled = true\njwt_secret = \"an-example-secret-for-measuring-only-4711\"\n\
             publishable_key = \"{KEY}\"\nsecret_key = \"sb_secret_benchmark\"\n",
            address.port()
        );
        write(&folder.join("supabase/config.toml"), &config)?;
        write(&folder.join("supabase/migrations/20260101000000_agents.sql"), &migration())?;
        std::fs::create_dir_all(folder.join("supabase/.temp"))?;
        install::run(&mut self.command(folder, &["migration", "up"]))
    }

    fn serve(&self, folder: &Path, _address: SocketAddr) -> Command {
        // The port is in the project's configuration.
        self.command(folder, &["start"]).into()
    }

    fn target(&self, address: SocketAddr, _announcement: Option<&str>) -> Result<Target> {
        Ok(Target { address, dialect: Dialect::PostgRest { key: KEY.to_owned() } })
    }
}
