//! Mixed traffic against the gateway, over HTTP, with a record of what was acknowledged.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// One request: when it began, how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Duration,
    pub took: Duration,
}

/// Clients that read and write until they are stopped.
pub struct Traffic {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// What the clients saw.
pub struct Outcome {
    pub samples: Vec<Sample>,
    pub failed: u64,
    pub failures: Vec<String>,
    pub writes: u64,
    /// Acknowledged inserts that are not there.
    pub missing: u64,
    /// Rows that are there although nobody was told so, or twice.
    pub surplus: u64,
}

struct Shared {
    host: String,
    token: String,
    agents: u64,
    began: Instant,
    stop: AtomicBool,
    next: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    samples: Vec<Sample>,
    acknowledged: HashSet<u64>,
    failed: u64,
    failures: Vec<String>,
}

/// Ids of inserted agents begin here, far above the demo's own.
const FIRST: u64 = 1_000_000_000;

impl Traffic {
    /// Starts `clients` clients at about `rate` requests a second in all.
    pub fn start(url: &str, token: &str, agents: u64, clients: u64, rate: u64) -> Self {
        let shared = Arc::new(Shared {
            host: url.trim_start_matches("http://").to_owned(),
            token: token.to_owned(),
            agents,
            began: Instant::now(),
            stop: AtomicBool::new(false),
            next: AtomicU64::new(FIRST),
            seen: Mutex::default(),
        });
        let pace = Duration::from_micros(1_000_000 * clients / rate.max(1));
        let workers =
            (0..clients).map(|number| tokio::spawn(client(Arc::clone(&shared), number, pace))).collect();
        Traffic { shared, workers }
    }

    /// Time since the traffic began.
    pub fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Stops the clients and looks for every acknowledged insert.
    pub async fn finish(self) -> Result<Outcome, String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.map_err(|error| error.to_string())?;
        }
        let found = self.shared.inserted().await?;
        let mut seen = self.shared.seen.lock();
        let distinct: HashSet<u64> = found.iter().copied().collect();
        let missing = seen.acknowledged.difference(&distinct).count() as u64;
        let repeated = found.len() - distinct.len();
        let unknown = if seen.failed == 0 { distinct.difference(&seen.acknowledged).count() } else { 0 };
        Ok(Outcome {
            samples: std::mem::take(&mut seen.samples),
            failed: seen.failed,
            failures: std::mem::take(&mut seen.failures),
            writes: seen.acknowledged.len() as u64,
            missing,
            surplus: (repeated + unknown) as u64,
        })
    }
}

async fn client(shared: Arc<Shared>, number: u64, pace: Duration) {
    let mut connection = None;
    let mut turn = number;
    while !shared.stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        turn = turn.wrapping_add(1);
        shared.one(&mut connection, turn, number).await;
        tokio::time::sleep(pace.saturating_sub(began.elapsed())).await;
    }
}

impl Shared {
    /// One request: mostly reads, a third writes.
    async fn one(&self, connection: &mut Option<SendRequest<Full<Bytes>>>, turn: u64, client: u64) {
        let agent = turn.wrapping_mul(7919) % self.agents + 1;
        let (method, path, body, insert) = match turn % 6 {
            0 => {
                let id = self.next.fetch_add(1, Ordering::Relaxed);
                let body = format!(r#"{{"id":{id},"name":"visitor-{id}","kind":"monitor"}}"#);
                ("POST", "agents".to_owned(), body, Some(id))
            }
            1 => {
                let body =
                    format!(r#"{{"agent_id":{agent},"latency_ms":{}.5,"succeeded":true}}"#, client + 1);
                ("POST", "agent_metrics".to_owned(), body, None)
            }
            2 => ("GET", "agents?select=id,name&order=id.desc&limit=20".to_owned(), String::new(), None),
            3 => (
                "GET",
                format!("agents?id=eq.{agent}&select=name,kind,documents(title,written_at)"),
                String::new(),
                None,
            ),
            _ => ("GET", format!("agents?id=eq.{agent}"), String::new(), None),
        };
        let (at, began) = (self.began.elapsed(), Instant::now());
        let answered = self.send(connection, method, &path, body).await;
        let mut seen = self.seen.lock();
        match answered {
            Ok(_) => {
                seen.samples.push(Sample { at, took: began.elapsed() });
                if let Some(id) = insert {
                    seen.acknowledged.insert(id);
                }
            }
            Err(error) => {
                seen.failed += 1;
                if seen.failures.len() < 5 {
                    seen.failures.push(format!("{method} {path}: {error}"));
                }
            }
        }
    }

    async fn send(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Bytes, String> {
        let failed = |error: hyper::Error| error.to_string();
        let mut sender = match connection.take() {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(&self.host).await.map_err(|error| error.to_string())?;
                let (sender, driving) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
                tokio::spawn(driving);
                sender
            }
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/rest/v1/{path}"))
            .header("host", &self.host)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
        *connection = Some(sender);
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!("{status} {}", String::from_utf8_lossy(&body)))
        }
    }

    /// Ids of all rows that clients inserted.
    async fn inserted(&self) -> Result<Vec<u64>, String> {
        let path = format!("agents?id=gte.{FIRST}&select=id");
        let body = self.send(&mut None, "GET", &path, String::new()).await?;
        let rows: Vec<Json> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(rows.iter().filter_map(|row| row["id"].as_u64()).collect())
    }
}
