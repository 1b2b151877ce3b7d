//! Rows on their way from PostgreSQL to PostgreSQL, in the binary format of `copy`.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::Client;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{
    Applied, Column, Load, Packed, Packing, Scan, Table, TableName, Unload,
};
use truststream_sql::quote::{qualified, quote};

use crate::apply::{Quiet, begin_stream, stays};
use crate::cells::CellReader;
use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::rows::{key_columns, keyed};
use crate::scan::chunk_of;
use crate::sql::Sql;
use crate::transaction::query_text;

/// Types whose binary form holds nothing that only one database knows, such as the number of a type:
/// <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT>.
const PORTABLE: &[&str] = &[
    "bigint",
    "boolean",
    "bytea",
    "character",
    "character varying",
    "date",
    "double precision",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// What the format begins with, before the length of an extension.
const HEADER: usize = 15;

/// A row that is there already: rows are then put beside the table first.
const IS_THERE: &str = "23505";

impl PostgresDriver {
    pub(crate) fn packing_of(&self, op: &Packing) -> Result<Option<String>> {
        let schema = self.schema();
        Ok(packing(keyed(&schema, &op.table)?))
    }

    pub(crate) async fn unload_rows(&self, Unload(scan): &Unload) -> Result<Packed> {
        let schema = self.schema();
        let table = keyed(&schema, &scan.table)?;
        let cells = CellReader::new(table);
        let mut bound = chunk_of(table, &cells, &Scan { limit: 1, ..scan.clone() });
        bound.push(" offset ").bind(scan.limit.saturating_sub(1).to_string());
        let connection = self.shared.transactions.connections().lease().await?;
        connection.begin(" read only").await?;
        let bound = query_text(&connection, &bound).await?;
        let bound = bound.first().map(|row| cells.row(row)).transpose()?;
        let keys = key_columns(table);
        let next = bound.map(|row| {
            keys.iter().map(|key| row.get(&key.name).cloned().unwrap_or(Value::Null)).collect::<Vec<_>>()
        });
        let until = next.as_ref().or(scan.until.as_ref());
        let bytes = copied_out(&connection, table, &scan.table, scan.after.as_ref(), until).await?;
        connection.batch_execute("commit").await.map_err(failed)?;
        connection.give_back();
        Ok(Packed { rows: count(&bytes)?, bytes, next })
    }

    pub(crate) async fn load_rows(&self, op: &Load) -> Result<Applied> {
        match self.load_once(op, false).await {
            Err(error) if error.code() == IS_THERE => self.load_once(op, true).await,
            loaded => loaded,
        }
    }

    async fn load_once(&self, op: &Load, beside: bool) -> Result<Applied> {
        let schema = self.schema();
        let table = keyed(&schema, &op.table)?;
        if packing(table).as_ref() != Some(&op.packing) {
            let message = format!("table {} is not what its rows were packed for", op.table);
            return Err(Error::new(ErrorKind::Conflict, "BACKEND_011", message)
                .with_hint("take the switch up again: what both databases have is asked anew"));
        }
        let connection = self.own().await?;
        connection.begin("").await?;
        let applied = load_within(&connection, table, op, beside).await;
        self.end_stream(connection, applied).await
    }
}

/// The columns that are moved.
fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.generated.is_none())
}

fn names(table: &Table) -> String {
    columns(table).map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ")
}

fn packing(table: &Table) -> Option<String> {
    let mut out = "postgresql binary copy 1".to_owned();
    for column in columns(table) {
        if !is_portable(&column.type_name) {
            return None;
        }
        out.push_str(&format!(", {} {}", quote(&column.name), column.type_name));
    }
    Some(out)
}

/// Whether a type is one of [`PORTABLE`], an array of one, or one with a length or precision.
fn is_portable(name: &str) -> bool {
    let name = name.trim_end_matches("[]");
    let plain = match (name.find('('), name.find(')')) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &name[..begin], &name[end + 1..]),
        _ => name.to_owned(),
    };
    PORTABLE.contains(&plain.as_str())
}

