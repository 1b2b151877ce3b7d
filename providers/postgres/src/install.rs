//! What TrustStream keeps in a database, and what it makes of an empty one.

use std::time::Duration;

use tokio_postgres::Client;
use truststream_kernel::{Error, Result};
use truststream_sql::printed::with_change_log;

use crate::connector::NO_TIMEOUT;
use crate::error::failed;

/// Set-ups of several processes wait for one another.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('truststream.install', 0))";

/// The format of what TrustStream keeps. To change it, change `truststream.sql` so that it makes the new
/// format of nothing and of every older one, and count on.
///
/// 1: rows of the log as JSON. 2: rows as records with the names of their fields. 3: formats are
/// numbered, and changes of the schema are told of. 4: tables can be closed to direct writers. 5: triggers
/// that can't be taken away do nothing.
const FORMAT: u32 = 5;

/// Whether nobody has made anything in the database yet.
const EMPTY: &str = "
    select not exists (
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', 'truststream')
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    ) and not exists (select from pg_namespace where nspname = 'auth')";

/// How often a set-up is tried again that met another one.
const ATTEMPTS: u32 = 20;

/// Makes the schema `truststream` if it is missing, and sets up a database that is empty.
///
/// Roles belong to the whole server, and no lock reaches over its databases: a set-up of another
/// database at the same moment makes one of the two fail, which then begins again.
pub(crate) async fn install(client: &Client, set_up: bool) -> Result<()> {
    let mut attempt = 1;
    loop {
        match install_once(client, set_up).await {
            Err(error) if attempt < ATTEMPTS && met_another(&error) => {
                tokio::time::sleep(Duration::from_millis(u64::from(10 * attempt))).await;
                attempt += 1;
            }
            installed => return installed,
        }
    }
}

/// Whether another set-up changed the same roles at the same moment.
fn met_another(error: &Error) -> bool {
    // A unique violation on the catalog, an object that exists by now, or an update that lost.
    matches!(error.code(), "23505" | "42710") || error.message() == "tuple concurrently updated"
}

async fn install_once(client: &Client, set_up: bool) -> Result<()> {
    client.batch_execute(&format!("begin; {NO_TIMEOUT}")).await.map_err(failed)?;
    let installed = install_within(client, set_up).await;
    let end = if installed.is_ok() { "commit" } else { "rollback" };
    client.batch_execute(end).await.map_err(failed)?;
    installed
}

async fn install_within(client: &Client, set_up: bool) -> Result<()> {
    client.batch_execute(LOCK).await.map_err(failed)?;
    match format(client).await? {
        Some(FORMAT) => return Ok(()),
        Some(newer) if newer > FORMAT => return Err(made_by_newer(newer)),
        Some(older) => tracing::info!("schema truststream is brought from format {older} to {FORMAT}"),
        None => {}
    }
    let empty = flag(client, EMPTY).await?;
    let script = with_change_log(include_str!("install/truststream.sql"), "truststream");
    client.batch_execute(&script).await.map_err(failed)?;
    if set_up && empty {
        client.batch_execute(include_str!("install/roles.sql")).await.map_err(failed)?;
    }
    Ok(())
}

/// The format of what is there, if anything is.
async fn format(client: &Client) -> Result<Option<u32>> {
    if !flag(client, "select to_regclass('truststream.changes') is not null").await? {
        return Ok(None);
    }
    let sql = "select coalesce(max(value), '2') from truststream.settings where name = 'format'";
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    let text: &str = match rows.first() {
        Some(row) => row.try_get(0).map_err(failed)?,
        None => return Ok(None),
    };
    text.parse().map(Some).map_err(|_| Error::internal("schema truststream has a malformed format"))
}

fn made_by_newer(format: u32) -> Error {
    let message =
        format!("schema truststream has format {format}, and this version knows formats up to {FORMAT}");
    Error::configuration(message).with_hint("serve this database with the newer version that made it so")
}

/// The only value of a query that asks yes or no.
pub(crate) async fn flag(client: &Client, sql: &str) -> Result<bool> {
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    rows.first().map_or(Ok(false), |row| row.try_get(0).map_err(failed))
}
