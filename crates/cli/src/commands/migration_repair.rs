//! `truststream migration repair`

use clap::{Args, ValueEnum};
use serde_json::json;
use truststream_runtime::{ProjectFiles, version};
use truststream_services::database::{Adopt, Database, Migrations, Revert};

use super::migration::unknown;
use super::reached::Reached;
use crate::Common;
use crate::failure::Done;

/// Corrects what is recorded.
#[derive(Args)]
pub struct Repair {
    /// What to record
    #[arg(long, value_enum)]
    status: Recorded,
    /// Versions, such as 20260102030405
    #[arg(required = true)]
    versions: Vec<String>,
}

/// What is recorded of a migration.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Recorded {
    /// The database is as its file says
    Applied,
    /// It is not applied any more
    Reverted,
}

impl Repair {
    pub async fn run(&self, common: &Common) -> Done {
        let files = ProjectFiles::find(&common.project)?;
        let reached = Reached::open(common, None).await?;
        let repaired = reached.with(async |database| self.repair(database, &files).await).await?;
        if common.json {
            println!("{}", json!({ "repaired": repaired }));
        } else {
            repaired.iter().for_each(|name| println!("{name} is recorded as {}", self.word()));
        }
        Ok(())
    }

    fn word(&self) -> &'static str {
        match self.status {
            Recorded::Applied => "applied",
            Recorded::Reverted => "reverted",
        }
    }

    async fn repair(&self, database: &Database, files: &ProjectFiles) -> Done<Vec<String>> {
        let mut repaired = Vec::new();
        let known = database.send(Migrations).await?;
        for wanted in &self.versions {
            let recorded = known.iter().find(|one| version(&one.name) == version(wanted));
            let name = match self.status {
                Recorded::Applied => {
                    let file = files.migration(wanted).ok_or_else(|| unknown(wanted))?;
                    let name = recorded.map_or(&file.name, |one| &one.name).clone();
                    database.send(Adopt { name: name.clone(), sql: file.sql.clone() }).await?;
                    name
                }
                Recorded::Reverted => {
                    let name = recorded.ok_or_else(|| unknown(wanted))?.name.clone();
                    database.send(Revert { name: name.clone(), sql: None, dry_run: false }).await?;
                    name
                }
            };
            repaired.push(name);
        }
        Ok(repaired)
    }
}
