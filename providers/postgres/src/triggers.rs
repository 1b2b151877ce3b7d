//! TrustStream's own triggers on tables, those that belong to others among them: whoever has the right to
//! make triggers on such a table may not say that they always fire, nor take them away again.

use tokio_postgres::Client;
use truststream_kernel::Result;
use truststream_sql::quote::literal;

use crate::error::failed;
use crate::install::flag;

/// A trigger on a table.
pub(crate) struct Trigger<'a> {
    pub(crate) name: &'a str,
    /// When it fires, such as `before truncate`.
    pub(crate) when: &'a str,
    /// `row` or `statement`.
    pub(crate) each: &'a str,
    /// What it does, such as `truststream.capture()`.
    pub(crate) does: &'a str,
}

impl Trigger<'_> {
    /// Puts it on a table (a quoted name), where it always fires if the table is the connection's own. On
    /// others it does not fire for streams, which silence triggers.
    pub(crate) async fn put(&self, client: &Client, table: &str) -> Result<()> {
        let Trigger { name, when, each, does } = self;
        let made = format!("trigger {name} {when} on {table} for each {each} execute function {does}");
        let sql = if is_own(client, table).await? {
            format!("create {made}; alter table {table} enable always trigger {name}")
        } else {
            format!("create or replace {made}")
        };
        client.batch_execute(&sql).await.map_err(failed)
    }
}

/// Takes a trigger from a table, or leaves one there that does nothing.
pub(crate) async fn take(client: &Client, name: &str, table: &str) -> Result<()> {
    let sql = if is_own(client, table).await? {
        format!("drop trigger if exists {name} on {table}")
    } else {
        let left = format!(
            "create or replace trigger {name} after truncate on {table} \
             for each statement execute function truststream.passed_over()"
        );
        // Platforms let their projects drop triggers on some of their tables.
        format!(
            "do $$ begin drop trigger if exists {name} on {table}; \
             exception when insufficient_privilege then execute {}; end $$",
            literal(&left)
        )
    };
    client.batch_execute(&sql).await.map_err(failed)
}

async fn is_own(client: &Client, table: &str) -> Result<bool> {
    let table = literal(table);
    flag(
        client,
        &format!("select pg_has_role(relowner, 'usage') from pg_class where oid = {table}::regclass"),
    )
    .await
}
