//! `truststream migration`

use clap::{Args, Subcommand};
use serde_json::json;
use truststream_kernel::Error;
use truststream_runtime::{ProjectFiles, Standing, version};
use truststream_services::database::{Database, Migrations};

use super::migration_down::Down;
use super::migration_files::write;
use super::migration_repair::Repair;
use super::reached::Reached;
use crate::Common;
use crate::failure::Done;
use crate::text::table;

/// What can be done with the migrations of a project, whether its gateway runs or not.
#[derive(Subcommand)]
pub enum MigrationCommand {
    /// Write an empty migration, named by the time in UTC
    #[command(after_help = "Example:\n  truststream migration new add_albums")]
    New(New),
    /// Show which migrations are applied, pending, changed since, or missing as files
    #[command(
        after_help = "Examples:\n  truststream migration status\n  truststream migration status --json"
    )]
    Status,
    /// Apply what is pending, each file as a whole; the seed is left to `dev`
    #[command(
        after_help = "Examples:\n  truststream migration up --dry-run\n  truststream migration up --to 20260102030405"
    )]
    Up(Up),
    /// Take the latest migrations back, by NAME.down.sql beside each or by what is derived from it
    #[command(
        after_help = "Examples:\n  truststream migration down            the latest; what is derived is only shown\n  truststream migration down --yes      run what was derived\n  truststream migration down --to 20260102030405    all after this version"
    )]
    Down(Down),
    /// Correct what is recorded, without running anything
    #[command(
        after_help = "Examples:\n  truststream migration repair --status applied 20260102030405\n  truststream migration repair --status reverted 20260102030405"
    )]
    Repair(Repair),
}

/// Writes an empty migration.
#[derive(Args)]
pub struct New {
    /// What it does, in letters, digits, `_` and `-`
    name: String,
}

/// Applies what is pending.
#[derive(Args)]
pub struct Up {
    /// The last version to apply
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Only show what would be applied
    #[arg(long)]
    dry_run: bool,
}

impl MigrationCommand {
    pub async fn run(&self, common: &Common) -> Done {
        match self {
            MigrationCommand::New(new) => new.run(common),
            MigrationCommand::Status => status(common).await,
            MigrationCommand::Up(up) => up.run(common).await,
            MigrationCommand::Down(down) => down.run(common).await,
            MigrationCommand::Repair(repair) => repair.run(common).await,
        }
    }
}

impl New {
    fn run(&self, common: &Common) -> Done {
        let path = write(&common.project, &self.name, "")?;
        if common.json {
            println!("{}", json!({ "path": path }));
        } else {
            println!("wrote {}; fill it in, then run `truststream migration up`", path.display());
        }
        Ok(())
    }
}

impl Up {
    async fn run(&self, common: &Common) -> Done {
        let mut files = ProjectFiles::find(&common.project)?;
        files.seed = None;
        if let Some(to) = &self.to {
            let last = files.migration(to).ok_or_else(|| unknown(to))?.name.clone();
            files.migrations.retain(|file| file.name <= last);
        }
        let reached = Reached::open(common, None).await?;
        reached.with(async |database| self.apply(database, &files, common.json).await).await
    }

    async fn apply(&self, database: &Database, files: &ProjectFiles, as_json: bool) -> Done {
        let known = database.send(Migrations).await?;
        let pending = files.pending(&known)?;
        let tell = |word: &str, name: &str| {
            if !as_json {
                println!("{word} {name}");
            }
        };
        let applied = if self.dry_run {
            files.review(database, &known).await?;
            pending.iter().for_each(|name| tell("pending", name));
            Vec::new()
        } else {
            files.apply_telling(database, |name| tell("applied", name)).await?.applied
        };
        if as_json {
            println!("{}", json!({ "pending": pending, "applied": applied }));
        } else if pending.is_empty() {
            println!("nothing to apply");
        } else if self.dry_run {
            println!("nothing applied: a dry run");
        } else {
            println!("{} applied", applied.len());
        }
        Ok(())
    }
}

async fn status(common: &Common) -> Done {
    let files = ProjectFiles::find(&common.project)?;
    let known = Reached::open(common, None).await?;
    let known = known.with(async |database| Ok(database.send(Migrations).await?)).await?;
    let standings = files.standings(&known);
    if common.json {
        let one = |(name, standing): &(String, Standing)| json!({ "name": name, "version": version(name), "status": standing.name() });
        println!("{}", json!({ "migrations": standings.iter().map(one).collect::<Vec<_>>() }));
    } else {
        let rows: Vec<_> =
            standings.into_iter().map(|(name, standing)| vec![name, standing.name().to_owned()]).collect();
        print!("{}", table(&["migration", "status"], &rows));
    }
    Ok(())
}

/// There is no such version.
pub fn unknown(version: &str) -> Error {
    let error = Error::configuration(format!("there is no migration {version}"));
    error.with_hint("`truststream migration status` lists them")
}
