//! The tables of TrustStream's own engines in a database: made where there are none, taken over where
//! a project of Supabase has them already.

use std::collections::BTreeSet;

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Adopt, AppliedMigration, Catalog, Database, Describe, Migrate, MigrationNames, TableName,
};

use crate::project_schema::{extend, own_migrations};

/// Gives a database the tables that the engines keep their state in.
///
/// In a hosted project's database they belong to the platform's own roles: whoever has its connection
/// string may read and write them, and may not run the statements that would make them.
///
/// # Errors
/// `BACKEND_003` when the database refuses them, or has some of the tables without columns that the
/// engines need.
pub(crate) async fn install(database: &Database) -> Result<()> {
    bring(database, true).await
}

/// Takes over the tables that are there, and makes none.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn take_over(database: &Database) -> Result<()> {
    bring(database, false).await
}

async fn bring(database: &Database, makes: bool) -> Result<()> {
    let recorded: BTreeSet<String> = database.send(MigrationNames).await?.into_iter().collect();
    let mut wanted = Catalog::default();
    for migration in own_migrations() {
        extend(&mut wanted, &migration)?;
        let AppliedMigration { name, sql } = migration;
        if recorded.contains(&name) {
            if !makes {
                continue;
            }
            database.send(Migrate { name, sql, dry_run: false }).await?;
            continue;
        }
        if missing(database, &wanted).await?.is_empty() {
            tracing::info!("what {name} makes is there already and is taken over as it is");
            database.send(Adopt { name, sql }).await?;
            continue;
        }
        if !makes {
            return Ok(());
        }
        database.send(Migrate { name, sql, dry_run: false }).await?;
        let missing = missing(database, &wanted).await?;
        if !missing.is_empty() {
            let message = format!("this database has tables of Supabase without {}", missing.join(", "));
            return Err(Error::new(ErrorKind::Configuration, "BACKEND_003", message).with_hint(
                "a project has them once its services are up to date: bring it up to date, add them, or \
                 name a database that is empty",
            ));
        }
    }
    Ok(())
}

/// Tables, columns and functions that a database lacks.
async fn missing(database: &Database, wanted: &Catalog) -> Result<Vec<String>> {
    let found = database.send(Describe::default()).await?;
    let mut missing = Vec::new();
    for (name, table) in &wanted.tables {
        match found.table(name) {
            None => missing.push(name.to_string()),
            Some(there) => {
                let columns = table.columns.iter().filter(|column| there.column(&column.name).is_none());
                missing.extend(columns.map(|column| format!("{name}.{}", column.name)));
            }
        }
    }
    let is_there = |name: &TableName| found.functions.iter().any(|function| function.name == *name);
    let functions = wanted.functions.iter().map(|function| &function.name).filter(|name| !is_there(name));
    missing.extend(functions.map(|name| format!("{name}()")));
    Ok(missing)
}
