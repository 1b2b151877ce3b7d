//! `truststream migration`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::json;
use truststream::TrustStream;
use truststream_kernel::Error;
use truststream_runtime::ProjectFiles;
use truststream_services::database::{AppliedMigration, Migrations};

use super::db::open;
use crate::Common;
use crate::failure::Done;
use crate::text::table;

/// What can be done with the migrations of a project.
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
        }
    }
}

impl New {
    fn run(&self, common: &Common) -> Done {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            let message = format!("\"{}\" can't be the name of a migration", self.name);
            return Err(Error::configuration(message).with_hint("use letters, digits, _ and -").into());
        }
        let folder = folder(&common.project);
        std::fs::create_dir_all(&folder)?;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let path = folder.join(format!("{}_{}.sql", timestamp(seconds), self.name));
        std::fs::File::create_new(&path)?;
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
            let Some(last) = files.migrations.iter().position(|file| version(&file.name) == to) else {
                let error = Error::configuration(format!("there is no migration {to}"));
                return Err(error.with_hint("`truststream migration status` lists them").into());
            };
            files.migrations.truncate(last + 1);
        }
        let project = open(common).await?;
        let done = self.apply(&project, &files, common.json).await;
        project.close().await;
        done
    }

    async fn apply(&self, project: &TrustStream, files: &ProjectFiles, as_json: bool) -> Done {
        let standings = standings(files, &project.database().send(Migrations).await?);
        let named = |wanted: &str| -> Vec<String> {
            standings.iter().filter(|(_, state)| *state == wanted).map(|(name, _)| name.clone()).collect()
        };
        let (changed, pending) = (named("changed"), named("pending"));
        if !changed.is_empty() {
            let message = format!("changed since applied: {}", changed.join(", "));
            let hint = "put the files back as they were and write the change as a new migration";
            return Err(Error::configuration(message).with_hint(hint).into());
        }
        if !as_json {
            pending.iter().for_each(|name| println!("pending {name}"));
        }
        let applied = if self.dry_run { Vec::new() } else { files.apply(project.database()).await?.applied };
        if as_json {
            println!("{}", json!({ "pending": pending, "applied": applied }));
        } else {
            println!("{} applied", applied.len());
        }
        Ok(())
    }
}

async fn status(common: &Common) -> Done {
    let files = ProjectFiles::find(&common.project)?;
    let project = open(common).await?;
    let known = project.database().send(Migrations).await;
    project.close().await;
    let standings = standings(&files, &known?);
    if common.json {
        let list: Vec<_> =
            standings.iter().map(|(name, state)| json!({ "name": name, "status": state })).collect();
        println!("{}", json!({ "migrations": list }));
    } else {
        let rows: Vec<_> = standings.into_iter().map(|(name, state)| vec![name, state.to_owned()]).collect();
        print!("{}", table(&["migration", "status"], &rows));
    }
    Ok(())
}

/// How each migration stands, in the order of their names.
fn standings(files: &ProjectFiles, known: &[AppliedMigration]) -> Vec<(String, &'static str)> {
    let of_project = |name: &&str| name.ends_with(".sql") && *name != "seed.sql";
    let names: BTreeSet<&str> = files
        .migrations
        .iter()
        .map(|file| file.name.as_str())
        .chain(known.iter().map(|applied| applied.name.as_str()).filter(of_project))
        .collect();
    let state = |name: &str| {
        let file = files.migrations.iter().find(|file| file.name == name);
        let applied = known.iter().find(|applied| applied.name == name);
        match (file, applied) {
            (Some(file), Some(applied)) if file.sql == applied.sql => "applied",
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "pending",
            (None, _) => "missing",
        }
    };
    names.into_iter().map(|name| (name.to_owned(), state(name))).collect()
}

/// Where [`ProjectFiles::find`] looks for migrations.
fn folder(project: &Path) -> PathBuf {
    let supabase = project.join("supabase");
    let own = project.join("migrations");
    if !own.is_dir() && supabase.is_dir() { supabase.join("migrations") } else { own }
}

fn version(name: &str) -> &str {
    name.split(['_', '.']).next().unwrap_or(name)
}

/// `YYYYMMDDhhmmss` of seconds since 1970, in UTC.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let day = day - (153 * march + 2) / 5 + 1;
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use truststream_runtime::SqlFile;

    use super::*;

    #[test]
    fn times_are_calendar_dates() {
        assert_eq!(timestamp(0), "19700101000000");
        assert_eq!(timestamp(951_782_400), "20000229000000");
        assert_eq!(timestamp(1_767_323_045), "20260102030405");
    }

    #[test]
    fn every_standing_is_told() {
        let file = |name: &str| SqlFile { path: name.into(), name: name.into(), sql: "select 1".into() };
        let files =
            ProjectFiles { migrations: vec![file("1_a.sql"), file("2_b.sql"), file("3_c.sql")], seed: None };
        let applied = |name: &str, sql: &str| AppliedMigration { name: name.into(), sql: sql.into() };
        let known = [
            applied("1_a.sql", "select 1"),
            applied("2_b.sql", "select 2"),
            applied("0_gone.sql", ""),
            applied("seed.sql", ""),
        ];
        let told = standings(&files, &known);
        let told: Vec<_> = told.iter().map(|(name, state)| (name.as_str(), *state)).collect();
        let expected = [
            ("0_gone.sql", "missing"),
            ("1_a.sql", "applied"),
            ("2_b.sql", "changed"),
            ("3_c.sql", "pending"),
        ];
        assert_eq!(told, expected);
    }
}
