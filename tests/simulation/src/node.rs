//! One process: the very types of a gateway, on a clock of its own, which can stand still.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, advance, sleep, sleep_until};
use truststream_kernel::{Call, Context, Driven, Effect, Error, Features, Operation, Result, Stack};
use truststream_services::database::{Database, DatabaseOp, DatabaseReply, DatabaseService};
use truststream_services::objects::Objects;
use truststream_switch::ambient::{Given, give, take_away};
use truststream_switch::{Files, Fleet, Gate, Held, Route, Routes, Side, Sides, Steering};

use super::control;
use super::database::Reached;
use super::flaw::Flaw;
use super::network::{Place, Wire};
use super::objects::Nothing;
use super::workload::Client;
use super::world::{Cluster, EPOCH_MS};

/// How long leases last here.
pub const LEASE: Duration = Duration::from_millis(1_500);

/// Clients of each node.
const CLIENTS: usize = 3;

/// A clock that goes when it is told to, and what happens by it.
pub struct Clock {
    runtime: Runtime,
    origin: Instant,
    /// When it began, in milliseconds of the world.
    began: u64,
}

impl Clock {
    pub fn new(began: u64) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without drivers of the system needs nothing of it");
        let origin = runtime.block_on(async { Instant::now() });
        Clock { runtime, origin, began }
    }

    pub fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Lets everything happen until then. What was due while it stood still (`since`) is late.
    pub fn until(&self, now: u64, since: Option<u64>, time_of_day: u64, surroundings: &mut Given) {
        let target = self.origin + Duration::from_millis(now - self.began);
        let mut given = surroundings.clone();
        self.runtime.block_on(async {
            if let Some(since) = since {
                advance(Duration::from_millis(now - 1 - since)).await;
            }
            given.at = (Instant::now(), time_of_day);
            give(given);
            sleep_until(target).await;
        });
        if let Some(given) = take_away() {
            surroundings.names = given.names;
        }
    }

    /// Ends everything that happens by it, at once.
    pub fn end(self) {
        self.runtime.shutdown_background();
    }
}

/// Backends as one node reaches them.
pub struct Backends(BTreeMap<&'static str, Side>);

impl Backends {
    fn of(cluster: &Cluster, node: usize) -> Arc<Self> {
        let side = |name: &'static str, place: Place| {
            let wire = Wire { network: Arc::clone(&cluster.network), node, place };
            let (server, witness) = (cluster.server(place), Arc::clone(&cluster.witness));
            let driver = Reached { wire, server, witness };
            let database = Database::new(Arc::new(Driven(driver)), Context::system());
            let files = Files::Store(Objects::new(Arc::new(Driven(Nothing)), Context::system()));
            let files_place = "shared".to_owned();
            let elsewhere = BTreeMap::new();
            let whole = Arc::clone(database.stack());
            (name, Side { name: name.to_owned(), database, whole, files, files_place, elsewhere })
        };
        Arc::new(Backends([side("main", Place::Main), side("cloud", Place::Cloud)].into()))
    }

    fn find(&self, name: &str) -> Result<Side> {
        self.0.get(name).cloned().ok_or_else(|| Error::internal("there is no such backend"))
    }
}

impl Sides for Backends {
    fn side<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Side>> {
        std::future::ready(self.find(name)).boxed()
    }
}

/// The way of every request: through the gate to whoever owns the route, as the product's routed
/// services go it.
struct Gated {
    gate: Arc<Gate>,
    backends: Arc<Backends>,
    flaw: Option<Flaw>,
}

impl Gated {
    async fn send(&self, cx: &Context, op: &DatabaseOp) -> Result<DatabaseReply> {
        let effect = if self.flaw == Some(Flaw::Ungated) { Effect::Read } else { op.info().effect };
        let pass = self.gate.admit(effect).await?;
        let owner = self.backends.find(&pass.route().owner)?;
        let work = owner.database.stack().call(cx, op);
        let reply = match self.flaw {
            Some(Flaw::UnboundedInFlight) => work.await?,
            _ => pass.within(work).await?,
        };
        pass.acknowledge().map(|()| reply)
    }
}

impl Call<DatabaseService> for Gated {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        self.send(cx, op).boxed()
    }
}

/// A process that runs.
pub struct Node {
    clock: Clock,
    pub steering: Arc<Mutex<Option<Arc<Steering>>>>,
    /// When it began to stand still.
    stands: Option<u64>,
    /// How far its time of day is off, in milliseconds.
    pub off: i64,
}

impl Node {
    /// Starts a process.
    pub fn start(cluster: &Arc<Cluster>, number: usize, life: u64, now: u64, off: i64) -> Self {
        let clock = Clock::new(now);
        let steering = Arc::new(Mutex::new(None));
        let (cluster, slot) = (Arc::clone(cluster), Arc::clone(&steering));
        clock.handle().spawn(async move {
            loop {
                match open(&cluster, number, life).await {
                    Ok(steering) => return *slot.lock() = Some(steering),
                    Err(_) => sleep(Duration::from_millis(200)).await,
                }
            }
        });
        Node { clock, steering, stands: None, off }
    }

    /// Lets a moment pass, unless it stands still.
    pub fn until(&mut self, now: u64, frozen: bool, surroundings: &mut Given) {
        if frozen {
            self.stands.get_or_insert(now - 1);
            return;
        }
        let since = self.stands.take();
        let time_of_day = (EPOCH_MS + now - 1).saturating_add_signed(self.off);
        self.clock.until(now, since, time_of_day, surroundings);
    }

    /// Has something done in it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.clock.handle().spawn(work);
    }

    /// Ends it without a warning.
    pub fn kill(self) {
        self.clock.end();
    }
}

async fn open(cluster: &Arc<Cluster>, number: usize, life: u64) -> Result<Arc<Steering>> {
    let wire = Wire { network: Arc::clone(&cluster.network), node: number, place: Place::Control };
    let control = control::Reached::new(wire, Arc::clone(&cluster.control), Arc::clone(&cluster.witness));
    let backends = Backends::of(cluster, number);
    let fleet = Fleet { label: format!("g{number}"), lease: LEASE };
    let (first, sides) = (Route::first("main"), Arc::clone(&backends) as Arc<dyn Sides>);
    let routes = Routes::join(Arc::clone(&control) as _, first, Held::default(), fleet, sides).await?;
    let gate = Arc::clone(routes.gate());
    let steering = Steering::new(control, routes, Arc::clone(&backends) as _);
    steering.recover().await?;
    let stack: Stack<DatabaseService> = Arc::new(Gated { gate, backends, flaw: cluster.flaw });
    for client in 0..CLIENTS {
        let database = Database::new(Arc::clone(&stack), Context::system());
        let client = Client::new(cluster, database, number * CLIENTS + client, life);
        tokio::spawn(client.work());
    }
    Ok(steering)
}
