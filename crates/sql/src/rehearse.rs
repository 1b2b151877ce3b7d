//! What migrations make of a database, found without one.

use truststream_services::database::{AppliedMigration, Catalog, Introspection, Problem};

use crate::schema::{self, Kind, Statement};

/// What `find` says of each statement of migrations, with file and line; it is told whether bodies of functions
/// go unchecked there. A script that can't be cut into statements is one problem.
pub fn problems(
    migrations: &[AppliedMigration],
    mut find: impl FnMut(&Statement, bool) -> Vec<String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for migration in migrations {
        let problem =
            |line, statement, reason| Problem { migration: migration.name.clone(), line, statement, reason };
        match schema::parse(&migration.sql) {
            Ok(statements) => {
                let mut unchecked = false;
                for statement in statements {
                    unchecked = statement.unchecks_bodies().unwrap_or(unchecked);
                    let found = find(&statement, unchecked);
                    let named = |reason| problem(statement.line, statement.excerpt(), reason);
                    problems.extend(found.into_iter().map(named));
                }
            }
            Err(error) => problems.push(problem(1, String::new(), error.message().to_owned())),
        }
    }
    problems
}

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
