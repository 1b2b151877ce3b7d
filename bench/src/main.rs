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
mod peer;
mod process;
mod report;
mod stats;

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
}

/// One thread drives all connections, so the client takes at most one core and never contends with itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    match &args.command {
        Some(Command::Library(options)) => return library::run(options).await,
        Some(Command::Gateway(options)) => return gateway::run(options).await,
        None => {}
    }
    // Dropping the run on an interrupt kills the servers it started and removes their folders.
    tokio::select! {
        done = http::run(&args.http) => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}
