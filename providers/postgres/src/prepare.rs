//! Making the database ready to receive the rows of another one, and done with it.

use tokio_postgres::Client;
use tokio_postgres::error::{DbError, SqlState};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Applied, AppliedMigration, Catalog, Migrate, Position, Prepare, TableName, both_rows_of, is_managed,
};
use truststream_sql::quote::{literal, quote};
use truststream_sql::schema;

use crate::apply::stays;
use crate::deadlock::outlast;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::migrate::migrate_within;
use crate::sql::Sql;
use crate::transaction::query_text;

/// Identities go on so far beyond the largest value present.
const HEAD_ROOM: u32 = 100;

/// The stream that has to stand somewhere.
pub(crate) type Claim<'a> = (&'a str, &'a Position);

impl PostgresDriver {
    /// Does a step, unless the claim under which it is asked for is another's by now.
    pub(crate) async fn make_ready(&self, step: &Prepare, claim: Option<Claim<'_>>) -> Result<Applied> {
        let done = outlast(|| self.make_ready_once(step, claim)).await;
        // Identities are set while writes wait: nothing else happens then.
        if !matches!(step, Prepare::Identities) {
            self.reload().await?;
        }
        done
    }

    async fn make_ready_once(&self, step: &Prepare, claim: Option<Claim<'_>>) -> Result<Applied> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let done = ready_within(&connection, step, claim).await;
        let end = if matches!(done, Ok(Applied::Done)) { "commit" } else { "rollback" };
        connection.batch_execute(end).await.map_err(failed)?;
        connection.give_back();
        done
    }
}

async fn ready_within(client: &Client, step: &Prepare, claim: Option<Claim<'_>>) -> Result<Applied> {
    if let Some((origin, stands)) = claim {
        // Whoever takes it waits until this is done.
        if !stays(client, origin, stands).await? {
            return Ok(Applied::Stale);
        }
        let mut sql = Sql::new("select set_config('truststream.claim', ");
        sql.bind(origin.to_owned()).push(", true)");
        query_text(client, &sql).await?;
    }
    match step {
        Prepare::Begin { migrations } => begin(client, migrations).await,
        Prepare::Finish => finish(client).await,
        Prepare::Identities => identities(client, HEAD_ROOM).await,
        Prepare::Discard => discard(client).await,
        Prepare::Keep => keep(client).await,
    }
    .map(|()| Applied::Done)
}

async fn begin(client: &Client, migrations: &[AppliedMigration]) -> Result<()> {
    refuse_rows(client).await?;
    client.batch_execute(include_str!("prepare/remember.sql")).await.map_err(failed)?;
    for AppliedMigration { name, sql } in migrations {
        let op = Migrate { name: name.clone(), sql: sql.clone(), dry_run: false };
        migrate_within(client, &op).await?;
    }
    // Rows that migrations make come with the copy, as the source has them now.
    run(client, include_str!("prepare/empty.sql")).await?;
    client.batch_execute(include_str!("prepare/defer.sql")).await.map_err(failed)
}

async fn refuse_rows(client: &Client) -> Result<()> {
    let tables = with_foreign(client, include_str!("prepare/tables.sql")).await?;
    let tables = client.query_typed(&tables, &[]).await.map_err(failed)?;
    for row in &tables {
        let table: &str = row.try_get(0).map_err(failed)?;
        let sql = format!("select exists (select from {table})");
        if crate::install::flag(client, &sql).await? {
            let message = format!("the target holds rows already: table {table} is not empty");
            return Err(Error::new(ErrorKind::Constraint, "BACKEND_011", message)
                .with_hint("switch to an empty database, or empty this one first"));
        }
    }
    Ok(())
}

async fn finish(client: &Client) -> Result<()> {
    let sql = "select restore from truststream.deferred order by foreign_key, id";
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    for row in &rows {
        let restore: &str = row.try_get(0).map_err(failed)?;
        client.batch_execute("savepoint restored").await.map_err(failed)?;
        if let Err(error) = client.batch_execute(restore).await {
            return Err(conflict(client, restore, error).await);
        }
    }
    client.batch_execute("delete from truststream.deferred").await.map_err(failed)?;
    identities(client, 0).await
}

/// The error of a key that could not be put back: with both rows, where two have what may be there once.
async fn conflict(client: &Client, restore: &str, error: tokio_postgres::Error) -> Error {
    let shown = match error.as_db_error() {
        Some(db) if *db.code() == SqlState::UNIQUE_VIOLATION => both_rows(client, restore, db).await,
        _ => None,
    };
    let reported = failed(error);
    match shown {
        Some(message) => {
            Error::new(reported.kind(), reported.code().to_owned(), message).with_source(reported)
        }
        None => reported,
    }
}

async fn both_rows(client: &Client, restore: &str, db: &DbError) -> Option<String> {
    let (schema, table, key) = (db.schema()?, db.table()?, db.constraint()?);
    // Of the key's own definition: `Key (lower(name))=(anna) is duplicated.`
    let (columns, _) = db.detail()?.strip_prefix("Key (")?.split_once(")=(")?;
    let only = restore.rsplit_once(" WHERE ").map_or("true", |(_, only)| only);
    let relation = format!("{}.{}", quote(schema), quote(table));
    let sql = format!(
        "select to_jsonb(t)::text from {relation} t where {only} and ({columns}) in \
         (select {columns} from {relation} where {only} group by {columns} having count(*) > 1 limit 1) limit 2"
    );
    client.batch_execute("rollback to savepoint restored").await.ok()?;
    let rows = client.query_typed(&sql, &[]).await.ok()?;
    let texts: Option<Vec<String>> = rows.iter().map(|row| row.try_get(0).ok()).collect();
    let [one, other] = &texts?[..] else { return None };
    Some(both_rows_of(&format!("{schema}.{table}"), key, [one, other]))
}

async fn identities(client: &Client, head_room: u32) -> Result<()> {
    run(client, &include_str!("prepare/identities.sql").replace("{head_room}", &head_room.to_string())).await
}

async fn discard(client: &Client) -> Result<()> {
    run(client, include_str!("prepare/discard.sql")).await
}

async fn run(client: &Client, script: &str) -> Result<()> {
    client.batch_execute(&with_foreign(client, script).await?).await.map_err(failed)
}

/// A script that knows which tables are the state of a platform's own services: nothing is read from them,
/// and nothing done to them.
async fn with_foreign(client: &Client, script: &str) -> Result<String> {
    let rows = client.query_typed(include_str!("prepare/managed.sql"), &[]).await.map_err(failed)?;
    let recorded = "select sql from truststream.migrations where starts_with(name, 'truststream_')";
    let mut own = Catalog::default();
    for row in &client.query_typed(recorded, &[]).await.map_err(failed)? {
        for statement in schema::parse(row.try_get(0).map_err(failed)?)? {
            schema::apply(&mut own, &statement)?;
        }
    }
    let mut foreign = Vec::new();
    for row in &rows {
        let name = TableName::new(
            row.try_get::<_, &str>(0).map_err(failed)?,
            row.try_get::<_, &str>(1).map_err(failed)?,
        );
        if is_managed(&name.schema) && own.table(&name).is_none() {
            foreign.push(literal(row.try_get(2).map_err(failed)?));
        }
    }
    Ok(script.replace("{foreign}", &format!("array[{}]::text[]", foreign.join(", "))))
}

async fn keep(client: &Client) -> Result<()> {
    client.batch_execute("delete from truststream.existing").await.map_err(failed)
}
