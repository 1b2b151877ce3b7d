//! Migrations: run as written, one transaction each, recorded.

use futures::StreamExt;
use serde_json::json;
use tokio_postgres::{Client, Row, SimpleQueryMessage};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Adopt, AppliedMigration, Migrate, MigrationOutcome, Revert};

use crate::driver::PostgresDriver;
use crate::error::{failed, position};
use crate::install::{flag, install};
use crate::passed_over::without_platform;
use crate::pool::Lease;
use crate::script::{line, statements};
use crate::sql::Sql;
use crate::transaction::query_text;

impl PostgresDriver {
    /// A connection to a database in which the schema `truststream` exists.
    pub(crate) async fn own(&self) -> Result<Lease> {
        let connection = self.shared.transactions.connections().lease().await?;
        if !self.shared.installed.load(std::sync::atomic::Ordering::Acquire) {
            install(&connection, self.shared.config.bootstrap).await?;
            self.shared.installed.store(true, std::sync::atomic::Ordering::Release);
        }
        Ok(connection)
    }

    pub(crate) async fn apply_migration(&self, op: &Migrate) -> Result<MigrationOutcome> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let outcome = migrate_within(&connection, op).await;
        let keep = outcome.is_ok() && !op.dry_run;
        connection.batch_execute(if keep { "commit" } else { "rollback" }).await.map_err(failed)?;
        connection.give_back();
        if keep && matches!(outcome, Ok(MigrationOutcome::Applied)) {
            self.reload().await?;
        }
        outcome
    }

    pub(crate) async fn revert_migration(&self, op: &Revert) -> Result<()> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let done = revert_within(&connection, op).await;
        let keep = done.is_ok() && !op.dry_run;
        connection.batch_execute(if keep { "commit" } else { "rollback" }).await.map_err(failed)?;
        connection.give_back();
        if keep {
            self.reload().await?;
        }
        done
    }

    pub(crate) async fn adopt_migration(&self, op: &Adopt) -> Result<()> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let done = adopt_within(&connection, op).await;
        let end = if done.is_ok() { "commit" } else { "rollback" };
        connection.batch_execute(end).await.map_err(failed)?;
        connection.give_back();
        done
    }

    pub(crate) async fn applied_migrations(&self) -> Result<Vec<AppliedMigration>> {
        let rows = self.recorded(OWN_TEXT, SUPABASE_TEXT).await?;
        let one = |row: &Row| {
            let name = row.try_get(0).map_err(failed)?;
            Ok(AppliedMigration { name, sql: row.try_get(1).map_err(failed)? })
        };
        rows.iter().map(one).collect()
    }

    pub(crate) async fn names_of_migrations(&self) -> Result<Vec<String>> {
        let rows = self.recorded("", "").await?;
        rows.iter().map(|row| row.try_get(0).map_err(failed)).collect()
    }

    /// Names of the migrations that TrustStream or the supabase CLI recorded, in order, and what else
    /// is to be selected of each.
    async fn recorded(&self, of_own: &str, of_supabase: &str) -> Result<Vec<Row>> {
        let connection = self.own().await?;
        let own = format!("select m.name{of_own} from truststream.migrations m order by m.position");
        let mut rows = connection.query_typed(&own, &[]).await.map_err(failed)?;
        if flag(&connection, HAS_SUPABASE).await? {
            let supabase = format!("select {SUPABASE_NAME}{of_supabase} {OF_SUPABASE}");
            rows.extend(connection.query_typed(&supabase, &[]).await.map_err(failed)?);
        }
        connection.give_back();
        Ok(rows)
    }
}

/// Whether the supabase CLI has recorded migrations here.
const HAS_SUPABASE: &str = "select to_regclass('supabase_migrations.schema_migrations') is not null";

/// A migration's text where TrustStream recorded it, and where the supabase CLI did.
const OWN_TEXT: &str = ", m.sql";
const SUPABASE_TEXT: &str = ", coalesce(array_to_string(s.statements, E';\\n'), '')";

/// A migration's name, as the supabase CLI names its file.
const SUPABASE_NAME: &str = "s.version || coalesce('_' || nullif(s.name, ''), '') || '.sql'";

/// What the supabase CLI has recorded and TrustStream has not.
const OF_SUPABASE: &str = "
    from supabase_migrations.schema_migrations s
    where not exists (select from truststream.migrations m
                      where m.name = s.version || '.sql' or starts_with(m.name, s.version || '_'))
    order by s.version";

/// Number and name of a migration's file, as the supabase CLI records them.
fn numbered(name: &str) -> Option<(&str, &str)> {
    let bare = name.strip_suffix(".sql")?;
    let (version, name) = bare.split_once('_').unwrap_or((bare, ""));
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some((version, name))
}

/// Records a migration where the supabase CLI looks, if it was here before.
async fn record_for_supabase(client: &Client, name: &str, sql: &str) -> Result<()> {
    let Some((version, name)) = numbered(name) else { return Ok(()) };
    if !flag(client, HAS_SUPABASE).await? {
        return Ok(());
    }
    let mut record =
        Sql::new("insert into supabase_migrations.schema_migrations (version, name, statements) values (");
    record.bind(version.to_owned()).push(", ").bind(name.to_owned()).push(", array[").bind(sql.to_owned());
    record.push(
        "]) on conflict (version) do update set name = excluded.name, statements = excluded.statements",
    );
    query_text(client, &record).await.map(drop)
}

async fn adopt_within(client: &Client, op: &Adopt) -> Result<()> {
    let mut record = Sql::new("insert into truststream.migrations (name, sql) values (");
    record.bind(op.name.clone()).push(", ").bind(op.sql.clone());
    record.push(") on conflict (name) do update set sql = excluded.sql");
    query_text(client, &record).await?;
    record_for_supabase(client, &op.name, &op.sql).await
}

