//! Migrations: PostgreSQL's schema language applied to the catalog and to collections.
//!
//! Collections and indexes can't be made within a transaction, so they are made before it, while
//! nothing knows of them yet, and removed again if it fails. What rows become, the catalog and the
//! record of the migration are one transaction. What is not needed any more goes after it.

use futures::FutureExt;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    AppliedMigration, Catalog, Migrate, MigrationOutcome, Revert, Table, TableName,
};
use truststream_sql::schema::{self, Kind, Statement};

use crate::ddl::{self, indexes};
use crate::driver::Shared;
use crate::internal;
use crate::names::collection;
use crate::schema::{Schema, base_tables};
use crate::work::{Fate, Work};

pub(crate) use crate::review::review;

/// One statement and the catalog after it.
struct Step {
    statement: Statement,
    catalog: Catalog,
}

/// Applies a migration once.
pub(crate) async fn migrate(shared: &Shared, cx: &Context, op: &Migrate) -> Result<MigrationOutcome> {
    shared.reload().await?;
    let receiving = shared.schema().receiving;
    apply(shared, cx, &AppliedMigration { name: op.name.clone(), sql: op.sql.clone() }, receiving, op.dry_run)
        .await
}

/// Applies a migration; while a copy is received what it made is not yet bound by unique keys.
pub(crate) async fn apply(
    shared: &Shared,
    cx: &Context,
    migration: &AppliedMigration,
    receiving: bool,
    dry_run: bool,
) -> Result<MigrationOutcome> {
    let AppliedMigration { name, sql } = migration;
    let applied = internal::migrations(&shared.database).await?;
    if let Some(known) = applied.iter().find(|one| one.name == *name) {
        if known.sql == *sql {
            return Ok(MigrationOutcome::Unchanged);
        }
        return Err(fault(name, "was applied before with another text"));
    }
    change(shared, cx, migration, None, receiving, dry_run).await?;
    Ok(MigrationOutcome::Applied)
}

/// Takes a migration back and forgets it.
pub(crate) async fn revert(shared: &Shared, cx: &Context, op: &Revert) -> Result<()> {
    shared.reload().await?;
    if !internal::migration_names(&shared.database).await?.contains(&op.name) {
        return Err(fault(&op.name, "is not applied"));
    }
    let Some(sql) = &op.sql else {
        return if op.dry_run { Ok(()) } else { internal::forget(&shared.database, &op.name).await };
    };
    let back = AppliedMigration { name: format!("{} (down)", op.name), sql: sql.clone() };
    let receiving = shared.schema().receiving;
    change(shared, cx, &back, Some(&op.name), receiving, op.dry_run).await
}

/// Does what a migration says, and records it; or forgets the one that it takes back.
async fn change(
    shared: &Shared,
    cx: &Context,
    migration: &AppliedMigration,
    forgets: Option<&str>,
    receiving: bool,
    dry_run: bool,
) -> Result<()> {
    let AppliedMigration { name, sql } = migration;
    let before = shared.schema();
    let problems = review(&before.catalog, std::slice::from_ref(migration));
    if let Some(problem) = problems.into_iter().next() {
        let details = format!("{}:{}: {}: {}", name, problem.line, problem.statement, problem.reason);
        return Err(Error::unsupported(format!("migration {name} can't be held by this database"))
            .with_details(details));
    }
    let steps = steps(&before.catalog, name, sql)?;
    if dry_run {
        return Ok(());
    }
    let after = steps.last().map_or_else(|| before.catalog.as_ref().clone(), |step| step.catalog.clone());
    let mut made = Made::default();
    let at = internal::next_place(&shared.database).await?;
    let plan =
        Plan { before: &before.catalog, after: &after, migration, forgets, steps: &steps, at, receiving };
    if let Err(error) = carry_out(shared, cx, &plan, &mut made).await {
        made.undo(shared).await;
        return Err(error);
    }
    shared.replace(after.clone(), receiving);
    tidy(shared, &before.catalog, &after, receiving).await?;
    for (name, _, _) in passing(&before.catalog, &after, &steps) {
        let gone = shared.database.collection::<mongodb::bson::Document>(&collection(name));
        gone.drop().await.map_err(crate::error::convert)?;
    }
    Ok(())
}

/// The tables that are only there while the migration is applied, and the catalogs that have them last.
fn passing<'s>(
    before: &Catalog,
    after: &Catalog,
    steps: &'s [Step],
) -> Vec<(&'s TableName, &'s Table, &'s Catalog)> {
    let mut found: Vec<(&TableName, &Table, &Catalog)> = Vec::new();
    for step in steps.iter().rev() {
        for (name, table) in base_tables(&step.catalog) {
            let passes = before.table(name).is_none() && after.table(name).is_none();
            if passes && !found.iter().any(|(known, ..)| *known == name) {
                found.push((name, table, &step.catalog));
            }
        }
    }
    found
}

