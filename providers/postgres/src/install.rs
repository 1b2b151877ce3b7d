//! What TrustStream keeps in a database, and what it makes of an empty one.

use tokio_postgres::Client;
use truststream_kernel::Result;

use crate::error::failed;

/// Set-ups of several processes wait for one another.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('truststream.install', 0))";

/// Whether nobody has made anything in the database yet.
const EMPTY: &str = "
    select not exists (
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', 'truststream')
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    ) and not exists (select from pg_namespace where nspname = 'auth')";

/// Makes the schema `truststream` if it is missing, and sets up a database that is empty.
pub(crate) async fn install(client: &Client, set_up: bool) -> Result<()> {
    client.batch_execute("begin").await.map_err(failed)?;
    let installed = install_within(client, set_up).await;
    let end = if installed.is_ok() { "commit" } else { "rollback" };
    client.batch_execute(end).await.map_err(failed)?;
    installed
}

async fn install_within(client: &Client, set_up: bool) -> Result<()> {
    client.batch_execute(LOCK).await.map_err(failed)?;
    let known = "select exists (select from pg_attribute \
                 where attrelid = to_regclass('truststream.changes') and attname = 'names')";
    if flag(client, known).await? {
        return Ok(());
    }
    let empty = flag(client, EMPTY).await?;
    client.batch_execute(include_str!("install/truststream.sql")).await.map_err(failed)?;
    if set_up && empty {
        client.batch_execute(include_str!("install/roles.sql")).await.map_err(failed)?;
    }
    Ok(())
}

/// The only value of a query that asks yes or no.
pub(crate) async fn flag(client: &Client, sql: &str) -> Result<bool> {
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    rows.first().map_or(Ok(false), |row| row.try_get(0).map_err(failed))
}
