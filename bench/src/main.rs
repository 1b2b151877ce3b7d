//! Side-by-side benchmarks: TrustStream and its peers, same data, same requests, same machine, one run.
//!
//! `cargo run --release` starts every peer itself, measures them in interleaved rounds and prints a
//! markdown report. README.md says what the numbers mean and what they do not.

mod clock;
mod count;
mod data;
mod gateway;
mod http;
mod install;
mod library;
mod memory;
mod peer;
mod process;
mod raw;
mod report;
mod results;
mod server;
mod stats;
mod switching;
mod translate;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Measure TrustStream's gateway side by side with its peers.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    http: http::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the library side by side with the raw driver instead.
    Library(library::Options),
    /// Count the gateway's instructions and allocations a request instead.
    Gateway(gateway::Options),
    /// Measure the gateway's memory with long lists and large bodies.
    Memory(memory::Options),
    /// Measure live switches: pauses that clients see, copies, comparisons.
    Switch(switching::Options),
    /// Measure how long a typical query takes to be understood.
    Translate(translate::Options),
    /// Serve the raw driver behind axum, as a peer.
    Raw(raw::Options),
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(Command::Raw(options)) = &args.command {
        return raw::run(options);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&args))
}

/// One thread drives all connections, so the client takes at most one core and never contends with itself.
async fn measure(args: &Args) -> Result<()> {
    match &args.command {
        Some(Command::Library(options)) => return library::run(options).await,
        Some(Command::Gateway(options)) => return gateway::run(options).await,
        Some(Command::Memory(options)) => return memory::run(options).await,
        Some(Command::Switch(options)) => return switching::run(options).await,
        Some(Command::Translate(options)) => return translate::run(options).await,
        Some(Command::Raw(_)) | None => {}
    }
    // Dropping the run on an interrupt kills the servers it started and removes their folders.
    tokio::select! {
        done = http::run(&args.http) => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}
