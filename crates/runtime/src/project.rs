//! The SQL files of a project: its migrations and its seed.

use std::path::{Path, PathBuf};

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    AppliedMigration, Database, Migrate, MigrationOutcome, Migrations, Problem, Review,
};

use crate::project_recorded::edit;

/// Name under which a seed is recorded.
const SEED: &str = "seed.sql";

/// How the name of a file ends that takes a migration back.
const DOWN: &str = ".down.sql";

/// How a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Applied as its file is.
    Applied,
    /// The file is another than the one applied.
    Changed,
    /// Applied, and there is no file.
    Missing,
    /// Not applied yet.
    Pending,
}

impl Standing {
    /// The word users read.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Applied => "applied",
            Standing::Changed => "changed",
            Standing::Missing => "missing",
            Standing::Pending => "pending",
        }
    }
}

/// What orders migrations and tells them apart: the number before the first `_`, or the whole name.
pub fn version(name: &str) -> &str {
    let bare = name.strip_suffix(".sql").unwrap_or(name);
    let number = bare.split('_').next().unwrap_or(bare);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) { number } else { bare }
}

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
    /// Where migrations are: in `migrations`, unless only a folder `supabase` is there.
    pub fn folder(project: &Path) -> PathBuf {
        let (own, supabase) = (project.join("migrations"), project.join("supabase"));
        if !own.is_dir() && supabase.is_dir() { supabase.join("migrations") } else { own }
    }

    /// Finds `migrations/*.sql` and `seed.sql`, or the same below `supabase/`.
    ///
    /// # Errors
    /// `BACKEND_002` when a file can't be read.
    pub fn find(project: &Path) -> Result<Self> {
        let folder = Self::folder(project);
        let home = folder.parent().unwrap_or(project).to_owned();
        let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        let is_up = |path: &PathBuf| {
            path.to_str().is_some_and(|path| path.ends_with(".sql") && !path.ends_with(DOWN))
        };
        paths.retain(is_up);
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
        self.apply_telling(database, |_| {}).await
    }

    /// The same, telling the name of each file that was applied.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn apply_telling(&self, database: &Database, mut told: impl FnMut(&str)) -> Result<Migrated> {
        let known = database.send(Migrations).await?;
        self.review(database, &known).await?;
        let mut migrated = Migrated::default();
        for file in self.migrations.iter().chain(&self.seed) {
            let seeded = known.iter().find(|applied| applied.name == SEED && file.name == SEED);
            if let Some(seeded) = seeded {
                migrated.seed_changed = seeded.sql != file.sql;
                continue;
            }
            if let Some(applied) = known.iter().find(|applied| version(&applied.name) == version(&file.name))
            {
                file.check(applied)?;
                continue;
            }
            let migrate = Migrate { name: file.name.clone(), sql: file.sql.clone(), dry_run: false };
            match database.send(migrate).await.map_err(|error| file.locate(error))? {
                MigrationOutcome::Applied => {
                    told(&file.name);
                    migrated.applied.push(file.name.clone());
                }
                MigrationOutcome::Unchanged => {}
            }
        }
        Ok(migrated)
    }

    /// Asks whether the database can hold what is pending, and changes nothing.
    ///
    /// # Errors
    /// `BACKEND_003` naming file, line and reason of everything that it can't hold.
    pub async fn review(&self, database: &Database, known: &[AppliedMigration]) -> Result<()> {
        let files = self.migrations.iter().chain(&self.seed);
        let pending = files
            .map(|file| AppliedMigration { name: file.name.clone(), sql: file.sql.clone() })
            .filter(|file| !known.iter().any(|applied| version(&applied.name) == version(&file.name)))
            .collect();
        let problems = database.send(Review { migrations: pending }).await?;
        if problems.is_empty() { Ok(()) } else { Err(self.cannot_hold(&problems)) }
    }

    /// Names of the migrations that are not applied yet.
    ///
    /// # Errors
    /// As [`SqlFile::check`], if one that is applied was edited.
    pub fn pending(&self, known: &[AppliedMigration]) -> Result<Vec<String>> {
        let mut pending = Vec::new();
        for file in &self.migrations {
            match known.iter().find(|applied| version(&applied.name) == version(&file.name)) {
                Some(applied) => file.check(applied)?,
                None => pending.push(file.name.clone()),
            }
        }
        Ok(pending)
    }

    /// How each migration stands, in the order of their names.
    pub fn standings(&self, known: &[AppliedMigration]) -> Vec<(String, Standing)> {
        let of_project = |applied: &&AppliedMigration| applied.name.ends_with(".sql") && applied.name != SEED;
        let recorded =
            |file: &SqlFile| known.iter().find(|applied| version(&applied.name) == version(&file.name));
        let of_file = |file: &SqlFile| match recorded(file) {
            Some(applied) if edit(&applied.sql, &file.sql).is_none() => Standing::Applied,
            Some(_) => Standing::Changed,
            None => Standing::Pending,
        };
        let has_file = |applied: &&AppliedMigration| {
            self.migrations.iter().any(|file| version(&file.name) == version(&applied.name))
        };
        let missing = known.iter().filter(of_project).filter(|applied| !has_file(applied));
        let mut all: Vec<_> = missing.map(|applied| (applied.name.clone(), Standing::Missing)).collect();
        all.extend(self.migrations.iter().map(|file| (file.name.clone(), of_file(file))));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The migration of a version, by its number or its whole name.
    pub fn migration(&self, wanted: &str) -> Option<&SqlFile> {
        self.migrations.iter().find(|file| version(&file.name) == wanted || file.name == wanted)
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

    /// The text of the file beside it that takes it back, if there is one.
    ///
    /// # Errors
    /// `BACKEND_002` when it can't be read.
    pub fn down(&self) -> Result<Option<SqlFile>> {
        let path = self.path.with_file_name(self.name.replace(".sql", DOWN));
        if path.is_file() { SqlFile::read(path).map(Some) } else { Ok(None) }
    }

    /// Whether it still is what was applied.
    ///
    /// # Errors
    /// `BACKEND_003` naming the line that was changed, what was applied, and what to do.
    pub fn check(&self, applied: &AppliedMigration) -> Result<()> {
        let Some(edit) = edit(&applied.sql, &self.sql) else { return Ok(()) };
        let message = format!("{}:{}: was changed after it was applied", self.path.display(), edit.line);
        let hint = format!(
            "put it back as it was and write the change as a new migration; if the database already is as \
             the file says, record that: truststream migration repair --status applied {}",
            version(&self.name)
        );
        let error = Error::new(ErrorKind::Conflict, "BACKEND_003", message).with_hint(hint);
        Err(error.with_details(edit.told()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_is_told() {
        let file = |name: &str| SqlFile {
            path: name.into(),
            name: name.into(),
            sql: "select 1;\n-- one\nselect 2;".into(),
        };
        let names = ["1_a.sql", "2_b.sql", "3_c.sql", "4_d.sql", "x_a.sql", "x_b.sql"];
        let files = ProjectFiles { migrations: names.map(file).to_vec(), seed: None };
        let applied = |name: &str, sql: &str| AppliedMigration { name: name.into(), sql: sql.into() };
        let known = [
            applied("1.sql", "select 1;\nselect 2"),
            applied("2_b.sql", "select 2"),
            applied("4_d.sql", ""),
            applied("0_gone.sql", ""),
            applied("truststream auth 1", ""),
            applied("x_a.sql", "select 1"),
            applied("seed.sql", ""),
        ];
        let told = files.standings(&known);
        let told: Vec<_> = told.iter().map(|(name, standing)| (name.as_str(), standing.name())).collect();
        let expected = [
            ("0_gone.sql", "missing"),
            ("1_a.sql", "applied"),
            ("2_b.sql", "changed"),
            ("3_c.sql", "pending"),
            ("4_d.sql", "applied"),
            ("x_a.sql", "changed"),
            ("x_b.sql", "pending"),
        ];
        assert_eq!(told, expected);
    }
}