async fn revert_within(client: &Client, op: &Revert) -> Result<()> {
    let lock = "select pg_advisory_xact_lock(hashtextextended('truststream.migrate', 0))";
    client.batch_execute(lock).await.map_err(failed)?;
    if let Some(sql) = &op.sql {
        let path = "set local search_path = public, extensions; set local timezone = 'UTC'";
        client.batch_execute(path).await.map_err(failed)?;
        let down = Migrate { name: format!("{} (down)", op.name), sql: sql.clone(), dry_run: false };
        run_script(client, &down).await?;
        client
            .batch_execute("set local search_path = ''; set local check_function_bodies = on")
            .await
            .map_err(failed)?;
    }
    let mut forget = Sql::new("delete from truststream.migrations where name = ");
    forget.bind(op.name.clone()).push(" returning name");
    let mut known = !query_text(client, &forget).await?.is_empty();
    if let Some((version, _)) = numbered(&op.name)
        && flag(client, HAS_SUPABASE).await?
    {
        let mut forget = Sql::new("delete from supabase_migrations.schema_migrations where version = ");
        forget.bind(version.to_owned()).push(" returning version");
        known |= !query_text(client, &forget).await?.is_empty();
    }
    if !known {
        return Err(refused(&op.name, "is not applied"));
    }
    client.batch_execute("notify pgrst, 'reload schema'").await.map_err(failed)
}

/// Applies one migration in the transaction that is open.
pub(crate) async fn migrate_within(client: &Client, op: &Migrate) -> Result<MigrationOutcome> {
    let lock = "select pg_advisory_xact_lock(hashtextextended('truststream.migrate', 0))";
    client.batch_execute(lock).await.map_err(failed)?;
    let mut known = Sql::new("select sql from truststream.migrations where name = ");
    known.bind(op.name.clone());
    if let Some(row) = query_text(client, &known).await?.first() {
        let sql: &str = row.try_get(0).map_err(failed)?;
        return match sql == op.sql {
            true => Ok(MigrationOutcome::Unchanged),
            false => Err(refused(&op.name, "was applied before with another text")),
        };
    }
    let set_up =
        flag(client, "select exists (select from truststream.settings where name = 'set_up')").await?;
    let path = "set local search_path = public, extensions; set local timezone = 'UTC'";
    client.batch_execute(path).await.map_err(failed)?;
    run_script(client, op).await?;
    client.batch_execute("set local search_path = ''").await.map_err(failed)?;
    if set_up {
        open_tables(client, &op.sql).await?;
    }
    let mut record = Sql::new("insert into truststream.migrations (name, sql) values (");
    record.bind(op.name.clone()).push(", ").bind(op.sql.clone()).push(")");
    query_text(client, &record).await?;
    record_for_supabase(client, &op.name, &op.sql).await?;
    client.batch_execute("notify pgrst, 'reload schema'").await.map_err(failed)?;
    Ok(MigrationOutcome::Applied)
}

/// Runs the statements of a migration, counting those that succeed.
async fn run_script(client: &Client, op: &Migrate) -> Result<()> {
    let mut done = 0;
    let script = without_platform(client, &op.sql).await?;
    let messages = client.simple_query_raw(&script).await.map_err(failed)?;
    let mut messages = std::pin::pin!(messages);
    while let Some(message) = messages.next().await {
        match message {
            Ok(SimpleQueryMessage::CommandComplete(_)) => done += 1,
            Ok(_) => {}
            Err(error) => return Err(broken(&op.name, &script, done, error)),
        }
    }
    Ok(())
}

async fn open_tables(client: &Client, migration: &str) -> Result<()> {
    let lower = migration.to_lowercase();
    let revoked = |table: &str| {
        lower.split(';').any(|statement| {
            statement.trim_start().starts_with("revoke") && statement.contains(&table.to_lowercase())
        })
    };
    let rows = client.query_typed(include_str!("install/open.sql"), &[]).await.map_err(failed)?;
    for row in &rows {
        let (grant, oid, table): (&str, &str, &str) = (
            row.try_get(0).map_err(failed)?,
            row.try_get(1).map_err(failed)?,
            row.try_get(2).map_err(failed)?,
        );
        if !revoked(table) {
            client.batch_execute(grant).await.map_err(failed)?;
        }
        let seen = format!("insert into truststream.opened values ({oid}) on conflict do nothing");
        client.batch_execute(&seen).await.map_err(failed)?;
    }
    Ok(())
}

/// What failed, and on which line.
fn broken(name: &str, script: &str, done: usize, error: tokio_postgres::Error) -> Error {
    if error.as_db_error().is_none() {
        return failed(error);
    }
    // Errors that the parser did not find name no position: then it is the statement's line.
    let line = match position(&error) {
        Some(position) => {
            Some(script.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count() + 1)
        }
        None => statements(script).get(done).map(|statement| line(script, statement.start)),
    };
    let cause = failed(error);
    let place = line.map(|line| format!(" on line {line}")).unwrap_or_default();
    let failure = refused(name, &format!("failed{place}: {}", cause.message()));
    let failure = failure.with_details(json!({
        "migration": name,
        "line": line,
        "code": cause.code(),
        "message": cause.message(),
        "details": cause.details(),
    }));
    let failure = match cause.hint() {
        Some(hint) => failure.with_hint(hint.to_owned()),
        None => failure,
    };
    failure.with_source(cause)
}

fn refused(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "BACKEND_003", format!("migration {name} {why}"))
}
