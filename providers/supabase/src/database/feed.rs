//! The feed of changes of a project that has the helper: a log that triggers write, read by difference
//! of snapshots.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{
    Capture, Change, ChangeBatch, ChangeKind, Changes, Column, Mark, Position, Table, TableName,
};
use truststream_sql::printed::Snapshot;

use super::RemoteDatabase;
use super::helper::named;
use super::scan::{RowReader, keyed};
use crate::error::malformed;

/// How often a waiting reader asks.
const LOOK: Duration = Duration::from_millis(200);
/// How often consumed changes are trimmed, and how long they are kept.
const TRIM_EVERY: Duration = Duration::from_secs(60);
const KEPT: Duration = Duration::from_secs(3600);
/// A batch takes all there is up to so many changes: cutting between transactions makes positions long.
const WHOLE: usize = 5_000;

/// When changes were trimmed last.
#[derive(Default)]
pub(super) struct Trims(Mutex<Option<Instant>>);

impl Trims {
    fn due(&self) -> bool {
        let mut last = self.0.lock();
        let due = last.is_none_or(|at| at.elapsed() >= TRIM_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// What `truststream_changes` returns.
#[derive(Deserialize)]
struct Fresh {
    now: String,
    trimmed: Option<String>,
    left: Vec<String>,
    changes: Vec<Logged>,
}

/// One row of the log.
#[derive(Deserialize)]
struct Logged {
    sequence: u64,
    transaction: String,
    schema: String,
    table: String,
    kind: String,
    names: Vec<String>,
    old: Option<String>,
    new: Option<String>,
    origin: Option<String>,
    made_at: i64,
}

impl RemoteDatabase {
    /// Sets what a consumer follows.
    pub(super) async fn set_capture(&self, op: &Capture) -> Result<Position> {
        let catalog = self.catalog();
        for table in &op.tables {
            keyed(catalog.tables.get(table), table)?;
        }
        let arguments = json!({ "consumer": op.consumer, "tables": named(&op.tables) });
        self.ask_helper("capture", &arguments, true).await?;
        // Making a trigger waits for every writer of its table: whatever is not visible now and changes
        // the table is captured.
        self.present().await
    }

    async fn present(&self) -> Result<Position> {
        let text = self.ask_helper("present", &json!({}), false).await?;
        Snapshot::parse(text.as_str().unwrap_or_default()).map(Snapshot::position)
    }

    pub(super) async fn read_changes(&self, op: &Changes) -> Result<ChangeBatch> {
        let deadline = Instant::now() + op.wait;
        let Some(after) = &op.after else {
            let position = self.present().await?;
            return Ok(ChangeBatch { changes: Vec::new(), position, at_end: true });
        };
        let after = Snapshot::of(after)?;
        loop {
            let batch = self.difference(&after, op.limit.max(WHOLE)).await?;
            let now = Instant::now();
            if !batch.changes.is_empty() || now >= deadline {
                self.trim_at_times().await;
                return Ok(batch);
            }
            tokio::time::sleep(LOOK.min(deadline - now)).await;
        }
    }

    /// What is visible now and was not visible in `after`.
    async fn difference(&self, after: &Snapshot, most: usize) -> Result<ChangeBatch> {
        let arguments = json!({ "after": after.to_string(), "most": most });
        let fresh = self.ask_helper("changes", &arguments, false).await?;
        let fresh: Fresh = serde_json::from_value(fresh).map_err(malformed)?;
        if let Some(trimmed) = &fresh.trimmed
            && number(trimmed)? >= after.low
        {
            let message = "the changes after this position were trimmed";
            return Err(Error::new(ErrorKind::NotFound, "BACKEND_010", message)
                .with_hint("start again from the present"));
        }
        let mut now = Snapshot::parse(&fresh.now)?;
        let left: Vec<u64> = fresh.left.iter().map(|xid| number(xid)).collect::<Result<_>>()?;
        let changes = self.changes_of(fresh.changes)?;
        now.leave_out(&left);
        let newest = changes.iter().map(|change| change.mark.transaction).max();
        let position = now.until(after, newest).position();
        Ok(ChangeBatch { changes, position, at_end: left.is_empty() })
    }

    fn changes_of(&self, logged: Vec<Logged>) -> Result<Vec<Change>> {
        let catalog = self.catalog();
        let mut gone: HashMap<TableName, Table> = HashMap::new();
        for one in &logged {
            let name = TableName::new(&one.schema, &one.table);
            if !catalog.tables.contains_key(&name) {
                gone.entry(name).or_insert_with(|| of_texts(&one.names));
            }
        }
        let change = |one: Logged| {
            let name = TableName::new(&one.schema, &one.table);
            let table = catalog.tables.get(&name).or_else(|| gone.get(&name));
            let table = table.ok_or_else(|| Error::internal("a change of a table that nobody knows"))?;
            change(table, name, &one)
        };
        logged.into_iter().map(change).collect()
    }

    async fn trim_at_times(&self) {
        if self.trims.due()
            && let Err(error) = self.ask_helper("trim", &json!({ "seconds": KEPT.as_secs() }), true).await
        {
            tracing::warn!(%error, "changes could not be trimmed");
        }
    }
}

/// A table that is gone: values as texts.
fn of_texts(names: &[String]) -> Table {
    let text = |name: &String| Column {
        name: name.clone(),
        ty: Type::Text,
        type_name: "text".to_owned(),
        nullable: true,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    };
    Table { columns: names.iter().map(text).collect(), ..Table::default() }
}

fn change(table: &Table, name: TableName, one: &Logged) -> Result<Change> {
    let reader = RowReader::new(table);
    let image = |record: &Option<String>| {
        record.as_deref().map(|record| reader.image(&one.names, record)).transpose()
    };
    Ok(Change {
        mark: Mark { transaction: number(&one.transaction)?, sequence: one.sequence },
        kind: match one.kind.as_str() {
            "INSERT" => ChangeKind::Insert,
            "UPDATE" => ChangeKind::Update,
            _ => ChangeKind::Delete,
        },
        old: image(&one.old)?,
        new: image(&one.new)?,
        origin: one.origin.clone(),
        made_at: one.made_at,
        table: name,
    })
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| Error::internal("the change log holds a malformed transaction id"))
}
