//! The command line: `truststream`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod commands;
mod demo;
mod failure;
mod gateway_file;
mod logging;
mod progress;
mod text;
mod unread;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// One backend API over any provider, and switch live.
///
/// `truststream dev` in a Supabase project (or an empty folder) starts the whole stack from this one
/// binary. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 nothing runs to talk to.
#[derive(Parser)]
#[command(name = "truststream", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Folder of the project
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub project: PathBuf,
    /// Configuration file, if not truststream.toml in the project
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Profile: truststream.<PROFILE>.toml goes on top of the configuration
    #[arg(long, global = true)]
    pub profile: Option<String>,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything for development: gateway, embedded backend, migrations, seed
    Dev(commands::dev::Dev),
    /// Start the gateway for production: unique keys required, no development defaults
    Start(commands::start::Start),
    /// Show which backend serves, its health and latency, and the latest switch
    Status,
    /// Validate the configuration
    Config {
        #[command(subcommand)]
        command: commands::config::ConfigCommand,
    },
    /// Compare and take over schemas; bring rows in and out
    Db {
        #[command(subcommand)]
        command: commands::db::DbCommand,
    },
    /// Write and apply the migrations of the project
    Migration {
        #[command(subcommand)]
        command: commands::migration::MigrationCommand,
    },
    /// Write code from the schema
    Gen {
        #[command(subcommand)]
        command: commands::generate::GenCommand,
    },
    /// Tell how the project stands
    Report {
        #[command(subcommand)]
        command: commands::report::ReportCommand,
    },
    /// Move to another backend while the application runs, and back
    Switch {
        #[command(subcommand)]
        command: commands::switch::SwitchCommand,
    },
    /// Have the mirror take the place of a backend that is lost; look at what only that had
    Failover(commands::failover::Failover),
    /// Prepare a remote project for switches
    Remote {
        #[command(subcommand)]
        command: commands::remote::RemoteCommand,
    },
    /// Compare two backends row by row, at any time
    Verify(commands::switch::Verify),
    /// See it all in under a minute: data, traffic, a switch and the way back
    Demo(commands::demo::Demo),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    unread::end_quietly();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    logging::start();
    let common = arguments.common;
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Dev(dev) => Box::pin(dev.run(&common)).await,
            Command::Start(start) => Box::pin(start.run(&common)).await,
            Command::Status => commands::status::run(&common).await,
            Command::Config { command } => command.run(&common),
            Command::Db { command } => Box::pin(command.run(&common)).await,
            Command::Migration { command } => Box::pin(command.run(&common)).await,
            Command::Gen { command } => Box::pin(command.run(&common)).await,
            Command::Report { command } => Box::pin(command.run(&common)).await,
            Command::Switch { command } => Box::pin(command.run(&common)).await,
            Command::Failover(failover) => failover.run(&common).await,
            Command::Remote { command } => command.run(&common),
            Command::Verify(verify) => Box::pin(verify.run(&common)).await,
            Command::Demo(demo) => Box::pin(demo.run(&common)).await,
        }
    });
    // Blocking work that is still queued must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(common.json),
    }
}