fn steps(before: &Catalog, name: &str, sql: &str) -> Result<Vec<Step>> {
    let mut catalog = before.clone();
    let statements = schema::parse(sql).map_err(|error| failed(name, 1, &error))?;
    let step = |statement: Statement| {
        if statement.kind == Kind::Schema {
            schema::apply(&mut catalog, &statement).map_err(|error| failed(name, statement.line, &error))?;
        }
        Ok(Step { statement, catalog: catalog.clone() })
    };
    statements.into_iter().map(step).collect()
}

/// What the transaction of a migration is about.
struct Plan<'m> {
    before: &'m Catalog,
    after: &'m Catalog,
    migration: &'m AppliedMigration,
    /// The migration that is forgotten, where this one is not recorded.
    forgets: Option<&'m str>,
    steps: &'m [Step],
    /// Where it stands among all migrations.
    at: i64,
    receiving: bool,
}

/// What was made before the transaction.
#[derive(Default)]
struct Made {
    collections: Vec<String>,
    indexes: Vec<(String, String)>,
}

impl Made {
    /// Removes it again; what can't be removed is in nobody's way.
    async fn undo(&self, shared: &Shared) {
        for name in &self.collections {
            let dropped = shared.database.collection::<mongodb::bson::Document>(name).drop().await;
            if let Err(error) = dropped {
                tracing::warn!(collection = name, %error, "a collection of a failed migration is left");
            }
        }
        for (called, name) in &self.indexes {
            if let Err(error) = ddl::remove(&shared.database, called, name).await {
                tracing::warn!(collection = called, index = name, %error, "an index of a failed migration is left");
            }
        }
    }
}

async fn carry_out(shared: &Shared, cx: &Context, plan: &Plan<'_>, made: &mut Made) -> Result<()> {
    let Plan { before, after, migration, steps, receiving, .. } = *plan;
    for (name, table) in base_tables(after) {
        let called = collection(name);
        let Some(old) = before.table(name) else {
            made.collections.push(called);
            ddl::create(&shared.database, after, (name, table), receiving).await?;
            continue;
        };
        let known = indexes(before, old, receiving);
        for wanted in indexes(after, table, receiving).into_iter().filter(|one| !known.contains(one)) {
            made.indexes.push((called.clone(), wanted.name.clone()));
            ddl::make(&shared.database, &called, wanted)
                .await
                .map_err(|error| failed(&migration.name, 1, &error))?;
        }
        if old.columns != table.columns {
            // The next transaction writes rows that the old rules know nothing of.
            ddl::unvalidate(&shared.database, name).await?;
        }
    }
    for (name, table, catalog) in passing(before, after, steps) {
        made.collections.push(collection(name));
        ddl::create(&shared.database, catalog, (name, table), receiving).await?;
    }
    shared.transact(cx, plan, |work, plan| work.migrated(plan).boxed()).await
}

impl Work {
    async fn migrated(&mut self, plan: &Plan<'_>) -> Result<Fate<()>> {
        let Plan { migration, receiving, .. } = *plan;
        let mut previous = plan.before;
        for step in plan.steps {
            let line = step.statement.line;
            self.schema = std::sync::Arc::new(Schema::new(step.catalog.clone(), receiving));
            let done = match step.statement.kind {
                Kind::Data => self.run(&step.statement).await,
                Kind::Schema => self.backfill(previous).await,
                _ => Ok(()),
            };
            done.map_err(|error| match error.kind() {
                ErrorKind::Conflict => error,
                _ => failed(&migration.name, line, &error),
            })?;
            previous = &step.catalog;
        }
        internal::keep(&self.database, &mut self.session, plan.after, receiving).await?;
        match plan.forgets {
            Some(name) => internal::forget_within(&self.database, &mut self.session, name).await?,
            None => internal::record(&self.database, &mut self.session, plan.at, migration).await?,
        }
        Ok(Fate::Keep(()))
    }
}

/// Removes what no table wants any more, and sets what the others take, if they don't take anything.
async fn tidy(shared: &Shared, before: &Catalog, after: &Catalog, receiving: bool) -> Result<()> {
    for (name, old) in base_tables(before) {
        let called = collection(name);
        let Some(table) = after.table(name) else {
            let gone = shared.database.collection::<mongodb::bson::Document>(&called);
            gone.drop().await.map_err(crate::error::convert)?;
            continue;
        };
        let wanted = indexes(after, table, false);
        for index in indexes(before, old, false).into_iter().filter(|one| !wanted.contains(one)) {
            ddl::remove(&shared.database, &called, &index.name).await?;
        }
        if old.columns != table.columns && !receiving {
            ddl::validate(&shared.database, after, name, table).await?;
        }
    }
    Ok(())
}

fn failed(name: &str, line: usize, error: &Error) -> Error {
    let mut details = error.message().to_owned();
    if let Some(more) = error.details().and_then(serde_json::Value::as_str) {
        details = format!("{details}: {more}");
    }
    fault(name, &format!("failed at line {line}: {}", error.message())).with_details(details)
}

fn fault(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "BACKEND_003", format!("migration {name} {why}"))
}
