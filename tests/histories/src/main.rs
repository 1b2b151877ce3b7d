//! Histories of clients through live switches under faults.
//!
//! Clients insert, remove, append by compare and set, transfer money atomically, refresh sessions,
//! overwrite files and follow changes, through the real binary, while it is switched and things go
//! wrong. What they were told is written down; a checker that knows nothing of the implementation
//! decides afterwards whether any promise was broken. Everything but timing follows from a seed.

mod api;
mod check;
mod clock;
mod disk;
mod drive;
mod engine;
mod fleet;
mod gateway;
mod history;
mod namespaces;
mod run;
mod schedule;
mod wire;
mod workload;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use engine::Engine;
use fleet::{Kind, Setup, Share};
use gateway::{Strategy, Subject};
use run::Verdict;
use schedule::{Fault, STEPS, Schedule};
use wire::Wire;
use workload::Load;

/// Runs live switches under faults and judges what the clients saw.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    relay: Option<Relay>,
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Engine that serves at first
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    from: Engine,
    /// Engine that it is switched to
    #[arg(long, value_enum, default_value_t = Engine::Postgres)]
    to: Engine,
    /// How it is switched
    #[arg(long, value_enum, default_value_t = Strategy::BlueGreen)]
    strategy: Strategy,
    /// Let nothing go wrong
    #[arg(long)]
    no_faults: bool,
    /// End the gateway, built with the feature `mutations`, at these named steps instead, or at every one
    #[arg(long, num_args = 0.., value_name = "STEP")]
    steps: Option<Vec<String>>,
    /// Have the binary, built with the feature `mutations`, make this mistake, without comparing both
    /// sides itself; succeed only if the checker catches it
    #[arg(long)]
    mutation: Option<String>,
    /// Gateways that share one control store; more than one are a fleet, in which one of them goes wrong
    #[arg(long, default_value_t = 1)]
    gateways: usize,
    /// What a fleet shares: a server, or a file of one machine
    #[arg(long, value_enum, default_value_t = Share::Server)]
    share: Share,
    /// Cut the networks between the gateways of a fleet and its servers, in namespaces
    #[arg(long)]
    networks: bool,
    /// Lose the backend that serves, of which a fleet keeps a mirror
    #[arg(long)]
    failover: bool,
    /// Have the gateway of a fleet that leads, built with the feature `mutations`, stand still at this
    /// named step until another one has made the switch
    #[arg(long, value_name = "STEP")]
    stop_at: Option<String>,
    /// Clients
    #[arg(long, default_value_t = 8)]
    clients: i64,
    /// Requests a second of all clients
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Rows to copy besides those of the clients
    #[arg(long, default_value_t = 5_000)]
    ballast: usize,
    /// The binary under test
    #[arg(long, env = "TRUSTSTREAM_BIN", default_value = "target/release/truststream")]
    binary: PathBuf,
}

/// What brings clients to a gateway in a namespace: it runs there.
#[derive(Subcommand)]
enum Relay {
    #[command(hide = true)]
    Relay { near: SocketAddr, far: SocketAddr },
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Relay::Relay { near, far }) = options.relay {
        let _wire = Wire::between(near, far).await?;
        std::future::pending::<()>().await;
    }
    let binary = std::path::absolute(&options.binary)?;
    let load = Load { clients: options.clients, rate: options.rate, ballast: options.ballast };
    let mut bad = Vec::new();
    println!("  seed  requests  failed  slowest write  took     verdict   run");
    for (seed, schedule) in options.schedules()? {
        let (strategy, mutation) = (options.strategy, options.mutation.as_deref());
        let stop_at = options.stop_at.as_deref();
        let subject = Subject { binary: &binary, strategy, mutation, end_at: None, stop_at, jumps: false };
        let pair = (options.from, options.to);
        let verdict = match options.gateways {
            1 => run::run(subject, pair, schedule, load, seed).await,
            _ => fleet::run(subject, pair, options.setup(), load, seed).await,
        };
        match verdict {
            Ok(verdict) => {
                print(seed, &verdict, &options.described(seed, schedule));
                if !verdict.violations.is_empty() {
                    bad.push(again(seed, schedule));
                }
            }
            Err(error) => {
                println!("{seed:>6}  did not end: {}\n{error:#}", options.described(seed, schedule));
                // Only what clients saw proves that a mistake was caught.
                if options.mutation.is_none() {
                    bad.push(again(seed, schedule));
                }
            }
        }
        if options.mutation.is_some() && !bad.is_empty() {
            break;
        }
    }
    if let Some(mutation) = &options.mutation {
        if bad.is_empty() {
            bail!("{mutation} was not caught in {} runs", options.seeds);
        }
        println!("{mutation} was caught");
        return Ok(());
    }
    if bad.is_empty() {
        return Ok(());
    }
    bail!("{} runs broke a promise; again with {}", bad.len(), bad.join(", "))
}

impl Options {
    /// What happens in a run.
    fn described(&self, seed: u64, schedule: Schedule) -> String {
        match self.gateways {
            1 => schedule.to_string(),
            _ => fleet::Schedule::of(seed, self.share, self.setup().kind).to_string(),
        }
    }

    /// What fleets are made of.
    fn setup(&self) -> Setup {
        let kind = match self {
            Options { stop_at: Some(_), .. } => Kind::StopAt,
            Options { failover: true, .. } => Kind::Backend,
            Options { networks: true, .. } => Kind::Network,
            _ => Kind::Process,
        };
        Setup { gateways: self.gateways, share: self.share, kind }
    }

    /// The runs that are asked for, by seed.
    fn schedules(&self) -> Result<Vec<(u64, Schedule)>> {
        let Some(names) = &self.steps else {
            let of = |seed| match self.mutation {
                None => Schedule::of(seed, (self.from, self.to), !self.no_faults),
                Some(_) => Schedule::THERE_AND_BACK,
            };
            return Ok((self.seed..self.seed + self.seeds).map(|seed| (seed, of(seed))).collect());
        };
        let known = |name: &String| STEPS.iter().any(|(step, _)| step == name);
        if let Some(name) = names.iter().find(|name| !known(name)) {
            let steps: Vec<_> = STEPS.iter().map(|(step, _)| *step).collect();
            bail!("there is no step {name}; they are {}", steps.join(", "));
        }
        let wanted = |step: &str| names.is_empty() || names.iter().any(|name| name == step);
        let steps = STEPS.iter().filter(|(step, _)| wanted(step));
        Ok((self.seed..).zip(steps.map(|step| Schedule::ending_at(*step))).collect())
    }
}

/// How a run is repeated.
fn again(seed: u64, schedule: Schedule) -> String {
    match schedule.fault {
        Fault::EndAt(step) => format!("--seed {seed} --steps {step}"),
        _ => format!("--seed {seed}"),
    }
}

fn print(seed: u64, verdict: &Verdict, schedule: &str) {
    println!(
        "{seed:>6}  {:>8}  {:>6}  {:>10} ms  {:>5.1} s  {:<8}  {schedule}",
        verdict.operations,
        verdict.failed,
        verdict.longest_write.as_millis(),
        verdict.took.as_secs_f64(),
        if verdict.violations.is_empty() { "held" } else { "BROKEN" },
    );
    for violation in verdict.violations.iter().take(10) {
        println!("        {}: {}", violation.rule, violation.what);
    }
    if !verdict.violations.is_empty() {
        println!("{}", verdict.log);
    }
}
