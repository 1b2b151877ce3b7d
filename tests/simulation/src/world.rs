//! A cluster, and time passing in it: one moment after another, each node in turn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use truststream_services::database::AppliedMigration;
use truststream_switch::ambient::Given;
use truststream_switch::{Options, Verify};

use super::check::{End, check};
use super::control::Control;
use super::faults::{Fault, Goal, Plan, When};
use super::flaw::Flaw;
use super::network::{Network, Place};
use super::node::{Clock, Node};
use super::server::Server;
use super::witness::Witness;
use super::workload::{History, LISTS, Request};

/// When the world begins, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// Milliseconds that pass at once.
const TICK: u64 = 2;

/// How long a run may take, in milliseconds of the world.
const PATIENCE: u64 = 90_000;

/// How long it goes on after its goal is reached.
const AFTER: u64 = 4_000;

/// How often somebody asks for what is wanted.
const ASK: u64 = 400;

/// Rows to copy besides those of the clients.
const BALLAST: u64 = 120;

/// What all nodes share.
pub struct Cluster {
    pub seed: u64,
    pub flaw: Option<Flaw>,
    pub network: Arc<Network>,
    pub control: Arc<Control>,
    pub witness: Arc<Witness>,
    pub history: History,
    main: Arc<Mutex<Server>>,
    cloud: Arc<Mutex<Server>>,
}

impl Cluster {
    pub fn server(&self, place: Place) -> Arc<Mutex<Server>> {
        Arc::clone(if place == Place::Main { &self.main } else { &self.cloud })
    }
}

/// What came of a run.
pub struct Verdict {
    pub broken: Vec<String>,
    pub requests: Vec<Request>,
    /// Milliseconds of the world that it took.
    pub took: u64,
    /// What was stored and what went wrong, in order.
    pub log: Vec<String>,
}

/// A run.
struct World {
    cluster: Arc<Cluster>,
    plan: Plan,
    random: StdRng,
    clock: Clock,
    surroundings: Given,
    nodes: Vec<Option<Node>>,
    lives: Vec<u64>,
    frozen: Vec<u64>,
    /// What is over, or comes back, at a moment.
    later: Vec<(u64, Later)>,
    asked: u64,
    now: u64,
}

#[derive(Clone, Copy)]
enum Later {
    Start(usize),
    Sound(usize, Place),
    Up(Place),
}

/// Runs a seed.
pub fn run(seed: u64, flaw: Option<Flaw>) -> Verdict {
    let mut plan = Plan::of(seed);
    if let Some(flaw) = flaw {
        flaw.shapes(&mut plan, seed);
    }
    run_plan(seed, plan, flaw)
}

/// Runs a plan; whatever it leaves open follows from the seed.
pub fn run_plan(seed: u64, plan: Plan, flaw: Option<Flaw>) -> Verdict {
    let mut world = World::new(seed, plan, flaw);
    let reached = world.through();
    let verdict = world.judge(reached);
    world.nodes.into_iter().flatten().for_each(Node::kill);
    world.clock.end();
    verdict
}

impl World {
    fn new(seed: u64, plan: Plan, flaw: Option<Flaw>) -> Self {
        let clock = Clock::new(0);
        let migration = AppliedMigration { name: "1.sql".to_owned(), sql: "-- lists, notes".to_owned() };
        let mut main = Server::new(plan.fences, vec![migration]);
        (0..BALLAST).for_each(|id| main.note(id, 0).expect("an empty database"));
        let mut cloud = Server::new(plan.fences, Vec::new());
        main.unguarded = flaw == Some(Flaw::UnguardedApplier);
        cloud.unguarded = main.unguarded;
        // A write that is held up for long is under way when others are held.
        let longest = if flaw == Some(Flaw::Mutation("end-before-drain")) { 1_500 } else { 60 };
        let cluster = Arc::new(Cluster {
            seed,
            flaw,
            network: Network::new(clock.handle(), seed, longest),
            control: Control::new(flaw == Some(Flaw::BlindControl)),
            witness: Arc::default(),
            history: History::default(),
            main: Arc::new(Mutex::new(main)),
            cloud: Arc::new(Mutex::new(cloud)),
        });
        let mutation = flaw.and_then(Flaw::mutation);
        let surroundings = Given { at: (Instant::now(), EPOCH_MS), names: 0, mutation };
        let nodes = (0..plan.nodes).map(|node| Some(Node::start(&cluster, node, 0, 0, 0))).collect();
        let (lives, frozen) = (vec![0; plan.nodes], vec![0; plan.nodes]);
        let random = StdRng::seed_from_u64(seed ^ 0x776f_726c);
        let (later, asked, now) = (Vec::new(), 0, 0);
        World { cluster, plan, random, clock, surroundings, nodes, lives, frozen, later, asked, now }
    }

    /// Until the goal is reached and everything has come to rest; says whether it was.
    fn through(&mut self) -> bool {
        let mut stages = self.plan.goal.stages();
        let mut until = None;
        while self.now < PATIENCE {
            self.tick();
            let (phase, owner) = self.cluster.witness.standing();
            match stages.first() {
                Some((_, wanted, at)) if phase == *wanted && owner == *at => {
                    stages.remove(0);
                    self.asked = self.now;
                }
                Some((ask, ..)) => self.ask(ask, &phase),
                None if until.is_none() && self.is_quiet() => until = Some(self.now + AFTER),
                None => {}
            }
            if until.is_some_and(|until| self.now == until) {
                self.cluster.history.stop.store(true, Ordering::SeqCst);
            }
            if until.is_some_and(|until| self.now >= until + AFTER) {
                return true;
            }
        }
        false
    }

