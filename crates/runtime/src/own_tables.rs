//! The tables of TrustStream's own engines in a database: made where there are none, taken over where
//! a project of Supabase has them already.

use std::collections::BTreeSet;

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Adopt, AppliedMigration, Catalog, Column, Database, Describe, Migrate, MigrationNames, TableName,
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
/// `BACKEND_003` when it has some of the tables without columns that the engines need; when the database does
/// not answer.
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
        let found = database.send(Describe::default()).await?;
        let lacking = missing(&found, &wanted);
        if lacking.is_empty() {
            tracing::info!("what {name} makes is there already and is taken over as it is");
            database.send(Adopt { name, sql }).await?;
            continue;
        }
        // Of a database without any of the tables nothing is lacking: they are to be made.
        let columns: Vec<_> = lacking.iter().filter(|lacking| lacking.is_column).collect();
        let is_denied = |error: &Error| error.details().is_some_and(|details| details["code"] == "42501");
        match makes {
            false if columns.is_empty() => return Ok(()),
            false => return Err(incomplete(&lacking)),
            true => match database.send(Migrate { name, sql, dry_run: false }).await {
                Err(error) if is_denied(&error) && !columns.is_empty() => {
                    return Err(incomplete(&lacking).with_source(error));
                }
                made => drop(made?),
            },
        }
        let lacking = missing(&*database.send(Describe::default()).await?, &wanted);
        if !lacking.is_empty() {
            return Err(incomplete(&lacking));
        }
    }
    Ok(())
}

fn incomplete(lacking: &[Lacking]) -> Error {
    let names: Vec<_> = lacking.iter().map(|lacking| lacking.name.as_str()).collect();
    let message = format!("this database has tables of Supabase without {}", names.join(", "));
    Error::new(ErrorKind::Configuration, "BACKEND_003", message).with_hint(
        "a project has them once its services are up to date: bring it up to date, add them, or name a database \
         that is empty",
    )
}

/// Something that a database lacks.
struct Lacking {
    name: String,
    /// A column of a table that is there.
    is_column: bool,
}

/// Tables, columns and functions that a database lacks.
fn missing(found: &Catalog, wanted: &Catalog) -> Vec<Lacking> {
    let mut missing = Vec::new();
    for (name, table) in &wanted.tables {
        match found.table(name) {
            None => missing.push(Lacking { name: name.to_string(), is_column: false }),
            Some(there) => {
                let columns = table.columns.iter().filter(|column| there.column(&column.name).is_none());
                let lacking =
                    |column: &Column| Lacking { name: format!("{name}.{}", column.name), is_column: true };
                missing.extend(columns.map(lacking));
            }
        }
    }
    let is_there = |name: &TableName| found.functions.iter().any(|function| function.name == *name);
    let functions = wanted.functions.iter().map(|function| &function.name).filter(|name| !is_there(name));
    missing.extend(functions.map(|name| Lacking { name: format!("{name}()"), is_column: false }));
    missing
}
