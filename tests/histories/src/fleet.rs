//! Runs over several gateways that share one control store, of which one goes wrong.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::time::sleep;
use truststream_conformance::postgres_server::PostgresServer;

use crate::api::Api;
use crate::check::{Violation, check};
use crate::engine::{Engine, Side};
use crate::gateway::{Gateway, Subject};
use crate::run::{Verdict, longest_write};
use crate::wire::{Condition, Wire};
use crate::workload::{Load, MIGRATION, Workload, prepare, read_state};

/// How long leases last in these runs.
const LEASE: Duration = Duration::from_millis(1_500);
/// Long enough for everybody to take a lease as over.
const AWAY: Duration = Duration::from_millis(4_000);
/// How long a run may take to come to its goal.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the gateways share to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Share {
    /// A database, each over a wire of its own.
    Server,
    /// A file, as on one machine.
    File,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Who leads the switch is killed, and started again later.
    KillLeader,
    /// One that does not lead is killed, and started again later.
    KillOther,
    /// Who leads stands still for longer than its lease.
    FreezeLeader,
    /// One that does not lead stands still for longer than its lease.
    FreezeOther,
    /// The server of the control store crashes and comes up again.
    CrashControl,
    /// The wire from who leads to the control store is broken for longer than a lease.
    CutLeader(Condition),
    /// The wire from one that does not lead.
    CutOther(Condition),
}

/// One run of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    fault: Fault,
    /// The phase in which it goes wrong; whatever phase there is after the time if absent.
    phase: Option<&'static str>,
    after: Duration,
    back: bool,
}

impl Schedule {
    /// The run of a seed. The first seeds have each kind of fault once.
    pub fn of(seed: u64, share: Share) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // A file has no wire that could be cut.
        let kinds = if share == Share::File { 5 } else { 9 };
        let fault = match seed % kinds {
            0 => Fault::Nothing,
            1 => Fault::KillLeader,
            2 => Fault::FreezeLeader,
            3 => Fault::FreezeOther,
            4 => Fault::KillOther,
            5 => Fault::CrashControl,
            6 => Fault::CutLeader(Condition::Cut),
            7 => Fault::CutOther(Condition::Silent),
            _ => Fault::CutLeader(Condition::Deaf),
        };
        let phase = match random.random_range(0..6) {
            0 => Some("copying"),
            1 => Some("verifying"),
            2 => Some("ready"),
            3 => Some("fencing"),
            4 => Some("committed"),
            _ => None,
        };
        let after = Duration::from_millis(random.random_range(0..1_500));
        Schedule { fault, phase, after, back: random.random_range(0..2) == 0 }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goal = if self.back { "back" } else { "commit" };
        match self.phase {
            _ if self.fault == Fault::Nothing => write!(f, "{goal}"),
            Some(phase) => write!(f, "{goal}, {:?} while {phase}", self.fault),
            None => write!(f, "{goal}, {:?} after {} ms", self.fault, self.after.as_millis()),
        }
    }
}

/// One of several gateways, with a wire of its own to the control store.
struct Member {
    gateway: Gateway,
    wire: Option<Wire>,
}

struct Fleet {
    members: Vec<Member>,
    /// None where the gateways share a file.
    control: Option<PostgresServer>,
    schedule: Schedule,
    faulted: bool,
    _objects: TempDir,
    _sides: (Side, Side),
}

