//! `truststream db diff`

use clap::Args;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind};
use truststream_runtime::ProjectFiles;
use truststream_services::database::{AppliedMigration, Introspect, Introspection, Migrations, Rehearse};
use truststream_sql::diff::{Change, diff};
use truststream_sql::render::script;

use super::migration_files::write;
use super::reached::Reached;
use crate::Common;
use crate::failure::Done;

/// Shows the statements that bring one schema to another.
#[derive(Args)]
pub struct Diff {
    /// `files` (what the migrations make of an empty database) or a backend
    #[arg(long, default_value = "files", value_name = "files|BACKEND")]
    from: String,
    /// A backend; by default the one that serves
    #[arg(long, value_name = "BACKEND")]
    to: Option<String>,
    /// Write them as a migration of this name
    #[arg(short, long, value_name = "NAME")]
    file: Option<String>,
    /// Exit with 1 if there is a difference
    #[arg(long)]
    exit_code: bool,
}

impl Diff {
    pub async fn run(&self, common: &Common) -> Done {
        let (from, to) = self.sides(common).await?;
        for note in from.notes.iter().chain(&to.notes) {
            eprintln!("note: {note}");
        }
        let changes = diff(&from, &to);
        let text = text(&changes);
        let written = match &self.file {
            Some(name) if !changes.is_empty() => Some(write(&common.project, name, &text)?),
            _ => None,
        };
        if common.json {
            let one = |change: &Change| json!({ "sql": change.sql, "destroys": change.destroys });
            let all: Vec<_> = changes.iter().map(one).collect();
            println!("{}", json!({ "changes": all, "path": written }));
        } else if let Some(path) = &written {
            println!(
                "wrote {} with {} statements; read it before it is applied",
                path.display(),
                changes.len()
            );
        } else if changes.is_empty() {
            eprintln!("no difference");
        } else {
            print!("{text}");
        }
        if self.exit_code && !changes.is_empty() {
            let message = format!("{} statements lie between {} and the database", changes.len(), self.from);
            return Err(Error::new(ErrorKind::Conflict, "BACKEND_003", message).into());
        }
        Ok(())
    }

    async fn sides(&self, common: &Common) -> Done<(Introspection, Introspection)> {
        let said = self.said(common).await?;
        let reached = Reached::open(common, self.to.as_deref()).await?;
        reached
            .with(async |database| {
                // What is said may stand on the tables of TrustStream's own engines.
                let known = database.send(Migrations).await?.into_iter();
                let own = known.filter(|one| !one.name.ends_with(".sql"));
                let from = database.send(Rehearse { migrations: own.chain(said).collect() }).await?;
                Ok((from, database.send(Introspect::default()).await?))
            })
            .await
    }

    /// What makes the schema that is compared with: told anew by the other database, as engines print
    /// one expression in several ways.
    async fn said(&self, common: &Common) -> Done<Vec<AppliedMigration>> {
        if self.from == "files" {
            let files = ProjectFiles::find(&common.project)?.migrations.into_iter();
            return Ok(files.map(|file| AppliedMigration { name: file.name, sql: file.sql }).collect());
        }
        let from = Reached::open(common, Some(&self.from)).await?;
        let from = from.with(async |database| Ok(database.send(Introspect::default()).await?)).await?;
        from.notes.iter().for_each(|note| eprintln!("note: {note}"));
        Ok(vec![AppliedMigration { name: self.from.clone(), sql: script(&from) }])
    }
}

/// The statements as a migration; what loses something says so.
fn text(changes: &[Change]) -> String {
    let one = |change: &Change| match &change.destroys {
        Some(what) => format!("-- DESTRUCTIVE: loses {what}\n{};\n\n", change.sql),
        None => format!("{};\n\n", change.sql),
    };
    changes.iter().map(one).collect()
}
