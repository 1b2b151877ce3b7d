//! A database as its server holds it: rows, the feed of their changes, how far streams have come.

use std::collections::BTreeMap;
use std::sync::Arc;

use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{
    Applied, AppliedMigration, Apply, Change, ChangeBatch, ChangeKind, Fence, FenceStep, Mark, Position,
    Prepare, PrepareClaimed, Scan, TableName,
};

/// Lists of numbers, which grow.
pub fn lists() -> TableName {
    TableName::public("lists")
}

/// Rows that are made once.
pub fn notes() -> TableName {
    TableName::public("notes")
}

/// What is durable in a database.
pub struct Server {
    tables: BTreeMap<TableName, BTreeMap<i64, Row>>,
    feed: Vec<Change>,
    streams: BTreeMap<String, Position>,
    pub migrations: Vec<AppliedMigration>,
    received: bool,
    fence: Closed,
    /// Whether it can be closed to whoever knows of no route.
    pub fences: bool,
    /// A mistake: whatever arrives is applied.
    pub unguarded: bool,
}

#[derive(Default)]
struct Closed {
    epoch: u64,
    streams: String,
    /// Until when, in milliseconds since 1970.
    until: u64,
}

impl Server {
    pub fn new(fences: bool, migrations: Vec<AppliedMigration>) -> Self {
        let tables = [lists(), notes()].map(|table| (table, BTreeMap::new()));
        Server {
            tables: BTreeMap::from(tables),
            feed: Vec::new(),
            streams: BTreeMap::new(),
            migrations,
            received: false,
            fence: Closed::default(),
            fences,
            unguarded: false,
        }
    }

    fn refuses(&self, now: u64) -> Result<()> {
        if self.fences && now < self.fence.until {
            return Err(Error::new(ErrorKind::Fenced, "25006", "the database is closed"));
        }
        Ok(())
    }

    /// Appends to a list, which is made if it is not there; returns the whole list.
    pub fn append(&mut self, list: i64, item: u64, now: u64) -> Result<Vec<u64>> {
        self.refuses(now)?;
        let mut items = self.list(list);
        items.push(item);
        self.write(&lists(), list, Some(row(list, &written(&items))), None);
        Ok(items)
    }

    /// Makes a row.
    pub fn note(&mut self, id: u64, now: u64) -> Result<()> {
        self.refuses(now)?;
        let id = id as i64;
        if self.tables[&notes()].contains_key(&id) {
            return Err(Error::new(ErrorKind::Constraint, "23505", "it is there"));
        }
        self.write(&notes(), id, Some(row(id, &format!("note {id}"))), None);
        Ok(())
    }

    pub fn list(&self, list: i64) -> Vec<u64> {
        let items = self.tables[&lists()].get(&list).and_then(|row| row.values[1].to_text());
        let items = items.unwrap_or_default();
        items.split_whitespace().filter_map(|item| item.parse().ok()).collect()
    }

    pub fn notes(&self) -> Vec<u64> {
        self.tables[&notes()].keys().map(|id| *id as u64).collect()
    }

    pub fn count(&self, table: &TableName) -> u64 {
        self.tables.get(table).map_or(0, |rows| rows.len() as u64)
    }

    fn write(&mut self, table: &TableName, id: i64, new: Option<Row>, origin: Option<&str>) {
        let rows = self.tables.get_mut(table).expect("tables are fixed");
        let old = match new.clone() {
            Some(row) => rows.insert(id, row),
            None => rows.remove(&id),
        };
        let kind = match (&old, &new) {
            (None, None) => return,
            (None, Some(_)) => ChangeKind::Insert,
            (Some(_), Some(_)) => ChangeKind::Update,
            (Some(_), None) => ChangeKind::Delete,
        };
        let sequence = self.feed.len() as u64 + 1;
        let (mark, origin) = (Mark { transaction: sequence, sequence }, origin.map(str::to_owned));
        self.feed.push(Change { mark, table: table.clone(), kind, old, new, origin, made_at: 0 });
    }

    pub fn end(&self) -> Position {
        Position::Sequence(self.feed.len() as u64)
    }

    pub fn changes(&self, after: Option<&Position>, limit: usize) -> ChangeBatch {
        let from = match after {
            Some(Position::Sequence(at)) => *at as usize,
            _ => self.feed.len(),
        };
        let changes: Vec<_> = self.feed.iter().skip(from).take(limit).cloned().collect();
        let at = from + changes.len();
        ChangeBatch { changes, position: Position::Sequence(at as u64), at_end: at == self.feed.len() }
    }

