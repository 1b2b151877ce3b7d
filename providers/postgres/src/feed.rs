//! The change feed: a log that triggers write, read by difference of snapshots.

mod capture;
mod snapshot;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Row as PgRow};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Change, ChangeBatch, ChangeKind, Changes, Mark, TableName};
use truststream_sql::printed::Snapshot;

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::rows::RowReader;
use crate::schema::Schema;
use crate::sql::Sql;
use crate::transaction::query_text;

pub(crate) use snapshot::{position_of, present};

/// How often a waiting reader looks.
const LOOK: Duration = Duration::from_millis(20);
/// How often consumed changes are trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(30);
/// A batch takes all there is up to so many changes, whatever was asked for: cutting between
/// transactions makes positions long.
const WHOLE: usize = 10_000;

/// What was read of the log.
struct Batch {
    read: ChangeBatch,
    /// Whether the schema has all columns that the rows were made with.
    is_known: bool,
}

impl PostgresDriver {
    pub(crate) async fn read_changes(&self, op: &Changes) -> Result<ChangeBatch> {
        let deadline = Instant::now() + op.wait;
        let connection = self.own().await?;
        let Some(after) = &op.after else {
            let position = present(&connection).await?;
            connection.give_back();
            return Ok(ChangeBatch { changes: Vec::new(), position, at_end: true });
        };
        let after = Snapshot::of(after)?;
        check_trimmed(&connection, &after).await?;
        connection.give_back();
        let mut schema = self.schema();
        let mut looked = false;
        loop {
            // While it waits it holds no connection.
            let connection = self.own().await?;
            let batch = self.difference(&connection, &schema, &after, op.limit).await?;
            connection.give_back();
            if !looked && !batch.is_known {
                // Nobody has told of them yet; without another look their values would be left out.
                (schema, looked) = (self.reload().await?, true);
                continue;
            }
            let batch = batch.read;
            let now = Instant::now();
            if !batch.changes.is_empty() || now >= deadline {
                self.trim_at_times().await;
                return Ok(batch);
            }
            tokio::time::sleep(LOOK.min(deadline - now)).await;
            if !looked {
                schema = self.schema();
            }
        }
    }

    /// What is visible now and was not visible in `after`.
    async fn difference(
        &self,
        client: &Client,
        schema: &Schema,
        after: &Snapshot,
        limit: usize,
    ) -> Result<Batch> {
        let cap = limit.max(WHOLE);
        let (now, rows) = fresh(client, after, cap + 1, None).await?;
        if rows.len() <= cap {
            let (changes, is_known) = changes_of(schema, &rows)?;
            let position = now.until(after, newest(&changes)).position();
            return Ok(Batch { read: ChangeBatch { changes, position, at_end: true }, is_known });
        }
        self.some_transactions(client, schema, after, cap).await
    }