/// The rows behind one key and up to another one. `copy` takes no parameters: the keys are settings of
/// the transaction.
async fn copied_out(
    client: &Client,
    table: &Table,
    name: &TableName,
    after: Option<&Vec<Value>>,
    until: Option<&Vec<Value>>,
) -> Result<Bytes> {
    let keys = key_columns(table);
    let listed = keys.iter().map(|key| quote(&key.name)).collect::<Vec<_>>().join(", ");
    let mut conditions = Vec::new();
    let mut settings = Sql::new("select set_config('enable_seqscan', 'off', true)");
    for (setting, test, key) in [("truststream.after", ">", after), ("truststream.until", "<=", until)] {
        let Some(key) = key else { continue };
        let texts = keys.iter().zip(key).map(|(column, value)| value.to_text_as(&column.ty));
        let texts = serde_json::to_string(&texts.collect::<Vec<_>>());
        let texts = texts.map_err(|error| Error::internal("a key can't be written").with_source(error))?;
        settings.push(&format!(", set_config('{setting}', ")).bind(texts).push(", true)");
        let values = keys.iter().enumerate();
        let values = values.map(|(at, column)| {
            format!("(current_setting('{setting}')::json ->> {at})::{}", column.type_name)
        });
        conditions.push(format!("({listed}) {test} ({})", values.collect::<Vec<_>>().join(", ")));
    }
    query_text(client, &settings).await?;
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
    let (names, table) = (names(table), qualified(name));
    let sql =
        format!("copy (select {names} from {table}{filter} order by {listed}) to stdout (format binary)");
    let rows = client.copy_out(&sql).await.map_err(failed)?;
    futures::pin_mut!(rows);
    let mut bytes = BytesMut::new();
    while let Some(piece) = rows.try_next().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// How many rows there are in the binary format: after its header each is a number of fields, and each
/// field a length and so many bytes; -1 ends them.
fn count(bytes: &[u8]) -> Result<u64> {
    let short = || Error::internal("rows ended early on their way");
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    let extension = number(HEADER).and_then(|length| usize::try_from(length).ok()).ok_or_else(short)?;
    let (mut at, mut rows) = (HEADER + 4 + extension, 0);
    loop {
        let fields = bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(i16::from_be_bytes);
        at += 2;
        let fields = fields.ok_or_else(short)?;
        if fields < 0 {
            return Ok(rows);
        }
        for _ in 0..fields {
            // -1 is null, which has no bytes.
            at += 4 + usize::try_from(number(at).ok_or_else(short)?).unwrap_or(0);
        }
        rows += 1;
    }
}

async fn load_within(client: &Client, table: &Table, op: &Load, beside: bool) -> Result<Applied> {
    if let Some(expected) = &op.expected
        && !stays(client, &op.origin, expected).await?
    {
        return Ok(Applied::Stale);
    }
    begin_stream(client, &op.origin).await?;
    let quiet = Quiet::begin(client, std::iter::once(&op.table)).await?;
    let (names, into) = (names(table), qualified(&op.table));
    if beside {
        let make = format!(
            "create temporary table truststream_beside on commit drop as select {names} from {into} with no data"
        );
        client.batch_execute(&make).await.map_err(failed)?;
        copied_in(client, &format!("pg_temp.truststream_beside ({names})"), op.bytes.clone()).await?;
        client.batch_execute(&replacing(table, &into)).await.map_err(failed)?;
    } else {
        copied_in(client, &format!("{into} ({names})"), op.bytes.clone()).await?;
    }
    quiet.end(client).await?;
    Ok(Applied::Done)
}

async fn copied_in(client: &Client, place: &str, bytes: Bytes) -> Result<()> {
    let sink = client.copy_in(&format!("copy {place} from stdin (format binary)")).await.map_err(failed)?;
    futures::pin_mut!(sink);
    sink.send(bytes).await.map_err(failed)?;
    sink.finish().await.map(drop).map_err(failed)
}

/// The statement that puts rows beside a table into it.
fn replacing(table: &Table, into: &str) -> String {
    let (names, key) = (names(table), table.primary_key.iter().map(|name| quote(name)).collect::<Vec<_>>());
    let others = columns(table).filter(|column| !table.primary_key.contains(&column.name));
    let others = others.map(|column| format!("{0} = excluded.{0}", quote(&column.name))).collect::<Vec<_>>();
    let found =
        if others.is_empty() { "nothing".to_owned() } else { format!("update set {}", others.join(", ")) };
    format!(
        "insert into {into} ({names}) overriding system value select {names} from pg_temp.truststream_beside \
         on conflict ({}) do {found}",
        key.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_portable_that_need_no_number_of_their_own() {
        for name in
            ["bigint", "text[]", "numeric(10,2)", "timestamp(3) with time zone", "character varying(20)[]"]
        {
            assert!(is_portable(name), "{name}");
        }
        for name in ["mood", "public.mood[]", "int4range", "tsvector", "citext"] {
            assert!(!is_portable(name), "{name}");
        }
    }

    #[test]
    fn rows_are_counted_and_what_ends_early_is_seen() {
        let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        for field in [Some(&b"ab"[..]), None] {
            bytes.extend(1i16.to_be_bytes());
            bytes.extend(field.map_or(-1, |field| i32::try_from(field.len()).unwrap()).to_be_bytes());
            bytes.extend(field.unwrap_or_default());
        }
        assert!(count(&bytes).is_err());
        bytes.extend((-1i16).to_be_bytes());
        assert_eq!(count(&bytes).unwrap(), 2);
        assert!(count(&bytes[..10]).is_err());
    }
}