    fn is_quiet(&self) -> bool {
        let fenced = self.cluster.witness.seen.lock().log.last().is_some_and(|line| line.ends_with("true"));
        let ready = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.steering.lock().is_some());
        self.later.is_empty() && !fenced && self.nodes.iter().all(ready)
    }

    fn tick(&mut self) {
        self.now += TICK;
        self.cluster.witness.now.store(self.now, Ordering::SeqCst);
        self.come_back();
        self.go_wrong();
        self.clock.until(self.now, None, EPOCH_MS + self.now - TICK, &mut self.surroundings);
        let mut order: Vec<_> = (0..self.nodes.len()).collect();
        order.shuffle(&mut self.random);
        for number in order {
            let frozen = self.frozen[number] > self.now;
            if let Some(node) = &mut self.nodes[number] {
                node.until(self.now, frozen, &mut self.surroundings);
            }
        }
    }

    fn come_back(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.later.extract_if(.., |(at, _)| *at <= now).map(|(_, what)| what).collect();
        for what in due {
            match what {
                Later::Start(node) => {
                    self.lives[node] += 1;
                    let started = Node::start(&self.cluster, node, self.lives[node], now, 0);
                    self.nodes[node] = Some(started);
                }
                Later::Sound(node, place) => self.cluster.network.set(node, place, None),
                Later::Up(place) => self.cluster.network.stop(place, false),
            }
        }
    }

    fn go_wrong(&mut self) {
        let now = self.now;
        let phases = self.cluster.witness.seen.lock().phases.clone();
        let is_due = |when: &When| match when {
            When::At(at) => now >= *at,
            When::Phase(phase, after) => phases.get(*phase).is_some_and(|at| now >= at + after),
        };
        let due: Vec<_> = self.plan.faults.extract_if(.., |(when, _)| is_due(when)).collect();
        for (_, fault) in due {
            self.cluster.witness.note(&format!("{fault:?}"));
            self.fault(fault);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Crash { node, time } => {
                if let Some(running) = self.nodes[node].take() {
                    running.kill();
                    self.later.push((now + time, Later::Start(node)));
                }
            }
            Fault::Freeze { node, time } => self.frozen[node] = now + time,
            Fault::Wire { node, place, condition, time } => {
                self.cluster.network.set(node, place, Some(condition));
                self.later.push((now + time, Later::Sound(node, place)));
            }
            Fault::Alone { node, condition, time } => {
                for place in [Place::Control, Place::Main, Place::Cloud] {
                    self.fault(Fault::Wire { node, place, condition, time });
                }
            }
            Fault::Down { place, time } => {
                self.cluster.network.stop(place, true);
                self.later.push((now + time, Later::Up(place)));
            }
            Fault::Clock { node, by } => {
                if let Some(node) = &mut self.nodes[node] {
                    node.off += by;
                }
            }
            Fault::Abort => self.command("abort"),
        }
    }

    /// Asks for what is wanted, now and then, of whoever is there.
    fn ask(&mut self, command: &'static str, phase: &str) {
        let idle = match command {
            "start" => matches!(phase, "none" | "aborted" | "rolled_back" | "finalized"),
            _ => true,
        };
        if self.now < self.asked + ASK || self.now < 600 {
            return;
        }
        self.asked = self.now;
        if phase == "rolled_back" && command == "start" {
            self.command("finalize");
        }
        if idle {
            self.command(command);
        }
    }

    fn command(&mut self, command: &'static str) {
        let number = self.random.random_range(0..self.nodes.len());
        let Some(node) = &self.nodes[number] else { return };
        let Some(steering) = node.steering.lock().clone() else { return };
        let flawed = matches!(self.cluster.flaw, Some(Flaw::Mutation(_) | Flaw::UnguardedApplier));
        let verify = if flawed { Verify::None } else { Verify::Full };
        let options = Options { chunk: 10, max_pause_ms: 2_000, verify, ..Options::default() };
        node.spawn(async move {
            // Whether it was refused shows in what is stored.
            let _ = match command {
                "start" => steering.start("cloud", options).await.map(drop),
                "back" => steering.back().await.map(drop),
                "finalize" => steering.finalize().await.map(drop),
                _ => steering.abort().await.map(drop),
            };
        });
    }

    fn judge(&self, reached: bool) -> Verdict {
        let (cluster, seen) = (&self.cluster, self.cluster.witness.seen.lock());
        let owner = if seen.owner.as_deref() == Some("cloud") { Place::Cloud } else { Place::Main };
        let server = cluster.server(owner);
        let server = server.lock();
        let end = End {
            lists: (0..LISTS).map(|list| (list, server.list(list))).collect(),
            notes: server.notes().into_iter().collect::<BTreeSet<_>>(),
            writes: seen.writes.clone(),
        };
        let requests = cluster.history.requests.lock().clone();
        let mut broken = check(&requests, &end);
        if !reached {
            broken.push(format!(
                "the goal was not reached: {:?} is wanted, it is {}",
                self.plan.goal, seen.phase
            ));
        }
        Verdict { broken, requests, took: self.now, log: seen.log.clone() }
    }
}

impl Goal {
    /// What is asked for until the switch stands so and this backend serves.
    fn stages(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let commit = ("start", "committed", "cloud");
        match self {
            Goal::Commit => vec![commit],
            Goal::Finalize => vec![commit, ("finalize", "finalized", "cloud")],
            Goal::Back => vec![commit, ("back", "rolled_back", "main")],
            Goal::Again => vec![commit, ("back", "rolled_back", "main"), commit],
        }
    }
}
