//! Rows and changes of another database, in one transaction with the position reached.

use futures::future::try_join_all;
use indexmap::IndexMap;
use tokio_postgres::Client;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Applied, Apply, Change, Column, Position, Table, TableName};
use truststream_sql::quote::{qualified, quote};

use crate::copy::pour;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::install::flag;
use crate::pool::Lease;
use crate::rows::{key_columns, keyed, text_columns, to_texts, typed};
use crate::schema::Schema;
use crate::sql::Sql;
use crate::transaction::query_text;

/// Whether triggers and foreign keys can be told to stand still for a session.
/// Silences triggers and the checks of foreign keys, which superusers may, and whom they allow it: hosted
/// platforms by an extension, of which no privilege tells.
const SILENCE: &str = "do $$ begin set local session_replication_role = replica; \
    exception when insufficient_privilege then null; end $$";
const IS_SILENT: &str = "select current_setting('session_replication_role') = 'replica'";

/// Fewest rows that are worth a `copy`, which fails as a whole where one of them is there.
const POURED: usize = 50;

/// A row that is there already, and a table that takes no `copy`: rows are then put one by one.
const NOT_POURED: [&str; 2] = ["23505", "0A000"];

impl PostgresDriver {
    pub(crate) async fn apply_stream(&self, op: &Apply) -> Result<Applied> {
        if !is_only_rows(op) {
            return self.in_one_transaction(op, false).await;
        }
        match self.in_one_transaction(op, true).await {
            Err(error) if NOT_POURED.contains(&error.code()) => self.in_one_transaction(op, false).await,
            poured => poured,
        }
    }

    async fn in_one_transaction(&self, op: &Apply, pours: bool) -> Result<Applied> {
        let schema = self.schema();
        let connection = self.own().await?;
        connection.begin("").await?;
        let applied = apply_within(&connection, &schema, op, pours).await;
        self.end_stream(connection, applied).await
    }

    /// Keeps what was applied, unless it failed or came from elsewhere.
    pub(crate) async fn end_stream(&self, connection: Lease, applied: Result<Applied>) -> Result<Applied> {
        let keep = matches!(applied, Ok(Applied::Done));
        connection.batch_execute(if keep { "commit" } else { "rollback" }).await.map_err(failed)?;
        if let Some(replica) = self.shared.transactions.replica() {
            replica.changed(&connection).await?;
        }
        connection.give_back();
        applied
    }

    pub(crate) async fn stream_position(&self, origin: &str) -> Result<Option<Position>> {
        let connection = self.own().await?;
        let position = position(&connection, origin).await?;
        connection.give_back();
        Ok(position)
    }
}

async fn position(client: &Client, origin: &str) -> Result<Option<Position>> {
    let mut sql = Sql::new("select position::text from truststream.applied where origin = ");
    sql.bind(origin.to_owned());
    let rows = query_text(client, &sql).await?;
    let text: Option<&str> = match rows.first() {
        Some(row) => row.try_get(0).map_err(failed)?,
        None => None,
    };
    text.map(|text| {
        serde_json::from_str(text)
            .map_err(|error| Error::internal("a stored position could not be read").with_source(error))
    })
    .transpose()
}

/// Whether it is a part of a copy, most of which are rows that are not there yet.
fn is_only_rows(op: &Apply) -> bool {
    let rows: usize = op.rows.iter().map(|(_, rows)| rows.len()).sum();
    op.changes.is_empty() && op.position.is_none() && rows >= POURED
}

