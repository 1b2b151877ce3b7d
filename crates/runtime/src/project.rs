//! The SQL files of a project: its migrations and its seed.

use std::path::{Path, PathBuf};

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    AppliedMigration, Database, Migrate, MigrationOutcome, Migrations, Problem, Review,
};

/// Name under which a seed is recorded.
const SEED: &str = "seed.sql";

/// The SQL files of a project.
#[derive(Clone, Debug, Default)]
pub struct ProjectFiles {
    /// Migrations in the order of their names.
    pub migrations: Vec<SqlFile>,
    /// What is applied once after the migrations.
    pub seed: Option<SqlFile>,
}

/// One SQL file.
#[derive(Clone, Debug)]
pub struct SqlFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, under which it is recorded.
    pub name: String,
    /// Its text.
    pub sql: String,
}

/// What applying a project's files did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Names of what was applied now.
    pub applied: Vec<String>,
    /// The seed differs from the one applied before, which stays.
    pub seed_changed: bool,
}

impl ProjectFiles {
    /// Finds `migrations/*.sql` and `seed.sql`, or the same below `supabase/`.
    ///
    /// # Errors
    /// `BACKEND_002` when a file can't be read.
    pub fn find(project: &Path) -> Result<Self> {
        let home =
            if project.join("migrations").is_dir() { project.to_owned() } else { project.join("supabase") };
        let folder = home.join("migrations");
        let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
        paths.sort();
        let migrations = paths.into_iter().map(SqlFile::read).collect::<Result<_>>()?;
        let seed = home.join(SEED);
        let seed = if seed.is_file() { Some(SqlFile::read(seed)?) } else { None };
        Ok(ProjectFiles { migrations, seed })
    }

    /// Applies what has not been applied: first everything is looked at, then each file as a whole.
    ///
    /// # Errors
    /// `BACKEND_003` naming file and line. Files before the failing one stay applied.
    pub async fn apply(&self, database: &Database) -> Result<Migrated> {
        let files = self.migrations.iter().chain(&self.seed);
        let known = database.send(Migrations).await?;
        let pending = files
            .clone()
            .map(|file| AppliedMigration { name: file.name.clone(), sql: file.sql.clone() })
            .filter(|file| !known.iter().any(|applied| applied.name == file.name))
            .collect();
        let problems = database.send(Review { migrations: pending }).await?;
        if !problems.is_empty() {
            return Err(self.cannot_hold(&problems));
        }
        let mut migrated = Migrated::default();
        for file in files {
            let seeded = known.iter().find(|applied| applied.name == SEED && file.name == SEED);
            if let Some(seeded) = seeded {
                migrated.seed_changed = seeded.sql != file.sql;
                continue;
            }
            let migrate = Migrate { name: file.name.clone(), sql: file.sql.clone(), dry_run: false };
            match database.send(migrate).await.map_err(|error| file.locate(error))? {
                MigrationOutcome::Applied => migrated.applied.push(file.name.clone()),
                MigrationOutcome::Unchanged => {}
            }
        }
        Ok(migrated)
    }

    fn cannot_hold(&self, problems: &[Problem]) -> Error {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| {
                let file =
                    self.migrations.iter().chain(&self.seed).find(|file| file.name == problem.migration);
                let path = file.map_or(problem.migration.clone(), |file| file.path.display().to_string());
                format!("{path}:{}: {}\n    {}", problem.line, problem.reason, problem.statement)
            })
            .collect();
        let message = format!("the database can't hold all of the migrations:\n{}", lines.join("\n"));
        Error::new(ErrorKind::Unsupported, "BACKEND_003", message)
            .with_details(serde_json::to_value(problems).unwrap_or_default())
            .with_hint("nothing was applied; a PostgreSQL backend holds all PostgreSQL SQL")
    }
}

impl SqlFile {
    fn read(path: PathBuf) -> Result<Self> {
        let sql = std::fs::read_to_string(&path).map_err(|error| {
            Error::configuration(format!("{}: can't be read: {error}", path.display())).with_source(error)
        })?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(SqlFile { path, name, sql })
    }

    fn locate(&self, error: Error) -> Error {
        let message = format!("{}: {}", self.path.display(), error.message());
        let mut located = Error::new(error.kind(), error.code().to_owned(), message);
        if let Some(details) = error.details() {
            located = located.with_details(details.clone());
        }
        if let Some(hint) = error.hint() {
            located = located.with_hint(hint.to_owned());
        }
        located.with_source(error)
    }
}
