//! Coordinators, gateways and clients on clocks of their own, in one thread, from a seed.
//!
//! Nodes are made of the product's own `Routes`, `Gate`, `Steering`, `Switcher` and keeper;
//! what is simulated is the rest of the world: two databases
//! and a control store as plain values, the wires to them, time. Each node has a runtime whose clock goes
//! when it is told to, so a node can end in the middle of anything, or stand still and go on with all
//! its timers late. What a node has sent arrives, whatever becomes of the node.
//!
//! What happens follows from the seed: who does what, how long everything is under way, what goes wrong
//! and when, and who comes first of those who wait for the same thing. A run that is repeated is the same
//! to the millisecond.
//!
//! `turmoil` and `madsim` simulate sockets; here drivers and control stores are traits, so what would
//! go through sockets goes through [`network::Wire`], and nothing has to be built otherwise.

mod check;
mod control;
mod database;
mod faults;
mod flaw;
mod network;
mod node;
mod objects;
mod server;
#[cfg(test)]
mod tests;
mod witness;
mod workload;
mod world;

use anyhow::{Result, bail};
use clap::Parser;

use faults::Plan;
use flaw::Flaw;
use world::{Verdict, run};

/// Runs simulated clusters and judges what their clients saw.
#[derive(Parser)]
struct Options {
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Make this mistake; succeed only if it is found
    #[arg(long, value_parser = Flaw::parse)]
    flaw: Option<Flaw>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (mut requests, mut time) = (0, 0);
    for seed in options.seed..options.seed + options.seeds {
        let verdict = run(seed, options.flaw);
        (requests, time) = (requests + verdict.requests.len(), time + verdict.took);
        if options.seeds == 1 {
            println!("{:?}\n{}", Plan::of(seed), verdict.log.join("\n"));
        }
        if verdict.broken.is_empty() {
            continue;
        }
        if let Some(flaw) = options.flaw {
            println!("{flaw:?} was found by seed {seed}: {}", verdict.broken[0]);
            return Ok(());
        }
        bail!("{}", shown(seed, &verdict));
    }
    println!("{} runs, {requests} requests, {} s of the world", options.seeds, time / 1_000);
    match options.flaw {
        Some(flaw) => bail!("{flaw:?} was not found"),
        None => Ok(()),
    }
}

/// What was broken, what led to it, and how it is seen again.
fn shown(seed: u64, verdict: &Verdict) -> String {
    let broken: Vec<_> = verdict.broken.iter().take(5).cloned().collect();
    format!(
        "{:?}\n{}\n{} promises were broken; again with --seed {seed}\n{}",
        Plan::of(seed),
        verdict.log.join("\n"),
        verdict.broken.len(),
        broken.join("\n")
    )
}
