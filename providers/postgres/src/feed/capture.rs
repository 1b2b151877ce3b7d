//! Which tables write the change log.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use truststream_kernel::Result;
use truststream_services::database::{Capture, Position, TableName};
use truststream_sql::quote::qualified;

use super::present;
use crate::deadlock::outlast;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::rows::keyed;
use crate::sql::Sql;
use crate::transaction::query_text;
use crate::triggers::{Trigger, take};

const CAPTURED: &str = "
    select n.nspname::text, c.relname::text from pg_trigger t
    join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where t.tgname = 'truststream_capture' and t.tgfoid <> 'truststream.passed_over'::regproc";
const TRIGGERS: [Trigger<'_>; 2] = [
    Trigger {
        name: "truststream_capture",
        when: "after insert or update or delete",
        each: "row",
        does: "truststream.capture()",
    },
    Trigger {
        name: "truststream_capture_truncate",
        when: "before truncate",
        each: "statement",
        does: "truststream.capture_truncate()",
    },
];
const WANTED: &str = "select distinct schema_name, table_name from truststream.captures";

impl PostgresDriver {
    pub(crate) async fn set_capture(&self, op: &Capture) -> Result<Position> {
        let schema = self.schema();
        for table in &op.tables {
            keyed(&schema, table)?;
        }
        outlast(|| self.set_capture_once(op)).await
    }

    async fn set_capture_once(&self, op: &Capture) -> Result<Position> {
        let connection = self.own().await?;
        connection.begin("").await?;
        let set = set_within(&connection, op).await;
        let end = if set.is_ok() { "commit" } else { "rollback" };
        connection.batch_execute(end).await.map_err(failed)?;
        set?;
        // Making a trigger waits for every writer of its table: whatever is not visible now and
        // changes the table is captured.
        let position = present(&connection).await?;
        connection.give_back();
        Ok(position)
    }
}

async fn set_within(client: &Client, op: &Capture) -> Result<()> {
    client.batch_execute("lock table truststream.captures in exclusive mode").await.map_err(failed)?;
    let mut sql = Sql::new("delete from truststream.captures where consumer = ");
    sql.bind(op.consumer.clone());
    query_text(client, &sql).await?;
    for table in &op.tables {
        let mut sql = Sql::new("insert into truststream.captures values (");
        sql.bind(op.consumer.clone()).push(", ").bind(table.schema.clone()).push(", ");
        sql.bind(table.name.clone()).push(") on conflict do nothing");
        query_text(client, &sql).await?;
    }
    let captured = names(client, CAPTURED).await?;
    let wanted = names(client, WANTED).await?;
    for table in wanted.difference(&captured) {
        let table = qualified(table);
        for trigger in &TRIGGERS {
            trigger.put(client, &table).await?;
        }
    }
    for table in captured.difference(&wanted) {
        let table = qualified(table);
        for trigger in &TRIGGERS {
            take(client, trigger.name, &table).await?;
        }
    }
    Ok(())
}

async fn names(client: &Client, sql: &str) -> Result<BTreeSet<TableName>> {
    let rows = client.query_typed(sql, &[]).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            let schema: &str = row.try_get(0).map_err(failed)?;
            Ok(TableName::new(schema, row.try_get::<_, &str>(1).map_err(failed)?))
        })
        .collect()
}