/// Runs the seed's schedule and judges what clients of all gateways saw.
pub async fn run(
    subject: Subject<'_>,
    pair: (Engine, Engine),
    (gateways, share): (usize, Share),
    load: Load,
    seed: u64,
) -> Result<Verdict> {
    let began = Instant::now();
    let schedule = Schedule::of(seed, share);
    let mut fleet = Fleet::start(subject, pair, (gateways, share), schedule).await?;
    let first = &fleet.members[0].gateway;
    let (service, anon) = (first.service_key.clone(), first.anon_key.clone());
    let api = Api::new(&first.url(), &service)?;
    prepare(&api, load).await?;
    let urls: Vec<_> = fleet.members.iter().map(|member| member.gateway.url()).collect();
    let workload = Workload::start(&urls, &service, &anon, load, seed).await?;
    sleep(Duration::from_millis(500)).await;
    let came = fleet.through().await;
    sleep(Duration::from_millis(500)).await;
    let history = workload.finish().await?;
    let log = fleet.log();
    came.with_context(|| format!("the run did not come to its goal; the logs end with\n{log}"))?;
    let end = read_state(&api, load.clients).await?;
    let mut violations = check(&history, &end);
    let failed: Vec<_> = history.operations.iter().filter_map(|operation| operation.failure()).collect();
    if schedule.fault == Fault::Nothing {
        let failed = failed.iter().map(|why| Violation { rule: "failed", what: why.to_string() });
        violations.extend(failed);
    }
    Ok(Verdict {
        operations: history.operations.len(),
        failed: failed.len(),
        longest_write: longest_write(&history),
        took: began.elapsed(),
        violations,
        log,
    })
}

impl Fleet {
    async fn start(
        subject: Subject<'_>,
        pair: (Engine, Engine),
        (gateways, share): (usize, Share),
        schedule: Schedule,
    ) -> Result<Self> {
        let sides = (Side::start("main", pair.0).await?, Side::start("cloud", pair.1).await?);
        let control = match share {
            Share::Server => Some(PostgresServer::start(&["synchronous_commit=on"])?),
            Share::File => None,
        };
        let objects = truststream_conformance::scratch::folder()?;
        let backends = format!("{}{}", sides.0.settings(), sides.1.settings());
        let backends = backends.replace("root = \"", &format!("root = \"{}/", objects.path().display()));
        let database = control.as_ref().map(PostgresServer::new_database).transpose()?.unwrap_or_default();
        let mut members = Vec::new();
        for number in 0..gateways {
            let (place, wire) = match &control {
                Some(server) => {
                    let wire = Wire::to(server.port()).await?;
                    let (own, wired) = (format!(":{}/", server.port()), format!(":{}/", wire.port()));
                    (format!("url = \"{}\"", database.replace(&own, &wired)), Some(wire))
                }
                None => (format!("path = \"{}/control.db\"", objects.path().display()), None),
            };
            let settings = format!(
                "active = \"main\"\n\n[control]\n{place}\nname = \"g{number}\"\nlease = \"{}ms\"\n\n{backends}",
                LEASE.as_millis()
            );
            let gateway = Gateway::start(subject, &settings, MIGRATION).await?;
            members.push(Member { gateway, wire });
        }
        Ok(Fleet { members, control, schedule, faulted: false, _objects: objects, _sides: sides })
    }

    async fn through(&mut self) -> Result<()> {
        let started = Instant::now();
        // Not always the one that leads then.
        self.members.last().context("a gateway")?.gateway.switch(&[]).await?;
        self.reach(started, &["switch", "start", "cloud", "--detach"], ("committed", "cloud")).await?;
        if self.schedule.back {
            sleep(Duration::from_millis(700)).await;
            self.reach(Instant::now(), &["switch", "back"], ("rolled_back", "main")).await?;
        }
        if self.faulted || self.schedule.fault == Fault::Nothing {
            return self.settle().await;
        }
        bail!("the moment of the fault never came")
    }

