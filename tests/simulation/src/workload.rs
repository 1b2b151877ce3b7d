//! Clients, and what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;
use truststream_kernel::Outcome;
use truststream_services::database::{
    Arguments, Database, Format, Invoke, NamedArgument, Query, TableName, Transaction,
};

use super::world::Cluster;

/// Lists that are appended to.
pub const LISTS: i64 = 4;

/// After so many requests clients take their time.
const BUSY: usize = 2_500;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Append { list: i64, item: u64 },
    Note { item: u64 },
    Read { list: i64 },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done; a list as it is now.
    Done(Vec<u64>),
    /// It failed, and had no effect.
    NotApplied,
    /// It failed, with whatever effect.
    Unknown,
}

/// One request. Times are milliseconds of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub action: Action,
    pub began: u64,
    /// Nothing if the client is gone with its node.
    pub told: Option<(u64, Told)>,
}

/// All requests.
#[derive(Default)]
pub struct History {
    pub requests: Mutex<Vec<Request>>,
    items: AtomicU64,
    pub stop: AtomicBool,
}

/// Somebody who writes and reads.
pub struct Client {
    cluster: Arc<Cluster>,
    database: Database,
    random: StdRng,
}

impl Client {
    pub fn new(cluster: &Arc<Cluster>, database: Database, number: usize, life: u64) -> Self {
        let seed = cluster.seed.wrapping_mul(1_000_003) + number as u64 * 1_000 + life;
        Client { cluster: Arc::clone(cluster), database, random: StdRng::seed_from_u64(seed) }
    }

    /// Works until everybody is to stop.
    pub async fn work(mut self) {
        let cluster = Arc::clone(&self.cluster);
        while !cluster.history.stop.load(Ordering::SeqCst) {
            // Lists that have grown long make everything slow.
            let slower = if cluster.history.requests.lock().len() > BUSY { 20 } else { 1 };
            sleep(Duration::from_millis(self.random.random_range(5..80) * slower)).await;
            let list = self.random.random_range(0..LISTS);
            let action = match self.random.random_range(0..10) {
                0..6 => Action::Append { list, item: self.item() },
                6..8 => Action::Note { item: self.item() },
                _ => Action::Read { list },
            };
            let (began, number) = self.begin(action);
            let told = self.does(action).await;
            let ended = cluster.witness.now();
            debug_assert!(began <= ended);
            cluster.history.requests.lock()[number].told = Some((ended, told));
        }
    }

    fn item(&self) -> u64 {
        1_000 + self.cluster.history.items.fetch_add(1, Ordering::SeqCst)
    }

    fn begin(&self, action: Action) -> (u64, usize) {
        let began = self.cluster.witness.now();
        let mut requests = self.cluster.history.requests.lock();
        requests.push(Request { action, began, told: None });
        (began, requests.len() - 1)
    }

    async fn does(&self, action: Action) -> Told {
        let (function, arguments) = match action {
            Action::Append { list, item } => {
                ("append", vec![argument("list", &list), argument("item", &item)])
            }
            Action::Note { item } => ("note", vec![argument("item", &item)]),
            Action::Read { list } => ("read", vec![argument("list", &list)]),
        };
        let invoke = Invoke {
            function: TableName::public(function),
            arguments: Arguments::Named(arguments),
            query: Query::all(),
            read_only: matches!(action, Action::Read { .. }),
            count: None,
            format: Format::default(),
            transaction: Transaction::default(),
        };
        match self.database.send(invoke).await {
            Ok(page) => Told::Done(serde_json::from_slice(&page.body).expect("a list")),
            Err(error) if error.outcome() == Outcome::NotApplied => Told::NotApplied,
            Err(_) => Told::Unknown,
        }
    }
}

fn argument(name: &str, value: &impl ToString) -> NamedArgument {
    NamedArgument { name: name.to_owned(), value: value.to_string(), filter: None }
}
