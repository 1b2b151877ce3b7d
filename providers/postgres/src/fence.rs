//! Closing tables to whoever writes to the database directly.
//!
//! A trigger before each statement asks a sequence whether the fence is closed: what lies in a
//! sequence is under no snapshot, so that a transaction which began before it was closed is refused
//! as well.

use std::time::Duration;

use tokio_postgres::Client;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Fence, FenceStep, TableName};
use truststream_sql::quote::{literal, qualified};

use crate::deadlock::outlast;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::sql::Sql;
use crate::transaction::query_text;
use crate::triggers::{Trigger, take};

/// The constraint that the trigger names in its error.
pub(crate) const FENCE: &str = "truststream_fence";

/// Writers must end within this time: whoever comes after them waits behind the fence.
const PATIENCE: &str = "set local lock_timeout = '2s'; lock table truststream.fence in exclusive mode";

/// Open, and closed until somebody opens it.
const OPEN: &str = "0";
const FOR_GOOD: &str = "9223372036854775807";

/// The tables and their partitions: a statement fires only the triggers of the table it names.
const WITH_PARTITIONS: &str = "
    select distinct format('%I.%I', n.nspname, c.relname)
    from unnest(array[{tables}]::regclass[]) as wanted (id)
    cross join lateral (select wanted.id union select relid from pg_partition_tree(wanted.id)) as tree (id)
    join pg_class c on c.oid = tree.id join pg_namespace n on n.oid = c.relnamespace
    where not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'truststream_fence'
                      and t.tgfoid <> 'truststream.passed_over'::regproc)";

const FENCED: &str = "
    select format('%I.%I', n.nspname, c.relname) from pg_trigger t
    join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where t.tgname = 'truststream_fence' and t.tgfoid <> 'truststream.passed_over'::regproc";

impl PostgresDriver {
    pub(crate) async fn set_fence(&self, op: &Fence) -> Result<()> {
        outlast(|| self.set_fence_once(op)).await
    }

    async fn set_fence_once(&self, op: &Fence) -> Result<()> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let done = set_within(&connection, op).await;
        let end = if done.is_ok() { "commit" } else { "rollback" };
        connection.batch_execute(end).await.map_err(failed)?;
        connection.give_back();
        done.map_err(|error| match error.code() {
            "55P03" => {
                Error::new(ErrorKind::Timeout, "55P03", "a transaction that writes did not end in time")
                    .with_source(error)
            }
            _ => error,
        })
    }
}

async fn set_within(client: &Client, op: &Fence) -> Result<()> {
    client.batch_execute(PATIENCE).await.map_err(failed)?;
    let late = is_late(client, op.epoch).await?;
    match op.step {
        FenceStep::Install => {
            install(client, op).await?;
            remember(client, op.epoch, OPEN).await
        }
        FenceStep::Close { .. } if late => {
            let message = format!("the fence of epoch {} comes late: a later one was set since", op.epoch);
            Err(Error::new(ErrorKind::Conflict, "BACKEND_007", message))
        }
        FenceStep::Open | FenceStep::Remove if late => Ok(()),
        FenceStep::Close { hold } => {
            // Whoever writes is waited for, and whoever comes after finds it closed.
            let sql = format!("lock table {} in share row exclusive mode", names(&op.tables, qualified));
            client.batch_execute(&sql).await.map_err(failed)?;
            remember(client, op.epoch, &hold.map_or_else(|| FOR_GOOD.to_owned(), until)).await
        }
        FenceStep::Open => remember(client, op.epoch, OPEN).await,
        FenceStep::Remove => {
            remember(client, op.epoch, OPEN).await?;
            for table in texts(client, FENCED).await? {
                take(client, FENCE, &table).await?;
            }
            client.batch_execute("delete from truststream.fence").await.map_err(failed)
        }
    }
}

async fn install(client: &Client, op: &Fence) -> Result<()> {
    let regclass = |table: &TableName| literal(&qualified(table));
    let wanted = WITH_PARTITIONS.replace("{tables}", &names(&op.tables, regclass));
    let does = format!("truststream.refuse({})", literal(&op.streams));
    let when = "before insert or update or delete or truncate";
    for table in texts(client, &wanted).await? {
        Trigger { name: FENCE, when, each: "statement", does: &does }.put(client, &table).await?;
    }
    Ok(())
}

/// Whether somebody was here in a later epoch.
async fn is_late(client: &Client, epoch: u64) -> Result<bool> {
    let mut sql = Sql::new("select from truststream.fence where epoch > ");
    sql.bind(epoch.to_string()).push("::bigint");
    Ok(!query_text(client, &sql).await?.is_empty())
}

/// So long from now on, by the server's clock.
fn until(hold: Duration) -> String {
    // More is as good as for good, and does not fit into a sequence.
    let ms = hold.as_millis().min(1 << 40);
    format!("(extract(epoch from clock_timestamp()) * 1000)::bigint + {ms}")
}

async fn remember(client: &Client, epoch: u64, until: &str) -> Result<()> {
    let sql = format!(
        "select setval('truststream.fenced_until', {until});
         insert into truststream.fence (epoch) values ({epoch})
         on conflict (only_row) do update set epoch = excluded.epoch"
    );
    client.batch_execute(&sql).await.map_err(failed)
}

fn names(tables: &[TableName], name: impl Fn(&TableName) -> String) -> String {
    tables.iter().map(name).collect::<Vec<_>>().join(", ")
}

async fn texts(client: &Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    rows.iter().map(|row| row.try_get(0).map_err(failed)).collect()
}