    /// Until every gateway says so; what ended by itself is asked for again.
    async fn reach(&mut self, started: Instant, ask: &[&str], (phase, owner): (&str, &str)) -> Result<()> {
        let mut asked = Instant::now();
        loop {
            let seen = self.standing().await;
            if let Ok(seen) = &seen {
                if self.is_due(started, &seen.phase) {
                    self.fault(seen).await?;
                    continue;
                }
                if seen.phase == phase && seen.owner == owner {
                    return Ok(());
                }
                let idle = matches!(seen.phase.as_str(), "aborted" | "none") || ask[1] == "back";
                if idle && asked.elapsed() > Duration::from_secs(1)
                    || ask[1] == "back" && seen.phase == "committed"
                {
                    asked = Instant::now();
                    let _ = self.members[0].gateway.cli(ask).await;
                }
            }
            if started.elapsed() > PATIENCE {
                bail!("still {:?}", seen.map(|seen| (seen.phase, seen.owner)));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn is_due(&self, started: Instant, phase: &str) -> bool {
        let awaited = match self.schedule.phase {
            // A phase that is over before it was seen counts as seen.
            Some(awaited) => phase == awaited || phase == "committed",
            None => started.elapsed() >= self.schedule.after,
        };
        !self.faulted && self.schedule.fault != Fault::Nothing && awaited
    }

    async fn fault(&mut self, seen: &Standing) -> Result<()> {
        self.faulted = true;
        let leader = seen.leader.unwrap_or_default();
        let other = (leader + 1) % self.members.len();
        match self.schedule.fault {
            Fault::Nothing => {}
            Fault::KillLeader => self.restart(leader).await?,
            Fault::KillOther => self.restart(other).await?,
            Fault::FreezeLeader => self.members[leader].gateway.freeze(AWAY).await?,
            Fault::FreezeOther => self.members[other].gateway.freeze(AWAY).await?,
            Fault::CrashControl => {
                let server = self.control.as_mut().context("a server to crash")?;
                server.crash()?;
                sleep(Duration::from_millis(700)).await;
                server.restart()?;
            }
            Fault::CutLeader(condition) => self.cut(leader, condition).await?,
            Fault::CutOther(condition) => self.cut(other, condition).await?,
        }
        Ok(())
    }

    async fn restart(&mut self, number: usize) -> Result<()> {
        let gateway = &mut self.members[number].gateway;
        gateway.kill().await?;
        sleep(AWAY).await;
        gateway.restart().await
    }

    async fn cut(&self, number: usize, condition: Condition) -> Result<()> {
        let wire = self.members[number].wire.as_ref().context("a wire to cut")?;
        wire.set(condition);
        sleep(AWAY).await;
        wire.set(Condition::Sound);
        Ok(())
    }

    /// Every gateway is one of the fleet again, under the same route.
    async fn settle(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let mut routes = Vec::new();
            for member in &self.members {
                let status = member.gateway.cli(&["status"]).await?;
                let all = status["gateways"].as_array().map_or(0, Vec::len);
                routes.push((all, status["route"]["epoch"].clone(), status["route"]["fenced"].clone()));
            }
            let (all, epoch, _) = routes[0].clone();
            if all == self.members.len()
                && routes.iter().all(|route| *route == (all, epoch.clone(), false.into()))
            {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("the gateways do not agree: {routes:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the first gateway that answers says.
    async fn standing(&self) -> Result<Standing> {
        let mut failed = None;
        for member in &self.members {
            match member.gateway.cli(&["status"]).await {
                Ok(status) => return Standing::read(&status),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.context("there is no gateway")?)
    }

    fn log(&self) -> String {
        self.members.iter().map(|member| member.gateway.log()).collect::<Vec<_>>().join("\n---\n")
    }
}

struct Standing {
    phase: String,
    owner: String,
    leader: Option<usize>,
}

impl Standing {
    fn read(status: &Json) -> Result<Self> {
        let gateways = status["gateways"].as_array().context("no gateways")?;
        let leader = gateways.iter().find(|one| one["leads"] == true);
        let number = leader.and_then(|one| one["label"].as_str()?.strip_prefix('g')?.parse().ok());
        Ok(Standing {
            phase: status["switch"]["phase"].as_str().unwrap_or("none").to_owned(),
            owner: status["route"]["owner"].as_str().context("no owner")?.to_owned(),
            leader: number,
        })
    }
}
