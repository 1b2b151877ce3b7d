//! What the benchmark asks of a server under test, and the servers.

mod parse_server;
mod pocketbase;
mod raw;
mod supabase_lite;
mod truststream;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::process::Command;

use crate::http::Scenario;
use crate::http::dialect::Dialect;
pub use parse_server::ParseServer;
pub use pocketbase::PocketBase;
pub use raw::Raw;
pub use supabase_lite::SupabaseLite;
pub use truststream::{Ready, TrustStream};

/// What keeps the rows: only peers on the same one are compared by ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A file in the peer's own process.
    Sqlite,
    /// A PostgreSQL server that peers share.
    Postgres,
    /// A server that speaks MongoDB's protocol and that peers share.
    Mongo,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Mongo];
}

/// One server under test: how to install it, lay out its project, and start it.
pub trait Peer {
    /// Its name in the report.
    fn name(&self) -> &'static str;

    /// What keeps its rows.
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    /// What a reader must know to judge the comparison: storage, durability, how access is granted.
    fn settings(&self) -> &'static str;

    /// Gets it ready to start, and says its version.
    fn install(&mut self) -> Result<String>;

    /// Writes a fresh project into `folder`: both tables, their index, public access; no rows.
    fn lay_out(&self, folder: &Path, address: SocketAddr) -> Result<()>;

    /// The command that serves the project of `folder` on `address`.
    fn serve(&self, folder: &Path, address: SocketAddr) -> Command;

    /// Whether the first line on its standard output says when it is ready, and where.
    fn announces(&self) -> bool {
        false
    }

    /// Whether it holds the tables below the rows, to be read with them.
    fn embeds(&self) -> bool {
        false
    }

    /// Whether it can be asked so.
    fn answers(&self, scenario: Scenario) -> bool {
        scenario != Scenario::Embed || self.embeds()
    }

    /// Where it answers and how it wants to be asked, after the `announcement` if it makes one.
    fn target(&self, address: SocketAddr, announcement: Option<&str>) -> Result<Target>;
}

/// A server that answers.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub dialect: Dialect,
}

/// All peers, TrustStream first: the ratios are its to each of the others.
pub fn all(truststream: TrustStream, cache: &Path) -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(truststream),
        Box::new(Raw::on_sqlite()),
        Box::new(PocketBase::new(cache.to_owned())),
        Box::new(SupabaseLite::new(cache.to_owned())),
    ]
}

/// The databases of peers on PostgreSQL, each its own: TrustStream's, the raw driver's for nobody and for
/// callers, Parse Server's.
pub const DATABASES: [&str; 4] = ["truststream_bench", "raw_bench", "callers_bench", "parse_bench"];

/// The peers on one PostgreSQL server, where `url` says where a database is.
pub fn on_postgres(truststream: &Path, cache: &Path, url: &dyn Fn(&str) -> String) -> Vec<Box<dyn Peer>> {
    let [own, raw, callers, parse] = DATABASES.map(url);
    vec![
        Box::new(TrustStream::on(truststream.to_owned(), Engine::Postgres, own)),
        Box::new(Raw::on(Engine::Postgres, raw)),
        Box::new(Raw::for_callers(callers)),
        Box::new(ParseServer::new(cache.to_owned(), parse)),
    ]
}

/// The peers on one server that speaks MongoDB's protocol; each has a database of its own name there.
pub fn on_mongo(truststream: &Path, url: &str) -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(TrustStream::on(truststream.to_owned(), Engine::Mongo, url.to_owned())),
        Box::new(Raw::on(Engine::Mongo, url.to_owned())),
    ]
}

/// Both tables as a Supabase project would write them: the migration that TrustStream and supabase-lite
/// apply. Anonymous callers may read and insert.
pub fn migration() -> String {
    let table = |name: &str| {
        format!(
            "create table {name} (\n  id text primary key,\n  name text not null,\n  category text not null,\n  \
             score double precision not null,\n  created_at timestamptz not null,\n  description text not null\n);\n\
             create index {name}_category_score on {name} (category, score);\n\
             alter table {name} enable row level security;\n\
             create policy {name}_read on {name} for select to anon using (true);\n\
             create policy {name}_add on {name} for insert to anon with check (true);\n"
        )
    };
    table(crate::data::READ_TABLE) + &table(crate::data::WRITE_TABLE)
}

/// Writes `text` to `path`, making its folder.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The first line of what `command` prints.
fn first_line(command: &mut std::process::Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(|line| line.trim().to_owned()).context("it printed no version")
}
