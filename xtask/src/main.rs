//! Tasks of the workspace: `cargo xtask test`, `cargo xtask nightly`, `cargo xtask tidy`,
//! `cargo xtask sync`, `cargo xtask setup`, `cargo xtask new-provider`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod fuzz;
mod histories;
mod jobs;
mod new_provider;
mod nightly;
mod programs;
mod setup;
mod shell;
mod suite;
mod sync;
mod temporary;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the TrustStream workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then run them all: format, lints, tidy, unit, end to end
    Test {
        /// Only these parts
        parts: Vec<suite::Part>,
    },
    /// Run the tests that take too long for every change
    Nightly,
    /// Install what the tests need (PostgreSQL, Node and Python packages)
    Setup,
    /// Check the rules that a reviewer would repeat
    Tidy,
    /// Write the documents that are made from code (`docs/providers.md`)
    Sync,
    /// Begin a provider: a folder that builds, and fails the conformance suite in words
    NewProvider {
        /// Its name in configurations, in lower case letters and digits
        name: String,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Test { parts } => suite::run_all(&parts),
        Task::Nightly => nightly::run(),
        Task::Setup => setup::all(),
        Task::Tidy => tidy::check(),
        Task::Sync => sync::write(),
        Task::NewProvider { name } => new_provider::write(&name),
    }
}
