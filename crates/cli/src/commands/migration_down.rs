//! `truststream migration down`

use clap::Args;
use serde_json::json;
use truststream_kernel::Error;
use truststream_runtime::{ProjectFiles, version};
use truststream_services::database::{AppliedMigration, Database, Migrations, Revert};
use truststream_sql::diff::diff;
use truststream_sql::rehearse::rehearse;

use super::migration::unknown;
use super::reached::Reached;
use crate::Common;
use crate::failure::Done;

/// Takes the latest migrations back.
#[derive(Args)]
pub struct Down {
    /// The last version that stays applied; without it only the latest migration goes
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Only show what would be run
    #[arg(long)]
    dry_run: bool,
    /// Run statements that were derived, not only those of .down.sql files
    #[arg(long)]
    yes: bool,
}

/// What takes one migration back.
struct Step {
    name: String,
    sql: String,
    derived: bool,
}

impl Down {
    pub async fn run(&self, common: &Common) -> Done {
        let files = ProjectFiles::find(&common.project)?;
        let reached = Reached::open(common, None).await?;
        reached.with(async |database| self.revert(database, &files, common.json).await).await
    }

    async fn revert(&self, database: &Database, files: &ProjectFiles, as_json: bool) -> Done {
        let known = database.send(Migrations).await?;
        let steps = self.steps(files, &known)?;
        let derived = steps.iter().any(|step| step.derived);
        let shown = self.dry_run || (derived && !self.yes);
        if !as_json {
            for step in &steps {
                let source = if step.derived { "derived" } else { "from its .down.sql" };
                println!("-- {}, {source}\n{}", step.name, step.sql);
            }
        }
        if shown && !self.dry_run {
            let error = Error::configuration("what takes the migration back was derived; nothing was run");
            let hint = "run it with --yes if it is right, or write it beside the migration as NAME.down.sql";
            return Err(error.with_hint(hint).into());
        }
        let mut reverted = Vec::new();
        for step in &steps {
            let revert =
                Revert { name: step.name.clone(), sql: Some(step.sql.clone()), dry_run: self.dry_run };
            database.send(revert).await?;
            reverted.push(step.name.clone());
        }
        if as_json {
            let sql: Vec<_> =
                steps.iter().map(|step| json!({ "name": step.name, "sql": step.sql })).collect();
            println!(
                "{}",
                json!({ "reverted": if self.dry_run { Vec::new() } else { reverted }, "down": sql })
            );
        } else if !self.dry_run {
            println!("{} taken back", reverted.len());
        }
        Ok(())
    }

    /// What to run, the latest first.
    fn steps(&self, files: &ProjectFiles, known: &[AppliedMigration]) -> Done<Vec<Step>> {
        let of_project = |one: &&AppliedMigration| one.name.ends_with(".sql") && one.name != "seed.sql";
        let mut applied: Vec<&AppliedMigration> = known.iter().filter(of_project).collect();
        applied.sort_by(|a, b| a.name.cmp(&b.name));
        let stay = match &self.to {
            Some(to) => {
                applied.iter().position(|one| version(&one.name) == to).ok_or_else(|| unknown(to))? + 1
            }
            None => applied.len().saturating_sub(1),
        };
        (stay..applied.len()).rev().map(|at| step(files, known, &applied, at)).collect()
    }
}

fn step(
    files: &ProjectFiles,
    known: &[AppliedMigration],
    applied: &[&AppliedMigration],
    at: usize,
) -> Done<Step> {
    let migration = applied[at];
    let file = files.migration(version(&migration.name));
    if let Some(down) = file.map(|file| file.down()).transpose()?.flatten() {
        return Ok(Step { name: migration.name.clone(), sql: down.sql, derived: false });
    }
    let own = known.iter().filter(|one| !one.name.ends_with(".sql")).cloned();
    let upto =
        |end: usize| own.clone().chain(applied[..end].iter().map(|one| (*one).clone())).collect::<Vec<_>>();
    let (before, after) = (rehearse(&upto(at))?, rehearse(&upto(at + 1))?);
    let lost = after.notes.iter().find(|note| !before.notes.contains(note));
    if let Some(note) = lost {
        let error =
            Error::configuration(format!("what takes {} back can't be derived: {note}", migration.name));
        return Err(error.with_hint("write it beside the migration as NAME.down.sql").into());
    }
    let statement = |change: truststream_sql::diff::Change| match change.destroys {
        Some(what) => format!("-- loses {what}\n{};\n", change.sql),
        None => format!("{};\n", change.sql),
    };
    let sql = diff(&after, &before).into_iter().map(statement).collect();
    Ok(Step { name: migration.name.clone(), sql, derived: true })
}
