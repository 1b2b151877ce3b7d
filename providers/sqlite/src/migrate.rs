//! Migrations: PostgreSQL's schema language applied to the catalog and to the file.

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    AppliedMigration, Catalog, Migrate, MigrationOutcome, Problem, TableKind, TableName,
};
use truststream_sql::schema::{self, Kind, Statement};

use crate::connection::Conn;
use crate::ddl::existing;
use crate::driver::Shared;
use crate::error::convert;
use crate::writer::Fate;
use crate::{ddl, derived};
use crate::{feed, internal};

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
    for statement in schema::parse(sql).map_err(|error| failed(name, 1, &error))? {
        step(conn, catalog, &statement).map_err(|error| failed(name, statement.line, &error))?;
        if matches!(statement.kind, Kind::Data | Kind::Schema) {
            last = Some(statement.line);
        }
    }
    // Dumps fill tables in any order, so that rows refer to others only when all are there.
    if let Some(line) = last {
        existing::references(&conn.sql, catalog).map_err(|error| failed(name, line, &error))?;
    }
    catalog.relationships = schema::view_relationships(catalog);
    catalog.relationships.extend(truststream_sql::computed::relationships(catalog));
    internal::keep_catalog(&conn.sql, catalog)?;
    feed::rebuild(&conn.sql, catalog)?;
    conn.sql
        .execute("INSERT INTO truststream_migrations (name, sql) VALUES (?1, ?2)", [name, sql])
        .map_err(convert)?;
    Ok(MigrationOutcome::Applied)
}

fn step(conn: &Conn, catalog: &mut Catalog, statement: &Statement) -> Result<()> {
    match &statement.kind {
        Kind::Noise => Ok(()),
        Kind::Unknown(reason) => Err(Error::unsupported(reason.clone())),
        Kind::Data => {
            for sql in truststream_sql::sqlite::data(catalog, statement)? {
                conn.sql.execute_batch(&sql).map_err(|error| existing::violated(catalog, error))?;
            }
            Ok(())
        }
        Kind::Schema => {
            let before = catalog.clone();
            schema::apply(catalog, statement)?;
            derived::remove(&conn.sql, &before)?;
            ddl::change(&conn.sql, &before, catalog, statement)?;
            derived::create(&conn.sql, catalog)
        }
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
