//! Clients that do everything an application does, and write down what they were told.

mod client;
mod session;
mod state;
mod subscriber;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

pub use state::read_state;

use crate::api::Api;
use crate::check::FIRST_BALANCE;
use crate::history::{Action, History, Operation, Outcome, Subscription};
use client::Client;
use session::Session;

/// Lists and accounts, which all clients share.
const LISTS: i64 = 4;
const ACCOUNTS: i64 = 6;
/// Bucket that files are written to.
const BUCKET: &str = "files";

/// The schema that the clients work on.
pub const MIGRATION: &str = "
create table lists (id bigint primary key, length bigint not null, items jsonb not null);
create table notes (
  id uuid primary key, list_id bigint not null references lists (id),
  client bigint not null, number bigint not null, body text not null
);
create table registers (id bigint primary key, value bigint not null);
create table accounts (
  id bigint primary key, version bigint not null, balance bigint not null check (balance >= 0)
);
create table transfers (
  id uuid primary key, from_id bigint not null references accounts (id),
  to_id bigint not null references accounts (id), amount bigint not null
);
create table receipts (id uuid primary key, amount bigint not null);
create table ballast (id bigint generated always as identity primary key, body text not null);
";

/// Clients that work until they are stopped.
pub struct Workload {
    log: Arc<Log>,
    clients: Vec<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<Subscription>>,
}

/// What the clients share.
struct Log {
    began: Instant,
    stop: AtomicBool,
    operations: Mutex<Vec<Operation>>,
}

impl Log {
    /// Writes down one operation, from before it is sent until after it is answered.
    async fn note(&self, client: i64, action: Action, work: impl Future<Output = Outcome>) -> Outcome {
        let began = self.began.elapsed();
        let outcome = work.await;
        let ended = self.began.elapsed();
        let operation = Operation { client, action, began, ended, outcome: outcome.clone() };
        self.operations.lock().push(operation);
        outcome
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether a subscription was told of every note that was acknowledged since it began, if nothing kept it
    /// from that.
    fn is_told(&self, subscription: &Subscription) -> bool {
        let told: HashSet<&str> = subscription.events.iter().map(|event| event.id.as_str()).collect();
        let operations = self.operations.lock();
        let mut due = operations.iter().filter(|one| one.is_done() && one.began > subscription.since);
        subscription.broken
            || due
                .all(|one| !matches!(&one.action, Action::AddNote { id, .. } if !told.contains(id.as_str())))
    }
}

/// How much the clients do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub clients: i64,
    /// Requests a second of all clients.
    pub rate: u64,
    /// Rows that are there besides, so that a copy has something to do.
    pub ballast: usize,
}

/// Writes what the clients begin with.
pub async fn prepare(api: &Api, load: Load) -> Result<()> {
    let lists: Vec<_> = (1..=LISTS).map(|id| json!({ "id": id, "length": 0, "items": [] })).collect();
    api.must(Method::POST, "/rest/v1/lists", Some(&json!(lists))).await?;
    let accounts: Vec<_> =
        (1..=ACCOUNTS).map(|id| json!({ "id": id, "version": 0, "balance": FIRST_BALANCE })).collect();
    api.must(Method::POST, "/rest/v1/accounts", Some(&json!(accounts))).await?;
    let registers: Vec<_> = (1..=load.clients).map(|id| json!({ "id": id, "value": 0 })).collect();
    api.must(Method::POST, "/rest/v1/registers", Some(&json!(registers))).await?;
    api.must(Method::POST, "/storage/v1/bucket", Some(&json!({ "id": BUCKET, "name": BUCKET }))).await?;
    for from in (0..load.ballast).step_by(1_000) {
        let to = load.ballast.min(from + 1_000);
        let rows: Vec<_> = (from..to).map(|n| json!({ "body": format!("row {n} of the ballast") })).collect();
        api.must(Method::POST, "/rest/v1/ballast", Some(&json!(rows))).await?;
    }
    Ok(())
}

impl Workload {
    /// Starts clients and subscribers, spread over the gateways at `urls`; what they do follows from
    /// `seed`.
    pub async fn start(urls: &[String], service: &str, anon: &str, load: Load, seed: u64) -> Result<Self> {
        let log = Arc::new(Log {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            operations: Mutex::default(),
        });
        let mut workload = Workload { log: Arc::clone(&log), clients: Vec::new(), subscribers: Vec::new() };
        for url in urls.iter().cycle().take(2.max(urls.len())) {
            let api = Api::new(url, service)?;
            let (ready, subscribed) = tokio::sync::oneshot::channel();
            let subscriber = subscriber::follow(api, Arc::clone(&log), ready);
            workload.subscribers.push(tokio::spawn(subscriber));
            subscribed.await.context("a subscriber was not let in")?;
        }
        let pace = Duration::from_micros(1_000_000 * load.clients as u64 / load.rate.max(1));
        for (number, url) in (1..=load.clients).zip(urls.iter().cycle()) {
            let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number as u64));
            let session = Session::sign_up(Api::new(url, anon)?, number).await?;
            let client = Client::new(number, Api::new(url, service)?, session, Arc::clone(&log), random);
            workload.clients.push(tokio::spawn(client.run(pace)));
        }
        Ok(workload)
    }

    /// When it began: times of a history count from then.
    pub fn began(&self) -> Instant {
        self.log.began
    }

    /// Stops everybody and returns what they saw.
    pub async fn finish(self) -> Result<History> {
        self.log.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await?;
        }
        let mut subscriptions = Vec::new();
        for subscriber in self.subscribers {
            subscriptions.push(subscriber.await?);
        }
        let operations = std::mem::take(&mut *self.log.operations.lock());
        Ok(History { operations, subscriptions, ..History::default() })
    }
}
