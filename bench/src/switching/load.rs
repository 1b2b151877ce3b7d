//! Clients that write at a steady rate, whatever the answers take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio::task::JoinHandle;

use super::project::Project;
use crate::http::client::Connection;

/// One write as its client saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Write {
    /// When it was due, in milliseconds since 1970.
    pub at: f64,
    /// From then until its answer, in milliseconds: a write that has to wait for its client's last one waits too.
    pub took: f64,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Write>>>,
}

/// What a client needs.
struct Client {
    address: SocketAddr,
    key: String,
    number: u64,
    rows: u64,
    every: Duration,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Has `clients` write `rate` times a second together, by turns through each of the gateways.
    pub fn start(gateways: &[Project], rows: u64, clients: u64, rate: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let every = Duration::from_secs_f64(clients as f64 / rate);
        let begin = |number: u64| {
            let gateway = &gateways[number as usize % gateways.len()];
            let (address, key) = (gateway.address, gateway.key.clone());
            let client = Client { address, key, number, rows, every, stop: Arc::clone(&stop) };
            let offset = every.mul_f64(number as f64 / clients as f64);
            tokio::spawn(client.run(offset))
        };
        let clients = (0..clients).map(begin).collect();
        Load { stop, clients }
    }

    /// Stops, and returns every write.
    pub async fn stop(self) -> Result<Vec<Write>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut writes = Vec::new();
        for client in self.clients {
            writes.extend(client.await?);
        }
        ensure!(!writes.is_empty(), "nothing was written");
        Ok(writes)
    }
}

impl Client {
    async fn run(self, offset: Duration) -> Vec<Write> {
        let (began, wall) = (Instant::now(), now_ms());
        let mut due = offset;
        let (mut writes, mut connection) = (Vec::new(), None);
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep_until((began + due).into()).await;
            let answer = self.write(&mut connection, turn).await;
            let took = (began.elapsed().saturating_sub(due)).as_secs_f64() * 1e3;
            if answer.is_err() {
                connection = None;
            }
            let failed = answer.err().map(|error| format!("{error:#}"));
            writes.push(Write { at: wall + due.as_secs_f64() * 1e3, took, failed });
            due += self.every;
        }
        writes
    }

    /// Two inserts, two updates of rows that were there before, and a delete of one that was inserted.
    async fn write(&self, connection: &mut Option<Connection>, turn: u64) -> Result<()> {
        let own = |turn: u64| 1_000_000_000 + self.number * 10_000_000 + turn;
        let any = (turn * 7_919 + self.number * 104_729) % self.rows + 1;
        let row = format!(
            "{{\"id\":{},\"owner\":{},\"name\":\"new\",\"amount\":1,\"made\":\"2026-02-01T00:00:00Z\"}}",
            own(turn),
            self.number
        );
        let (method, query, body) = match turn % 5 {
            0 | 2 => ("POST", String::new(), row),
            1 | 3 => ("PATCH", format!("?id=eq.{any}"), format!("{{\"amount\":{turn}}}")),
            _ => ("DELETE", format!("?id=eq.{}", own(turn - 2)), String::new()),
        };
        let request = format!(
            "{method} /rest/v1/items{query} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\napikey: {key}\r\n\
             content-type: application/json\r\nprefer: return=representation\r\ncontent-length: {length}\r\n\r\n{body}",
            key = self.key,
            length = body.len()
        );
        if connection.is_none() {
            *connection = Some(Connection::open(self.address).await?);
        }
        let Some(open) = connection else { unreachable!("it was opened") };
        let reply = open.ask(request.as_bytes()).await?;
        ensure!(reply.status < 300, "{method} {}: {}", reply.status, String::from_utf8_lossy(reply.body));
        Ok(())
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3)
}

/// The value below which this share of them lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let index = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(index.saturating_sub(1).min(last)).copied().unwrap_or(0.0)
}
