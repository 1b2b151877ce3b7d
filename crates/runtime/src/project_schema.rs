//! The schema that the migration files of a project make, without any database.

use truststream_engines::{auth, database, storage};
use truststream_kernel::{Error, Result};
use truststream_services::database::{AppliedMigration, Catalog};
use truststream_sql::schema::{self, Kind};

use crate::ProjectFiles;

/// What reading a project's migrations gave.
#[derive(Clone, Debug, Default)]
pub struct ProjectSchema {
    /// The schema, with the tables that TrustStream's own engines bring.
    pub catalog: Catalog,
    /// Statements that nothing was made of, each with file, line and reason.
    pub left_out: Vec<String>,
}

/// The migrations that make the tables of TrustStream's own engines, which a project's refer to.
pub(crate) fn own_migrations() -> impl Iterator<Item = AppliedMigration> {
    let own = auth::MIGRATIONS.iter().chain(storage::MIGRATIONS).chain(database::MIGRATIONS);
    own.map(|(name, sql)| AppliedMigration { name: (*name).to_owned(), sql: (*sql).to_owned() })
}

/// The schema that the tables of TrustStream's own engines are.
pub(crate) fn own_catalog() -> Result<Catalog> {
    let mut catalog = Catalog::default();
    for migration in own_migrations() {
        extend(&mut catalog, &migration)?;
    }
    Ok(catalog)
}

/// Brings a schema to where it is after one more migration.
pub(crate) fn extend(catalog: &mut Catalog, migration: &AppliedMigration) -> Result<()> {
    for statement in schema::parse(&migration.sql)? {
        schema::apply(catalog, &statement)?;
    }
    Ok(())
}

impl ProjectFiles {
    /// Reads the migrations.
    ///
    /// # Errors
    /// `BACKEND_003` with file and line for a file that can't be cut into statements, or one that can't
    /// follow on those before it.
    pub fn read(&self) -> Result<ProjectSchema> {
        let mut read = ProjectSchema { catalog: own_catalog()?, left_out: Vec::new() };
        for file in &self.migrations {
            let placed = |line: usize, what: &str| format!("{}:{line}: {what}", file.path.display());
            let statements = schema::parse(&file.sql)
                .map_err(|error| migration_failed(placed(1, error.message()), error))?;
            for statement in statements {
                if let Kind::Unknown(reason) = &statement.kind {
                    read.left_out.push(placed(statement.line, reason));
                    continue;
                }
                match schema::apply(&mut read.catalog, &statement) {
                    Ok(()) => {}
                    Err(error) if error.kind() == truststream_kernel::ErrorKind::Unsupported => {
                        read.left_out.push(placed(statement.line, error.message()));
                    }
                    Err(error) => {
                        return Err(migration_failed(placed(statement.line, error.message()), error));
                    }
                }
            }
        }
        Ok(read)
    }
}

fn migration_failed(message: String, cause: Error) -> Error {
    Error::new(cause.kind(), "BACKEND_003", message).with_source(cause)
}
