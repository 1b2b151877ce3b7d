//! Making the database ready to receive the rows of another one, and done with it.

use tokio_postgres::Client;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{AppliedMigration, Migrate, Prepare};

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::migrate::migrate_within;

/// Identities go on so far beyond the largest value present.
const HEAD_ROOM: u32 = 100;

impl PostgresDriver {
    pub(crate) async fn make_ready(&self, op: &Prepare) -> Result<()> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let done = match op {
            Prepare::Begin { migrations } => begin(&connection, migrations).await,
            Prepare::Finish => finish(&connection).await,
            Prepare::Identities => identities(&connection, HEAD_ROOM).await,
            Prepare::Discard => discard(&connection).await,
            Prepare::Keep => keep(&connection).await,
        };
        let end = if done.is_ok() { "commit" } else { "rollback" };
        connection.batch_execute(end).await.map_err(failed)?;
        connection.give_back();
        // Identities are set while writes wait: nothing else happens then.
        if !matches!(op, Prepare::Identities) {
            self.reload().await?;
        }
        done
    }
}

async fn begin(client: &Client, migrations: &[AppliedMigration]) -> Result<()> {
    refuse_rows(client).await?;
    client.batch_execute(include_str!("prepare/remember.sql")).await.map_err(failed)?;
    for AppliedMigration { name, sql } in migrations {
        let op = Migrate { name: name.clone(), sql: sql.clone(), dry_run: false };
        migrate_within(client, &op).await?;
    }
    // Rows that migrations make come with the copy, as the source has them now.
    client.batch_execute(include_str!("prepare/empty.sql")).await.map_err(failed)?;
    client.batch_execute(include_str!("prepare/defer.sql")).await.map_err(failed)
}

async fn refuse_rows(client: &Client) -> Result<()> {
    let tables = client.query_typed(include_str!("prepare/tables.sql"), &[]).await.map_err(failed)?;
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
        client.batch_execute(row.try_get(0).map_err(failed)?).await.map_err(failed)?;
    }
    client.batch_execute("delete from truststream.deferred").await.map_err(failed)?;
    identities(client, 0).await
}

async fn identities(client: &Client, head_room: u32) -> Result<()> {
    let sql = include_str!("prepare/identities.sql").replace("{head_room}", &head_room.to_string());
    client.batch_execute(&sql).await.map_err(failed)
}

async fn discard(client: &Client) -> Result<()> {
    client.batch_execute(include_str!("prepare/discard.sql")).await.map_err(failed)
}

async fn keep(client: &Client) -> Result<()> {
    client.batch_execute("delete from truststream.existing").await.map_err(failed)
}
