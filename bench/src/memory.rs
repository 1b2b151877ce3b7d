//! Memory of the gateway: lists from a thousand rows to a hundred thousand, and bodies of 1, 10 and 50 MB,
//! each on a process that has just started and one after the other, with the most it had resident.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use tokio::process::Command;

use crate::http::client::Connection;
use crate::peer::{Ready, write};
use crate::process::Server;

const MIB: f64 = 1_048_576.0;
const MIGRATION: &str = "create table items (id bigint primary key, name text not null, note text);\n";
/// Rows of the longest list.
const ROWS: usize = 100_000;
/// Rows loaded by one request.
const LOADED: usize = 5_000;
/// A row is about so long.
const ROW_BYTES: usize = 110;

/// Measure the gateway's memory while it answers large requests.
#[derive(Args)]
pub struct Options {
    /// TrustStream's binary
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/truststream"))]
    truststream: PathBuf,
    /// On an empty PostgreSQL database of this URL instead of SQLite.
    #[arg(long)]
    postgres: Option<String>,
    /// How often each list is asked for, one after the other.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
}

pub async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    lay_out(folder.path(), options)?;
    let mut gateway = Gateway::start(folder.path(), options).await?;
    println!("| request | body or reply, MB | resident before, MiB | most, MiB | after, MiB |");
    println!("|---|---:|---:|---:|---:|");
    for first in (0..ROWS).step_by(LOADED) {
        gateway.insert(&rows(first, LOADED)).await?;
    }
    gateway = gateway.again(folder.path(), options).await?;
    for count in [1_000, 10_000, ROWS] {
        for _ in 0..options.repeats {
            gateway.measured(&format!("list of {count}"), &Request::List(count)).await?;
        }
    }
    for megabytes in [1, 10, 50] {
        gateway = gateway.again(folder.path(), options).await?;
        let note = "y".repeat(megabytes * 1_000_000);
        let one = format!("[{{\"id\":{},\"name\":\"one\",\"note\":\"{note}\"}}]", 1_000_000 + megabytes);
        gateway.measured(&format!("insert of one row, {megabytes} MB"), &Request::Insert(one)).await?;
    }
    for megabytes in [1, 10, 50] {
        gateway = gateway.again(folder.path(), options).await?;
        let many = rows(10_000_000 * megabytes, megabytes * 1_000_000 / ROW_BYTES);
        gateway.measured(&format!("insert of many rows, {megabytes} MB"), &Request::Insert(many)).await?;
    }
    gateway.server.stop().await
}

fn rows(first: usize, count: usize) -> String {
    let row =
        |id: usize| format!("{{\"id\":{id},\"name\":\"item number {id}\",\"note\":\"{}\"}}", "x".repeat(60));
    format!("[{}]", (first..first + count).map(row).collect::<Vec<_>>().join(","))
}

fn lay_out(folder: &Path, options: &Options) -> Result<()> {
    let mut text = String::new();
    if let Some(url) = &options.postgres {
        text = format!(
            "active = \"main\"\n[backend.main]\ndatabase = {{ provider = \"postgres\", url = {url:?} }}\n\
             storage = {{ provider = \"memory\" }}\nauth = {{ provider = \"native\" }}\n"
        );
    }
    text.push_str("[rest]\nmax_rows = 1000000\n[gateway]\nbody_limit = \"100MiB\"\n");
    write(&folder.join("truststream.toml"), &text)?;
    write(&folder.join("migrations/20260101000000_items.sql"), MIGRATION)
}

/// What is asked for.
enum Request {
    List(usize),
    Insert(String),
}

/// A running gateway.
struct Gateway {
    server: Server,
    address: SocketAddr,
    key: String,
}

impl Gateway {
    async fn start(folder: &Path, options: &Options) -> Result<Self> {
        let binary = options.truststream.canonicalize().context("finding the binary")?;
        let mut command = Command::new(binary);
        command.arg("dev").arg("--project").arg(folder).args(["--port", "0", "--json"]).current_dir(folder);
        let (server, line) = Server::start(command, &folder.join("server.log"), true).await?;
        let ready: Ready = serde_json::from_str(&line.context("no ready line")?)?;
        Ok(Gateway { server, address: ready.address()?, key: ready.service_role_key })
    }

    async fn again(self, folder: &Path, options: &Options) -> Result<Self> {
        self.server.stop().await?;
        Gateway::start(folder, options).await
    }

    async fn insert(&self, rows: &str) -> Result<usize> {
        self.ask(&Request::Insert(rows.to_owned())).await
    }

    /// The size of the body that was sent or came.
    async fn ask(&self, request: &Request) -> Result<usize> {
        let key = &self.key;
        let head = |method: &str, target: &str| {
            format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n")
        };
        let bytes = match request {
            Request::List(count) => head("GET", &format!("/rest/v1/items?limit={count}")) + "\r\n",
            Request::Insert(body) => {
                let length = body.len();
                let json =
                    format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
                head("POST", "/rest/v1/items") + &json
            }
        };
        let mut connection = Connection::open(self.address).await?;
        let reply = connection.ask(bytes.as_bytes()).await?;
        let text = || String::from_utf8_lossy(&reply.body[..reply.body.len().min(200)]).into_owned();
        ensure!((200..300).contains(&reply.status), "{}: {}", reply.status, text());
        Ok(match request {
            Request::List(_) => reply.body.len(),
            Request::Insert(body) => body.len(),
        })
    }

    async fn measured(&mut self, name: &str, request: &Request) -> Result<()> {
        self.server.forget_peak()?;
        let before = self.server.resident();
        let size = self.ask(request).await?;
        if let Some(status) = self.server.ended() {
            bail!("it ended ({status})");
        }
        let (most, after) = (self.server.peak(), self.server.resident());
        let mib = |bytes: u64| bytes as f64 / MIB;
        println!(
            "| {name} | {:.1} | {:.0} | {:.0} | {:.0} |",
            size as f64 / 1e6,
            mib(before),
            mib(most),
            mib(after)
        );
        Ok(())
    }
}