    pub fn scan(&self, op: &Scan) -> Vec<Row> {
        let from = match op.after.as_deref() {
            Some([Value::Int(id)]) => *id + 1,
            _ => i64::MIN,
        };
        let to = match op.until.as_deref() {
            Some([Value::Int(id)]) => *id,
            _ => i64::MAX,
        };
        let Some(rows) = self.tables.get(&op.table).filter(|_| from <= to) else { return Vec::new() };
        let found = rows.range(from..=to).map(|(_, row)| row.clone());
        if op.backwards { found.rev().take(op.limit).collect() } else { found.take(op.limit).collect() }
    }

    pub fn prepare(&mut self, op: &Prepare) -> Result<()> {
        match op {
            Prepare::Begin { migrations } => {
                if self.tables.values().any(|rows| !rows.is_empty()) {
                    return Err(Error::new(ErrorKind::Constraint, "55000", "it holds rows"));
                }
                self.received = true;
                self.migrations = migrations.clone();
            }
            Prepare::Discard if self.received => {
                for table in [lists(), notes()] {
                    let ids: Vec<_> = self.tables[&table].keys().copied().collect();
                    ids.into_iter().for_each(|id| self.write(&table, id, None, Some("discard")));
                }
                self.streams.clear();
                self.migrations.clear();
                self.received = false;
            }
            Prepare::Keep => self.received = false,
            Prepare::Discard | Prepare::Finish | Prepare::Identities => {}
        }
        Ok(())
    }

    pub fn prepare_claimed(&mut self, op: &PrepareClaimed) -> Result<Applied> {
        if self.applied(&op.origin).as_ref() != Some(&op.expected) {
            return Ok(Applied::Stale);
        }
        self.prepare(&op.step)?;
        self.streams.insert(op.origin.clone(), op.expected.clone());
        Ok(Applied::Done)
    }

    pub fn apply(&mut self, op: &Apply, now: u64) -> Result<Applied> {
        if !op.origin.starts_with(&self.fence.streams) {
            self.refuses(now)?;
        }
        if self.applied(&op.origin) != op.expected && !self.unguarded {
            return Ok(Applied::Stale);
        }
        for (table, rows) in &op.rows {
            for row in rows {
                self.write(table, key(row), Some(row.clone()), Some(&op.origin));
            }
        }
        for change in &op.changes {
            let id = change.new.as_ref().or(change.old.as_ref()).map(key).expect("a row");
            self.write(&change.table, id, change.new.clone(), Some(&op.origin));
        }
        if let Some(position) = &op.position {
            self.streams.insert(op.origin.clone(), position.clone());
        }
        Ok(Applied::Done)
    }

    pub fn applied(&self, origin: &str) -> Option<Position> {
        self.streams.get(origin).cloned()
    }

    pub fn fence(&mut self, op: &Fence, now: u64) -> Result<()> {
        let late = op.epoch < self.fence.epoch;
        let until = match op.step {
            FenceStep::Close { .. } if late => {
                return Err(Error::new(ErrorKind::Conflict, "BACKEND_007", "the fence comes late"));
            }
            FenceStep::Open | FenceStep::Remove if late => return Ok(()),
            FenceStep::Close { hold: None } => u64::MAX,
            FenceStep::Close { hold: Some(hold) } => {
                now + u64::try_from(hold.as_millis()).unwrap_or(u64::MAX / 2)
            }
            FenceStep::Install | FenceStep::Open | FenceStep::Remove => 0,
        };
        let epoch = op.epoch.max(self.fence.epoch);
        self.fence = Closed { epoch, streams: op.streams.clone(), until };
        Ok(())
    }
}

fn key(row: &Row) -> i64 {
    match row.values.first() {
        Some(Value::Int(id)) => *id,
        other => panic!("a key that is none: {other:?}"),
    }
}

fn row(id: i64, text: &str) -> Row {
    let columns: Arc<[String]> = ["id".to_owned(), "body".to_owned()].into();
    Row { columns, values: vec![Value::Int(id), Value::Text(text.to_owned())] }
}

fn written(items: &[u64]) -> String {
    items.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}