    /// Whole transactions, those first whose last change comes first: a transaction that changed a
    /// key after another one did has its last change after the other's.
    async fn some_transactions(
        &self,
        client: &Client,
        schema: &Schema,
        after: &Snapshot,
        cap: usize,
    ) -> Result<Batch> {
        let mut sql = Sql::new(
            "with fresh as (select xid, max(seq) as last, count(*) as size from truststream.changes where xid >= ",
        );
        sql.bind(after.low.to_string()).push("::xid8 and not pg_visible_in_snapshot(xid, ");
        sql.bind(after.to_string()).push("::pg_snapshot) group by xid) ");
        sql.push(
            "select pg_current_snapshot()::text, xid::text, (sum(size) over (order by last))::text \
             from fresh order by last",
        );
        let rows = query_text(client, &sql).await?;
        let mut now = Snapshot::parse(text(&rows, 0)?)?;
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for row in &rows {
            let (xid, upto): (&str, &str) =
                (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
            let (xid, upto) = (number(xid)?, number(upto)?);
            if taken.is_empty() || upto <= cap as u64 { taken.push(xid) } else { left.push(xid) }
        }
        now.leave_out(&left);
        let (_, rows) = fresh(client, after, usize::MAX >> 1, Some(&taken)).await?;
        let (changes, is_known) = changes_of(schema, &rows)?;
        let position = now.until(after, newest(&changes)).position();
        Ok(Batch { read: ChangeBatch { changes, position, at_end: left.is_empty() }, is_known })
    }

    async fn trim_at_times(&self) {
        let retention = Duration::from_secs(self.shared.config.feed_retention_s);
        if retention.is_zero() || !self.shared.trims.due(TRIM_EVERY) {
            return;
        }
        if let Err(error) = self.trim(retention).await {
            tracing::warn!(%error, "changes could not be trimmed");
        }
    }

    async fn trim(&self, retention: Duration) -> Result<()> {
        let mut sql = Sql::new(
            "with gone as (delete from truststream.changes where made_at < now() - make_interval(secs => ",
        );
        sql.bind(retention.as_secs().to_string()).push(
            ") and xid < pg_snapshot_xmin(pg_current_snapshot()) returning xid), \
             newest as (select max(xid::text::numeric)::text::xid8 as xid from gone) \
             insert into truststream.trimmed (xid) select xid from newest where xid is not null \
             on conflict (only_row) do update set xid = excluded.xid where trimmed.xid < excluded.xid",
        );
        let connection = self.own().await?;
        query_text(&connection, &sql).await?;
        connection.give_back();
        Ok(())
    }
}

/// The newest transaction of these changes.
fn newest(changes: &[Change]) -> Option<u64> {
    changes.iter().map(|change| change.mark.transaction).max()
}

/// Rows of the log not visible in `after`, in sequence order, and the snapshot they were read in.
async fn fresh(
    client: &Client,
    after: &Snapshot,
    limit: usize,
    only: Option<&[u64]>,
) -> Result<(Snapshot, Vec<PgRow>)> {
    let mut sql = Sql::new("with fresh as materialized (select * from truststream.changes where xid >= ");
    sql.bind(after.low.to_string()).push("::xid8 and not pg_visible_in_snapshot(xid, ");
    sql.bind(after.to_string()).push("::pg_snapshot)");
    if let Some(only) = only {
        let list: Vec<String> = only.iter().map(u64::to_string).collect();
        sql.push(" and xid = any (").bind(format!("{{{}}}", list.join(","))).push("::xid8[])");
    }
    sql.push(
        ") select s.now, c.seq, c.xid::text, c.schema_name, c.table_name, c.kind, c.old, c.new, \
         c.origin, (extract(epoch from c.made_at) * 1000000)::bigint, c.names \
         from (select pg_current_snapshot()::text as now) s \
         left join lateral (select * from fresh order by seq limit ",
    );
    sql.bind(limit.to_string()).push(") c on true order by c.seq");
    let mut rows = query_text(client, &sql).await?;
    let now = Snapshot::parse(text(&rows, 0)?)?;
    // Without changes the join leaves one row that has only the snapshot.
    rows.retain(|row| row.try_get::<_, Option<i64>>(1).is_ok_and(|seq| seq.is_some()));
    Ok((now, rows))
}

/// Changes, and whether the schema has all columns that their rows were made with.
fn changes_of(schema: &Schema, rows: &[PgRow]) -> Result<(Vec<Change>, bool)> {
    let mut reading = Reading { schema, readers: HashMap::new(), is_known: true };
    let changes = rows.iter().map(|row| reading.change(row)).collect::<Result<_>>()?;
    Ok((changes, reading.is_known))
}

/// How the rows of each table are read, and what was found of them so far.
struct Reading<'s> {
    schema: &'s Schema,
    readers: HashMap<TableName, RowReader>,
    /// Whether the schema had all columns.
    is_known: bool,
}

impl Reading<'_> {
    fn change(&mut self, row: &PgRow) -> Result<Change> {
        let table = TableName::new(
            row.try_get::<_, &str>(3).map_err(failed)?,
            row.try_get::<_, &str>(4).map_err(failed)?,
        );
        let old: Option<&str> = row.try_get(6).map_err(failed)?;
        let new: Option<&str> = row.try_get(7).map_err(failed)?;
        let names: Vec<&str> = row.try_get(10).map_err(failed)?;
        if !self.readers.contains_key(&table) {
            let reader = match self.schema.catalog.table(&table) {
                Some(known) => RowReader::new(known),
                None => RowReader::unknown(&names),
            };
            self.readers.insert(table.clone(), reader);
        }
        let reader = &self.readers[&table];
        self.is_known &= reader.has(&names);
        let kind = match row.try_get::<_, &str>(5).map_err(failed)? {
            "INSERT" => ChangeKind::Insert,
            "UPDATE" => ChangeKind::Update,
            _ => ChangeKind::Delete,
        };
        let sequence: i64 = row.try_get(1).map_err(failed)?;
        let mark = Mark {
            transaction: number(row.try_get(2).map_err(failed)?)?,
            sequence: u64::try_from(sequence).unwrap_or_default(),
        };
        Ok(Change {
            mark,
            kind,
            old: old.map(|record| reader.image(&names, record)).transpose()?,
            new: new.map(|record| reader.image(&names, record)).transpose()?,
            origin: row.try_get(8).map_err(failed)?,
            made_at: row.try_get(9).map_err(failed)?,
            table,
        })
    }
}

async fn check_trimmed(client: &Client, after: &Snapshot) -> Result<()> {
    let rows = client.query_typed("select xid::text from truststream.trimmed", &[]).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(()) };
    if number(row.try_get(0).map_err(failed)?)? < after.low {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFound, "BACKEND_010", "the changes after this position were trimmed")
        .with_hint("start again from the present, or keep changes longer (feed_retention_s)"))
}

fn text(rows: &[PgRow], column: usize) -> Result<&str> {
    let row = rows.first().ok_or_else(|| Error::internal("the change log did not answer"))?;
    row.try_get(column).map_err(failed)
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| Error::internal("the change log holds a malformed transaction id"))
}
