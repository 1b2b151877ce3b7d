//! `truststream db pull`

use clap::Args;
use serde_json::json;
use truststream_kernel::Error;
use truststream_runtime::{ProjectFiles, version};
use truststream_services::database::{Catalog, Database, Describe, Introspect};
use truststream_sql::render::script;

use super::migration_files::write;
use super::reached::Reached;
use crate::Common;
use crate::failure::Done;

/// Writes the schema of an existing database as the first migration.
#[derive(Args)]
pub struct Pull {
    /// Name of the migration
    #[arg(default_value = "remote_schema")]
    name: String,
    /// A backend; by default the one that serves
    #[arg(long, value_name = "BACKEND")]
    from: Option<String>,
    /// Documents of each collection that are looked at, where a database has no schema
    #[arg(long, value_name = "COUNT")]
    sample: Option<usize>,
    /// Only show it
    #[arg(long)]
    dry_run: bool,
}

impl Pull {
    pub async fn run(&self, common: &Common) -> Done {
        let files = ProjectFiles::find(&common.project)?;
        if !files.migrations.is_empty() && !self.dry_run {
            let error = Error::configuration("the project has migrations already");
            return Err(error.with_hint("`truststream db diff -f NAME` writes what they don't say").into());
        }
        let reached = Reached::open(common, self.from.as_deref()).await?;
        let ask = Introspect { sample: self.sample };
        let known = Describe { fresh: true };
        let both = async |database: &Database| Ok((database.send(ask).await?, database.send(known).await?));
        let (found, known) = reached.with(both).await?;
        for note in &found.notes {
            eprintln!("note: {note}");
        }
        let text = script(&found);
        if self.dry_run {
            print!("{text}");
            return Ok(());
        }
        let path = write(&common.project, &self.name, &text)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if common.json {
            println!("{}", json!({ "path": path, "notes": found.notes }));
        } else if !serves(&known, &found.catalog) {
            // What others made there is proposed, not served.
            println!("wrote {}; this database's tables can't be served where they are:", path.display());
            println!("  apply it to a new backend, and bring the rows over with truststream db import");
        } else {
            println!("wrote {}; this database has it already, so record that:", path.display());
            println!("  truststream migration repair --status applied {}", version(&name));
        }
        Ok(())
    }
}

/// Whether all tables of a schema are known to the backend that it was found in.
fn serves(known: &Catalog, found: &Catalog) -> bool {
    found.tables.keys().all(|table| known.table(table).is_some())
}
