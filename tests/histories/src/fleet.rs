//! Runs over several gateways that share one control store, of which one goes wrong.

mod failover;
mod schedule;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::time::sleep;
use truststream_conformance::postgres_server::PostgresServer;

use crate::api::Api;
use crate::check::{Violation, check, check_failover};
use crate::engine::{Engine, Side};
use crate::gateway::{Gateway, Subject};
use crate::history::Away;
use crate::namespaces::{Home, Namespaces, Place, Way};
use crate::run::{Verdict, longest_write};
use crate::schedule::{Goal, STEPS};
use crate::wire::{Condition, Wire};
use crate::workload::{Load, MIGRATION, Workload, prepare, read_state};

use schedule::{Fault, Who};
pub use schedule::{Kind, Schedule, Share};

/// How long leases last in these runs.
const LEASE: Duration = Duration::from_millis(1_500);
/// And where nothing is to go wrong, so that they are renewed in time on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(20);
/// Long enough for everybody to take a lease as over.
const AWAY: Duration = Duration::from_millis(4_000);
/// How soon after that a gateway is in touch again.
const BACK: Duration = Duration::from_millis(2_500);
/// How long a run may take to come to its goal.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub gateways: usize,
    pub share: Share,
    pub kind: Kind,
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
    /// None where the gateways share the network of this process.
    network: Option<Namespaces>,
    schedule: Schedule,
    /// Whether the switch is given up, on the way to where who leads is to stand still, and made anew.
    gives_up: bool,
    faulted: bool,
    /// Which gateway lost touch, from when to when.
    away: Option<(usize, Instant, Instant)>,
    _objects: TempDir,
    sides: (Side, Side),
}

