//! `truststream db`

use std::path::Path;

use clap::{Subcommand, ValueEnum};
use truststream::TrustStream;
use truststream::transfer::RowFormat;
use truststream_runtime::Config;

use super::config::load_options;
use super::db_diff::Diff;
use super::db_export::Export;
use super::db_import::Import;
use super::db_pull::Pull;
use crate::Common;
use crate::failure::Done;

/// What can be done with the database of the backend that serves.
#[derive(Subcommand)]
pub enum DbCommand {
    /// Show what the database has and the migrations don't say, as SQL; renames are not guessed
    #[command(
        after_help = "Statements that lose something are marked DESTRUCTIVE.\n\nExamples:\n  truststream db diff\n  truststream db diff -f by_hand         write it as a migration\n  truststream db diff --exit-code        for CI: 1 if there is a difference\n  truststream db diff --from main --to next"
    )]
    Diff(Diff),
    /// Write the schema of an existing database as the first migration
    #[command(after_help = "Examples:\n  truststream db pull\n  truststream db pull --from old --dry-run")]
    Pull(Pull),
    /// Read rows of a CSV or NDJSON file into a table
    Import(Import),
    /// Write the rows of a table or query as CSV or NDJSON
    Export(Export),
}

impl DbCommand {
    pub async fn run(&self, common: &Common) -> Done {
        match self {
            DbCommand::Diff(diff) => diff.run(common).await,
            DbCommand::Pull(pull) => pull.run(common).await,
            DbCommand::Import(import) => import.run(common).await,
            DbCommand::Export(export) => export.run(common).await,
        }
    }
}

/// How rows are written in a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FileFormat {
    Csv,
    Ndjson,
}

impl FileFormat {
    /// What was asked for, or what the file's name says; CSV if neither does.
    pub fn of(asked: Option<FileFormat>, file: Option<&Path>) -> RowFormat {
        let extension = file.and_then(Path::extension).and_then(|extension| extension.to_str());
        match (asked, extension) {
            (Some(FileFormat::Ndjson), _) | (None, Some("ndjson" | "jsonl")) => RowFormat::Ndjson,
            _ => RowFormat::Csv,
        }
    }
}

/// Opens the project, which no other process may have open.
pub async fn open(common: &Common) -> Done<TrustStream> {
    let config = Config::load(&common.project, &load_options(common, true))?;
    Ok(TrustStream::open_with(config).await?)
}
