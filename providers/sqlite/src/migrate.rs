//! Migrations: PostgreSQL's schema language applied to the catalog and to the file.

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Adopt, AppliedMigration, Catalog, Migrate, MigrationOutcome, Problem, Revert, TableKind, TableName,
};
use truststream_sql::schema::{self, Kind, Statement};
use truststream_sql::sqlite::numbers;

use crate::connection::Conn;
use crate::ddl::{cascade, existing};
use crate::driver::Shared;
use crate::error::convert;
use crate::writer::Fate;
use crate::{ddl, derived};
use crate::{feed, internal, sequence, words};

/// Applies a migration once.
pub(crate) async fn migrate(shared: &Shared, cx: &Context, op: &Migrate) -> Result<MigrationOutcome> {
    let (planner, after, op) = (shared.clone(), shared.clone(), op.clone());
    let work = move |conn: &Conn| {
        let mut catalog = planner.schema().catalog.as_ref().clone();
        let outcome = run(conn, &mut catalog, &op.name, &op.sql)?;
        Ok(if op.dry_run { Fate::Undo((outcome, catalog)) } else { Fate::Keep((outcome, catalog)) })
    };
    let committed = move |(_, catalog): &(MigrationOutcome, Catalog)| after.replace(catalog.clone());
    let (outcome, _) = shared.writer.run_unchecked(cx, work, committed).await?;
    Ok(outcome)
}

/// Takes a migration back and forgets it.
pub(crate) async fn revert(shared: &Shared, cx: &Context, op: &Revert) -> Result<()> {
    let (planner, after, op) = (shared.clone(), shared.clone(), op.clone());
    let work = move |conn: &Conn| {
        let mut catalog = planner.schema().catalog.as_ref().clone();
        if !internal::migration_names(&conn.sql)?.contains(&op.name) {
            return Err(fault(&op.name, "is not applied"));
        }
        if let Some(sql) = &op.sql {
            // Its text is applied as a migration is, and neither of them is recorded afterwards.
            let name = format!("{} (down)", op.name);
            run(conn, &mut catalog, &name, sql)?;
            internal::forget(&conn.sql, &name)?;
        }
        internal::forget(&conn.sql, &op.name)?;
        Ok(if op.dry_run { Fate::Undo(catalog) } else { Fate::Keep(catalog) })
    };
    let committed = move |catalog: &Catalog| after.replace(catalog.clone());
    shared.writer.run_unchecked(cx, work, committed).await.map(drop)
}

/// Records a migration as applied without running it.
pub(crate) async fn adopt(shared: &Shared, cx: &Context, op: &Adopt) -> Result<()> {
    let op = op.clone();
    let work = move |conn: &Conn| {
        let sql = "INSERT INTO truststream_migrations (name, sql) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET sql = excluded.sql";
        conn.sql.execute(sql, [&op.name, &op.sql]).map_err(convert)?;
        Ok(Fate::Keep(()))
    };
    shared.writer.run_unchecked(cx, work, |()| {}).await
}

/// Applies a migration to the file and to a catalog, within the transaction that is open.
pub(crate) fn run(conn: &Conn, catalog: &mut Catalog, name: &str, sql: &str) -> Result<MigrationOutcome> {
    if let Some(applied) = internal::migrations(&conn.sql)?.into_iter().find(|one| one.name == name) {
        if applied.sql == sql {
            return Ok(MigrationOutcome::Unchanged);
        }
        return Err(fault(name, "was applied before with another text"));
    }
    let one = AppliedMigration { name: name.to_owned(), sql: sql.to_owned() };
    if let Some(problem) = review(catalog, &[one]).into_iter().next() {
        let details = format!("{}:{}: {}: {}", name, problem.line, problem.statement, problem.reason);
        return Err(Error::unsupported(format!("migration {name} can't be held by this database"))
            .with_details(details));
    }
    feed::remove(&conn.sql)?;
    let mut last = None;
    let mut applying = Applying { conn, catalog, derived: true, cascades: false };
    for statement in schema::parse(sql).map_err(|error| failed(name, 1, &error))? {
        applying.step(&statement).map_err(|error| failed(name, statement.line, &error))?;
        if matches!(statement.kind, Kind::Data | Kind::Schema) {
            last = Some(statement.line);
        }
    }
    // Dumps fill tables in any order, so that rows refer to others only when all are there.
    if let Some(line) = last {
        let whole = applying.finish().and_then(|()| existing::references(&conn.sql, catalog));
        whole.map_err(|error| failed(name, line, &error))?;
    }
    catalog.relationships = schema::view_relationships(catalog);
    catalog.relationships.extend(truststream_sql::computed::relationships(catalog));
    internal::keep_catalog(&conn.sql, catalog)?;
    words::follow(&conn.sql, catalog)?;
    feed::rebuild(&conn.sql, catalog)?;
    conn.sql
        .execute("INSERT INTO truststream_migrations (name, sql) VALUES (?1, ?2)", [name, sql])
        .map_err(convert)?;
    Ok(MigrationOutcome::Applied)
}

