//! What migrations make of an empty database, without one.

use truststream_services::database::{AppliedMigration, Catalog, Introspection};

use crate::schema::{self, Kind};

/// Applies migrations to an empty catalog. What a catalog can't hold is noted with its line.
///
/// # Errors
/// 42601 for a script that can't be cut into statements.
pub fn rehearse(migrations: &[AppliedMigration]) -> truststream_kernel::Result<Introspection> {
    let mut found = Introspection { catalog: Catalog::default(), ..Introspection::default() };
    for migration in migrations {
        for statement in schema::parse(&migration.sql)? {
            let applied = match &statement.kind {
                Kind::Unknown(reason) => Err(reason.clone()),
                _ => {
                    schema::apply(&mut found.catalog, &statement).map_err(|error| error.message().to_owned())
                }
            };
            if let Err(reason) = applied {
                found.notes.push(format!("{}:{}: left out: {reason}", migration.name, statement.line));
            }
        }
    }
    Ok(found)
}
