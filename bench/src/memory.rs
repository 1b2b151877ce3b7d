//! Memory of the gateway: lists from a thousand rows to a hundred thousand, and bodies of 1, 10 and 50 MB,
//! each on a process that has just started and one after the other, with the most it had resident. Beside
//! it stands what PostgREST's own tests allow a body of that size; what the program's file takes of the
//! memory, whatever it does, is told apart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use tokio::process::Command;

use crate::http::client::Connection;
use crate::peer::{Ready, write};
use crate::process::Server;

const MIB: f64 = 1_048_576.0;
const MIGRATION: &str = "create table items (id bigint primary key, name text not null, note text);\n\
     create function length_of(note text) returns bigint language sql as $$ select length(note) $$;\n";
/// Sizes of bodies in MB, and the most memory that PostgREST's tests allow for them, in MiB.
const BODIES: [(usize, u32); 3] = [(1, 22), (10, 32), (50, 78)];
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
    println!(
        "| request | body or reply, MB | of the file, MiB | before, MiB | most, MiB | PostgREST's most | after, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for first in (0..ROWS).step_by(LOADED) {
        gateway.insert(&rows(first, LOADED)).await?;
    }
    gateway = gateway.again(folder.path(), options).await?;
    for count in [1_000, 10_000, ROWS] {
        for _ in 0..options.repeats {
            gateway.measured(&format!("list of {count}"), &Request::List(count), None).await?;
        }
    }
    for (megabytes, most) in BODIES {
        for (name, request) in requests(megabytes) {
            gateway = gateway.again(folder.path(), options).await?;
            gateway.measured(&format!("{name}, {megabytes} MB"), &request, Some(most)).await?;
        }
    }
    gateway.server.stop().await
}

/// A body of a size, in each way that one is sent.
fn requests(megabytes: usize) -> [(&'static str, Request); 6] {
    let note = "y".repeat(megabytes * 1_000_000);
    let id = 1_000_000 + megabytes;
    let one = format!("{{\"id\":{id},\"name\":\"one\",\"note\":\"{note}\"}}");
    let value = format!("{{\"note\":\"{note}\"}}");
    let count = megabytes * 1_000_000 / ROW_BYTES;
    let (many, lines) = (rows(10_000_000 * megabytes, count), lines(20_000_000 * megabytes, count));
    let of_one = format!("/rest/v1/items?id=eq.{id}");
    [
        ("insert of one row", Request::json("POST", "/rest/v1/items", format!("[{one}]"))),
        ("update of one row", Request::json("PATCH", &of_one, value.clone())),
        ("put of one row", Request::json("PUT", &of_one, one)),
        ("call", Request::json("POST", "/rest/v1/rpc/length_of", value)),
        ("insert of many rows", Request::json("POST", "/rest/v1/items", many)),
        ("insert of many lines", Request::csv("/rest/v1/items", lines)),
    ]
}

fn lines(first: usize, count: usize) -> String {
    let line = |id: usize| format!("{id},item number {id},{}\n", "x".repeat(85));
    "id,name,note\n".to_owned() + &(first..first + count).map(line).collect::<String>()
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
    Body { method: &'static str, target: String, content_type: &'static str, body: String },
}

impl Request {
    fn json(method: &'static str, target: &str, body: String) -> Self {
        Request::Body { method, target: target.to_owned(), content_type: "application/json", body }
    }

    fn csv(target: &str, body: String) -> Self {
        Request::Body { method: "POST", target: target.to_owned(), content_type: "text/csv", body }
    }
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
        self.ask(&Request::json("POST", "/rest/v1/items", rows.to_owned())).await
    }

    /// The size of the body that was sent or came.
    async fn ask(&self, request: &Request) -> Result<usize> {
        let key = &self.key;
        let head = |method: &str, target: &str| {
            format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n")
        };
        let bytes = match request {
            Request::List(count) => head("GET", &format!("/rest/v1/items?limit={count}")) + "\r\n",
            Request::Body { method, target, content_type, body } => {
                let length = body.len();
                head(method, target)
                    + &format!("content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}")
            }
        };
        let mut connection = Connection::open(self.address).await?;
        let reply = connection.ask(bytes.as_bytes()).await?;
        let text = || String::from_utf8_lossy(&reply.body[..reply.body.len().min(200)]).into_owned();
        ensure!((200..300).contains(&reply.status), "{}: {}", reply.status, text());
        Ok(match request {
            Request::List(_) => reply.body.len(),
            Request::Body { body, .. } => body.len(),
        })
    }

    async fn measured(&mut self, name: &str, request: &Request, allowed: Option<u32>) -> Result<()> {
        self.server.forget_peak()?;
        let (before, file) = (self.server.resident(), self.server.of_file());
        let size = self.ask(request).await?;
        if let Some(status) = self.server.ended() {
            bail!("it ended ({status})");
        }
        let (most, after) = (self.server.peak(), self.server.resident());
        let mib = |bytes: u64| bytes as f64 / MIB;
        println!(
            "| {name} | {:.1} | {:.0} | {:.0} | {:.0} | {} | {:.0} |",
            size as f64 / 1e6,
            mib(file),
            mib(before),
            mib(most),
            allowed.map_or_else(String::new, |allowed| allowed.to_string()),
            mib(after)
        );
        Ok(())
    }
}