/// A migration on its way.
struct Applying<'a> {
    conn: &'a Conn,
    catalog: &'a mut Catalog,
    /// Whether views and triggers are there. While tables change they are not, and may name what is
    /// there no longer, or not yet.
    derived: bool,
    /// Whether foreign keys do what they say.
    cascades: bool,
}

impl Applying<'_> {
    fn step(&mut self, statement: &Statement) -> Result<()> {
        match &statement.kind {
            Kind::Noise => Ok(()),
            Kind::Unknown(reason) => Err(Error::unsupported(reason.clone())),
            Kind::Data => {
                self.derive()?;
                if statement.truncates() {
                    return self.truncate(statement);
                }
                if !std::mem::replace(&mut self.cascades, true) {
                    cascade::create(&self.conn.sql, self.catalog)?;
                }
                self.run(statement)
            }
            Kind::Schema => {
                self.bare()?;
                let before = self.catalog.clone();
                schema::apply(self.catalog, statement)?;
                ddl::change(&self.conn.sql, &before, self.catalog, statement)?;
                sequence::begin(self.conn, &before, self.catalog);
                match numbers::after(self.catalog, statement) {
                    Some(sql) => self.conn.sql.execute_batch(&sql).map_err(convert),
                    None => Ok(()),
                }
            }
        }
    }

    fn run(&self, statement: &Statement) -> Result<()> {
        for sql in truststream_sql::sqlite::data(self.catalog, statement)? {
            let done = self.conn.sql.execute_batch(&sql);
            done.map_err(|error| existing::violated(self.catalog, error))?;
        }
        Ok(())
    }

    /// Empties tables, of which neither triggers nor foreign keys are told.
    fn truncate(&mut self, statement: &Statement) -> Result<()> {
        if std::mem::take(&mut self.cascades) {
            cascade::remove(&self.conn.sql)?;
        }
        self.conn.session.quietly(|| self.run(statement))
    }

    fn derive(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.derived, true) {
            return Ok(());
        }
        derived::create(&self.conn.sql, self.catalog)
    }

    fn bare(&mut self) -> Result<()> {
        if std::mem::take(&mut self.cascades) {
            cascade::remove(&self.conn.sql)?;
        }
        if std::mem::take(&mut self.derived) {
            derived::remove(&self.conn.sql, self.catalog)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.derive()?;
        if std::mem::take(&mut self.cascades) { cascade::remove(&self.conn.sql) } else { Ok(()) }
    }
}

/// What of migrations this database can't hold.
pub(crate) fn review(catalog: &Catalog, migrations: &[AppliedMigration]) -> Vec<Problem> {
    truststream_sql::sqlite::review(catalog, migrations)
}

fn failed(name: &str, line: usize, error: &Error) -> Error {
    let mut details = error.message().to_owned();
    if let Some(more) = error.details().and_then(serde_json::Value::as_str) {
        details = format!("{details}: {more}");
    }
    if let Some(cause) = std::error::Error::source(error) {
        details = format!("{details}: {cause}");
    }
    fault(name, &format!("failed at line {line}: {}", error.message())).with_details(details)
}

fn fault(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "BACKEND_003", format!("migration {name} {why}"))
}

/// Where a table of this catalog went that the next one does not have.
pub(crate) fn gone<'c>(before: &'c Catalog, after: &Catalog) -> Vec<&'c TableName> {
    let tables = before.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
    tables.map(|(name, _)| name).filter(|name| !after.tables.contains_key(*name)).collect()
}