/// Runs the seed's schedule and judges what clients of all gateways saw.
pub async fn run(
    subject: Subject<'_>,
    pair: (Engine, Engine),
    setup: Setup,
    load: Load,
    seed: u64,
) -> Result<Verdict> {
    let began = Instant::now();
    let schedule = Schedule::of(seed, setup.share, setup.kind);
    let mut fleet = Fleet::start(subject, pair, setup, schedule).await?;
    let first = &fleet.members[0].gateway;
    let (service, anon) = (first.service_key.clone(), first.anon_key.clone());
    let api = Api::new(&first.url(), &service)?;
    prepare(&api, load).await?;
    let urls: Vec<_> = fleet.members.iter().map(|member| member.gateway.url()).collect();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let workload = Workload::start(&urls, &service, &anon, load, seed).await?;
    sleep(Duration::from_millis(500)).await;
    let mut told = None;
    let came = match setup.kind {
        Kind::Backend => fleet.through_failover(wall).await.map(|of| told = Some(of)),
        _ => fleet.through().await,
    };
    sleep(Duration::from_millis(500)).await;
    let began_work = workload.began();
    let mut history = workload.finish().await?;
    history.gateways = fleet.members.len();
    history.away.extend(fleet.away.map(|(gateway, from, to)| Away {
        gateway,
        from: from.saturating_duration_since(began_work),
        to: to.saturating_duration_since(began_work) + BACK,
    }));
    let log = fleet.log();
    came.with_context(|| format!("the run did not come to its goal; the logs end with\n{log}"))?;
    let end = read_state(&api, load.clients).await?;
    let mut violations = match &told {
        Some(told) => check_failover(&history, &end, told),
        None => check(&history, &end),
    };
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
        setup: Setup,
        schedule: Schedule,
    ) -> Result<Self> {
        let network = if setup.kind == Kind::Network { namespaces(setup.gateways) } else { None };
        let at = |place| network.as_ref().map_or(Ipv4Addr::LOCALHOST, |network| network.server(place));
        let source = Side::start("main", pair.0, at(Place::Main), None).await?;
        let sides = (source, Side::start("cloud", pair.1, at(Place::Cloud), None).await?);
        let control = match setup.share {
            Share::Server => Some(PostgresServer::start(&["synchronous_commit=on"])?),
            Share::File => None,
        };
        let objects = truststream_conformance::scratch::folder()?;
        let backends = format!("{}{}", sides.0.settings(), sides.1.settings());
        let backends = backends.replace("root = \"", &format!("root = \"{}/", objects.path().display()));
        let database = control.as_ref().map(PostgresServer::new_database).transpose()?.unwrap_or_default();
        let more = if setup.kind == Kind::Backend { failover::SETTINGS } else { "" };
        let lease = if schedule.fault == Fault::Nothing { UNHURRIED } else { LEASE };
        let mut members = Vec::new();
        for number in 0..setup.gateways {
            let (place, wire) = match &control {
                Some(server) => {
                    let wire = Wire::to(server.port(), at(Place::Control)).await?;
                    (format!("url = \"{}\"", wire.leads_to(&database)), Some(wire))
                }
                None => (format!("path = \"{}/control.db\"", objects.path().display()), None),
            };
            let settings = format!(
                "active = \"main\"\n\n[control]\n{place}\nname = \"g{number}\"\nlease = \"{}ms\"\n\n{backends}{more}",
                lease.as_millis()
            );
            let home = network.as_ref().map_or_else(Home::here, |network| network.home(number));
            // The first one leads.
            let stop_at = subject.stop_at.filter(|_| number == 0);
            let subject = Subject { stop_at, jumps: schedule.jumps(), ..subject };
            let gateway = Gateway::start(subject, home, &settings, MIGRATION).await?;
            members.push(Member { gateway, wire });
        }
        let gives_up = subject.stop_at.is_some_and(|step| STEPS.contains(&(step, Goal::Abort)));
        let (faulted, away) = (false, None);
        Ok(Fleet { members, control, network, schedule, gives_up, faulted, away, _objects: objects, sides })
    }

    async fn through(&mut self) -> Result<()> {
        let started = Instant::now();
        // Not always the one that leads then.
        let last = &self.members.last().context("a gateway")?.gateway;
        last.switch(&[]).await?;
        if self.gives_up {
            // Answered by who leads by then.
            last.cli(&["switch", "abort"]).await?;
        }
        self.reach(started, ("committed", "cloud")).await?;
        self.wake().await?;
        if self.schedule.back {
            sleep(Duration::from_millis(700)).await;
            self.reach(Instant::now(), ("rolled_back", "main")).await?;
        }
        if self.faulted || self.schedule.fault == Fault::Nothing {
            return self.settle().await;
        }
        bail!("the moment of the fault never came")
    }

    /// Until every gateway says so; what ended by itself is asked for again.
    async fn reach(&mut self, started: Instant, (phase, owner): (&str, &str)) -> Result<()> {
        let mut asked = Instant::now();
        let goes_back = phase == "rolled_back";
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
                let idle = matches!(seen.phase.as_str(), "aborted" | "none") || goes_back;
                if idle && asked.elapsed() > Duration::from_secs(1) || goes_back && seen.phase == "committed"
                {
                    asked = Instant::now();
                    let mut gateways = self.members.iter().map(|member| &member.gateway);
                    let gateway = gateways.find(|gateway| !gateway.stands_still()).context("a gateway")?;
                    let ask = if goes_back {
                        gateway.cli(&["switch", "back"]).await
                    } else {
                        gateway.switch(&[]).await
                    };
                    drop(ask);
                }
            }
            if started.elapsed() > PATIENCE {
                bail!("still {:?}", seen.map(|seen| (seen.phase, seen.owner)));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Has who stood still go on, in what it believes to be the middle of a copy.
    async fn wake(&self) -> Result<()> {
        for member in self.members.iter().filter(|member| member.gateway.stands_still()) {
            member.gateway.go_on().await?;
            sleep(AWAY).await;
        }
        Ok(())
    }

    fn is_due(&self, started: Instant, phase: &str) -> bool {
        let awaited = match self.schedule.phase {
            _ if self.schedule.fault == Fault::Stopped => self.members[0].gateway.stands_still(),
            // A phase that is over before it was seen counts as seen.
            Some(awaited) => phase == awaited || phase == "committed",
            None => started.elapsed() >= self.schedule.after,
        };
        !self.faulted && self.schedule.fault != Fault::Nothing && awaited
    }

    async fn fault(&mut self, seen: &Standing) -> Result<()> {
        self.faulted = true;
        let leader = seen.leader.unwrap_or_default();
        let all = self.members.len();
        let choose = |who| if who == Who::Leader { leader } else { (leader + 1) % all };
        let (began, out_of_touch) = (Instant::now(), self.schedule.out_of_touch().map(choose));
        match self.schedule.fault {
            Fault::Nothing | Fault::Stopped | Fault::LoseMain { .. } | Fault::CutMain => {}
            Fault::Kill(who) => self.restart(choose(who)).await?,
            Fault::Freeze(who) => self.members[choose(who)].gateway.freeze(AWAY).await?,
            Fault::Clock(who, seconds) => self.members[choose(who)].gateway.jump(seconds)?,
            Fault::CrashControl => {
                let server = self.control.as_mut().context("a server to crash")?;
                server.crash()?;
                sleep(Duration::from_millis(700)).await;
                server.restart()?;
            }
            Fault::Wire(who, condition) => self.cut(choose(who), condition).await?,
            Fault::Network(who, places, way) => match &self.network {
                Some(network) => {
                    network.cut(choose(who), places, way)?;
                    sleep(AWAY).await;
                    network.mend()?;
                }
                None => self.cut(choose(who), on_a_wire(way)).await?,
            },
        }
        self.away = out_of_touch.map(|gateway| (gateway, began, Instant::now()));
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
            let (mut routes, mut failed) = (Vec::new(), None);
            for member in &self.members {
                match member.gateway.cli(&["status"]).await {
                    Ok(status) => {
                        let all = status["gateways"].as_array().map_or(0, Vec::len);
                        let route = &status["route"];
                        routes.push((all, route["epoch"].clone(), route["fenced"].clone()));
                    }
                    Err(error) => failed = Some(error),
                }
            }
            let agreed = |(all, epoch, _): &(usize, Json, Json)| {
                let one = (self.members.len(), epoch.clone(), Json::from(false));
                *all == one.0 && routes.len() == one.0 && routes.iter().all(|route| *route == one)
            };
            if routes.first().is_some_and(agreed) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("the gateways do not agree: {routes:?}, {failed:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the first gateway that answers says.
    async fn standing(&self) -> Result<Standing> {
        let mut failed = None;
        for member in self.members.iter().filter(|member| !member.gateway.stands_still()) {
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

/// Networks that can be cut; none, and why in words, where they are not permitted.
fn namespaces(gateways: usize) -> Option<Namespaces> {
    match Namespaces::make(gateways) {
        Ok(network) => Some(network),
        Err(error) => {
            println!(
                "        namespaces are not permitted here, the wire to the control store is cut instead: {error:#}"
            );
            None
        }
    }
}

/// What comes nearest to lost packets on the wire to the control store.
fn on_a_wire(way: Way) -> Condition {
    if way == Way::Back { Condition::Deaf } else { Condition::Silent }
}