async fn apply_within(client: &Client, schema: &Schema, op: &Apply, pours: bool) -> Result<Applied> {
    if !advance(client, op).await? {
        return Ok(Applied::Stale);
    }
    begin_stream(client, &op.origin).await?;
    if pours {
        let quiet = Quiet::begin(client, op.rows.iter().map(|(name, _)| name)).await?;
        for (name, rows) in &op.rows {
            pour(client, name, keyed(schema, name)?, rows).await?;
        }
        quiet.end(client).await?;
        return Ok(Applied::Done);
    }
    let tables = final_rows(schema, op)?;
    let quiet = Quiet::begin(client, tables.keys()).await?;
    // Sent together: the statements of different tables don't depend on one another.
    try_join_all(tables.iter().map(|(name, target)| remove(client, name, target))).await?;
    try_join_all(tables.iter().map(|(name, target)| replace(client, name, target))).await?;
    quiet.end(client).await?;
    Ok(Applied::Done)
}

/// What is written from now on, in this transaction, is of this stream.
pub(crate) async fn begin_stream(client: &Client, origin: &str) -> Result<()> {
    let mut sql = Sql::new("select set_config('truststream.origin', ");
    sql.bind(origin.to_owned()).push(", true)");
    query_text(client, &sql).await.map(drop)
}

/// Moves the stream on; `false` if it does not stand where it is expected.
async fn advance(client: &Client, op: &Apply) -> Result<bool> {
    let Some(after) = &op.position else {
        return match &op.expected {
            None => Ok(true),
            Some(expected) => stays(client, &op.origin, expected).await,
        };
    };
    let mut sql = Sql::default();
    match &op.expected {
        None => {
            sql.push("insert into truststream.applied (origin, position) values (").bind(op.origin.clone());
            sql.push(", ").bind(text_of(after)?).push(
                ") on conflict (origin) do update set position = excluded.position \
                 where applied.position is null returning true",
            );
        }
        Some(expected) => {
            sql.push("update truststream.applied set position = ").bind(text_of(after)?);
            sql.push(" where origin = ").bind(op.origin.clone());
            sql.push(" and position::jsonb = ").bind(text_of(expected)?).push("::jsonb returning true");
        }
    }
    Ok(!query_text(client, &sql).await?.is_empty())
}

/// Whether the stream stands there, and keeps it there until the transaction ends.
pub(crate) async fn stays(client: &Client, origin: &str, expected: &Position) -> Result<bool> {
    let mut sql = Sql::new("select true from truststream.applied where origin = ");
    sql.bind(origin.to_owned()).push(" and position::jsonb = ").bind(text_of(expected)?);
    sql.push("::jsonb for share");
    Ok(!query_text(client, &sql).await?.is_empty())
}

fn text_of(position: &Position) -> Result<String> {
    serde_json::to_string(position)
        .map_err(|error| Error::internal("a position could not be stored").with_source(error))
}

/// What a table's keys hold in the end: a row, or nothing.
struct Target<'a> {
    table: &'a Table,
    rows: IndexMap<Vec<u8>, State<'a>>,
}

enum State<'a> {
    Present(&'a Row),
    Gone(&'a Row),
}

type Targets<'a> = IndexMap<TableName, Target<'a>>;

/// All is one transaction, so only what each key holds in the end counts.
fn final_rows<'a>(schema: &'a Schema, op: &'a Apply) -> Result<Targets<'a>> {
    let mut targets: Targets<'a> = IndexMap::new();
    for (name, rows) in &op.rows {
        let target = target(schema, &mut targets, name)?;
        for row in rows {
            target.rows.insert(key(target.table, row), State::Present(row));
        }
    }
    for Change { table, old, new, .. } in &op.changes {
        let target = target(schema, &mut targets, table)?;
        if let Some(row) = old {
            let key = key(target.table, row);
            target.rows.shift_remove(&key);
            target.rows.insert(key, State::Gone(row));
        }
        if let Some(row) = new {
            let key = key(target.table, row);
            target.rows.shift_remove(&key);
            target.rows.insert(key, State::Present(row));
        }
    }
    Ok(targets)
}

fn target<'t, 'a>(
    schema: &'a Schema,
    targets: &'t mut Targets<'a>,
    name: &TableName,
) -> Result<&'t mut Target<'a>> {
    let table = keyed(schema, name)?;
    Ok(targets.entry(name.clone()).or_insert_with(|| Target { table, rows: IndexMap::new() }))
}

fn key(table: &Table, row: &Row) -> Vec<u8> {
    let mut key = Vec::new();
    for column in &table.primary_key {
        row.get(column).unwrap_or(&Value::Null).write_canonical(&mut key);
    }
    key
}

async fn remove(client: &Client, name: &TableName, target: &Target<'_>) -> Result<()> {
    let gone: Vec<&Row> = target
        .rows
        .values()
        .filter_map(|state| match state {
            State::Gone(row) => Some(*row),
            State::Present(_) => None,
        })
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let table = qualified(name);
    let keys = key_columns(target.table);
    let mut sql = Sql::new(format!("delete from {table} as t using json_to_recordset("));
    sql.bind(to_texts(target.table, gone)).push(&format!("::json) as k({}) where ", text_columns(&keys)));
    sql.list(keys, " and ", |sql, column| {
        sql.push(&format!("t.{} = {}", quote(&column.name), typed(column)));
    });
    query_text(client, &sql).await.map(drop)
}

async fn replace(client: &Client, name: &TableName, target: &Target<'_>) -> Result<()> {
    let present: Vec<&Row> = target
        .rows
        .values()
        .filter_map(|state| match state {
            State::Present(row) => Some(*row),
            State::Gone(_) => None,
        })
        .collect();
    let Some(first) = present.first() else { return Ok(()) };
    let known = first.columns.iter().filter_map(|name| target.table.column(name));
    let columns: Vec<&Column> = known.filter(|column| column.generated.is_none()).collect();
    let list = columns.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ");
    let values = columns.iter().map(|column| typed(column)).collect::<Vec<_>>().join(", ");
    let keys = target.table.primary_key.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
    let mut sql = Sql::new(format!(
        "insert into {} ({list}) overriding system value select {values} from json_to_recordset(",
        qualified(name)
    ));
    sql.bind(to_texts(target.table, present))
        .push(&format!("::json) as k({}) on conflict ({keys}) do ", text_columns(&columns)));
    let others: Vec<&&Column> =
        columns.iter().filter(|column| !target.table.primary_key.contains(&column.name)).collect();
    if others.is_empty() {
        sql.push("nothing");
    } else {
        sql.push("update set ").list(others, ", ", |sql, column| {
            let column = quote(&column.name);
            sql.push(&format!("{column} = excluded.{column}"));
        });
    }
    query_text(client, &sql).await.map(drop)
}

/// The application's triggers do not fire while foreign changes are applied.
pub(crate) struct Quiet {
    /// Tables whose triggers were switched off one by one.
    tables: Vec<String>,
}

impl Quiet {
    pub(crate) async fn begin(client: &Client, tables: impl Iterator<Item = &TableName>) -> Result<Quiet> {
        client.batch_execute(SILENCE).await.map_err(failed)?;
        if flag(client, IS_SILENT).await? {
            return Ok(Quiet { tables: Vec::new() });
        }
        let tables: Vec<String> = tables.map(qualified).collect();
        for table in &tables {
            let sql = format!("alter table {table} disable trigger user; {}", capture_on(table));
            client.batch_execute(&sql).await.map_err(failed)?;
        }
        Ok(Quiet { tables })
    }

    pub(crate) async fn end(self, client: &Client) -> Result<()> {
        for table in &self.tables {
            let sql = format!("alter table {table} enable trigger user; {}", capture_on(table));
            client.batch_execute(&sql).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Switching triggers on or off includes ours, which must always fire.
fn capture_on(table: &str) -> String {
    let name = truststream_sql::quote::literal(table);
    format!(
        "do $$ begin if exists (select from pg_trigger where tgrelid = {name}::regclass and tgname = 'truststream_capture') \
         then alter table {table} enable always trigger truststream_capture; \
         alter table {table} enable always trigger truststream_capture_truncate; end if; end $$"
    )
}
