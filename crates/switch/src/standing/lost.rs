//! What only a lost backend had: kept until the operator has it applied or dropped.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use truststream_kernel::{Effect, Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Apply, Change, ChangeKind, Describe, Table, TableName};

use super::Mirrors;
use crate::control::ControlStore;
use crate::hash::key_hash;
use crate::verify::{gone, named, rows_by};
use crate::{Options, Side};

const LOST: &str = "lost/";

/// Rows in one entry of the control store.
const TOGETHER: usize = 200;

/// A row as text by column.
type Texts = Vec<(String, Option<String>)>;

/// A row that was changed on the lost backend only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostRow {
    /// The table.
    pub table: TableName,
    /// Its key, for people.
    pub key: String,
    /// As the mirror had it, text by column; absent if it was not there.
    pub was: Option<Texts>,
    /// As the lost backend had it last; absent if it was removed there.
    pub row: Option<Texts>,
}

/// What one failover may have cost, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostRows {
    /// The failover's number.
    pub failover: u64,
    /// The rows.
    pub rows: Vec<LostRow>,
}

/// What became of rows that were to be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reapplied {
    /// Rows that are on the side that serves now as the lost backend had them.
    pub applied: u64,
    /// Rows that were changed on the side that serves since, which stay as they are there: table and
    /// key. They are kept on.
    pub changed_since: Vec<String>,
}

impl Mirrors {
    /// Keeps what only a lost backend had.
    pub(super) async fn keep_lost(&self, failover: u64, rows: &[LostRow]) -> Result<()> {
        for (number, rows) in rows.chunks(TOGETHER).enumerate() {
            let key = format!("{LOST}{failover:010}/{number:06}");
            let version = self.control.get(&key).await?.map_or(0, |entry| entry.version);
            let value = serde_json::to_value(rows)
                .map_err(|error| Error::internal("lost rows can't be stored").with_source(error))?;
            self.control.put(&key, value, version).await?;
        }
        Ok(())
    }

    /// What lost backends had and nobody has decided about yet, by failover.
    ///
    /// # Errors
    /// When the control store does not answer.
    pub async fn lost(&self) -> Result<Vec<LostRows>> {
        let mut all: Vec<LostRows> = Vec::new();
        for (key, entry) in self.control.list(LOST).await? {
            let number = key.strip_prefix(LOST).and_then(|key| key.split('/').next()?.parse().ok());
            let failover = number.ok_or_else(|| Error::internal("lost rows of no failover"))?;
            let mut rows: Vec<LostRow> = serde_json::from_value(entry.value)
                .map_err(|error| Error::internal("lost rows can't be read").with_source(error))?;
            match all.last_mut().filter(|last| last.failover == failover) {
                Some(last) => last.rows.append(&mut rows),
                None => all.push(LostRows { failover, rows }),
            }
        }
        Ok(all)
    }

    async fn lost_in(&self, failover: u64) -> Result<Vec<LostRow>> {
        let found = self.lost().await?.into_iter().find(|lost| lost.failover == failover);
        found.map(|lost| lost.rows).ok_or_else(|| {
            let message = format!("nothing is kept of failover {failover}");
            Error::new(ErrorKind::NotFound, "BACKEND_011", message)
                .with_hint("`truststream failover lost` tells what is kept")
        })
    }

    /// Forgets what a lost backend had; returns how many rows it was.
    ///
    /// # Errors
    /// `NotFound` if nothing is kept of this failover.
    pub async fn drop_lost(&self, failover: u64) -> Result<u64> {
        let rows = self.lost_in(failover).await?;
        remove(&*self.control, failover).await?;
        Ok(rows.len() as u64)
    }

    /// Brings what a lost backend had to the side that serves: each row that is there as the mirror
    /// had it when it took over. With `force` the others as well.
    ///
    /// # Errors
    /// `NotFound` if nothing is kept of this failover; whatever keeps writes from being made.
    pub async fn apply_lost(&self, failover: u64, force: bool) -> Result<Reapplied> {
        let rows = self.lost_in(failover).await?;
        let gate = self.shared.routes.gate();
        let pass = gate.admit(Effect::Write).await?;
        let side = self.shared.sides.side(&pass.route().owner).await?;
        let (reapplied, kept) = pass.within(put_back(&side, failover, rows, force)).await?;
        pass.acknowledge()?;
        remove(&*self.control, failover).await?;
        self.keep_lost(failover, &kept).await?;
        tracing::warn!(failover, applied = reapplied.applied, kept = kept.len(), "lost rows were applied");
        Ok(reapplied)
    }
}

async fn remove(control: &dyn ControlStore, failover: u64) -> Result<()> {
    for (key, _) in control.list(&format!("{LOST}{failover:010}/")).await? {
        control.remove(&key).await?;
    }
    Ok(())
}

/// Applies rows; returns what became of them, and those that stay kept.
async fn put_back(
    side: &Side,
    failover: u64,
    rows: Vec<LostRow>,
    force: bool,
) -> Result<(Reapplied, Vec<LostRow>)> {
    let catalog = side.database.send(Describe { fresh: true }).await?;
    let (mut done, mut kept) = (Reapplied::default(), Vec::new());
    let mut tables: Vec<&TableName> = rows.iter().map(|row| &row.table).collect();
    tables.sort();
    tables.dedup();
    let mut changes = Vec::new();
    for name in tables {
        let of_table = || rows.iter().filter(|row| row.table == *name);
        let Some(table) = catalog.table(name) else {
            done.changed_since.extend(of_table().map(|row| format!("{name} {}", row.key)));
            kept.extend(of_table().cloned());
            continue;
        };
        let read = of_table().map(|row| Images::of(table, row)).collect::<Result<Vec<_>>>()?;
        let wanted = read.iter().map(|images| key_hash(&table.primary_key, &images.any)).collect();
        let present = rows_by(side, name, &table.primary_key, &wanted, &Options::default()).await?;
        let present: HashMap<_, _> =
            present.iter().map(|row| (key_hash(&table.primary_key, row), row)).collect();
        for (row, images) in of_table().zip(read) {
            let there = present.get(&key_hash(&table.primary_key, &images.any)).copied();
            if same(there, images.row.as_ref()) {
                done.applied += 1;
            } else if force || same(there, images.was.as_ref()) {
                done.applied += 1;
                changes.push(images.change(name));
            } else {
                done.changed_since.push(format!("{name} {}", row.key));
                kept.push(row.clone());
            }
        }
    }
    // Whoever follows the changes of the side that serves has not seen these.
    let origin = format!("{}failover-{failover}", crate::stray::STREAM);
    let apply = Apply { origin, expected: None, position: None, rows: Vec::new(), changes };
    if !apply.changes.is_empty() {
        side.database.send(apply).await?;
    }
    Ok((done, kept))
}

/// A row before and after, with typed values.
struct Images {
    /// One of the two.
    any: Row,
    was: Option<Row>,
    row: Option<Row>,
}

impl Images {
    fn of(table: &Table, lost: &LostRow) -> Result<Self> {
        let read = |texts: &Option<Texts>| texts.as_ref().map(|texts| typed(table, texts)).transpose();
        let (was, row) = (read(&lost.was)?, read(&lost.row)?);
        let any = row.clone().or_else(|| was.clone());
        let any = any.ok_or_else(|| Error::internal("a lost row without any image"))?;
        Ok(Images { any, was, row })
    }

    fn change(self, table: &TableName) -> Change {
        let gone = gone(table, self.any);
        match self.row {
            Some(row) => Change { kind: ChangeKind::Update, old: None, new: Some(row), ..gone },
            None => gone,
        }
    }
}

fn typed(table: &Table, texts: &Texts) -> Result<Row> {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for (name, text) in texts {
        // What a migration took away since is not there to be filled.
        let Some(column) = table.column(name) else { continue };
        columns.push(name.clone());
        values.push(match text {
            Some(text) => Value::parse(&column.ty, text)?,
            None => Value::Null,
        });
    }
    Ok(Row { columns: columns.into(), values })
}

/// Whether two rows hold the same, in whatever order their columns are.
fn same(one: Option<&Row>, other: Option<&Row>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let canonical = |row: &Row| {
                let mut columns: Vec<_> = row.columns.iter().zip(&row.values).collect();
                columns.sort_by(|one, other| one.0.cmp(other.0));
                let (names, values): (Vec<_>, Vec<_>) =
                    columns.into_iter().map(|(name, value)| (name.clone(), value.clone())).unzip();
                let mut bytes = Vec::new();
                Row { columns: names.into(), values }.write_canonical(&mut bytes);
                bytes
            };
            canonical(one) == canonical(other)
        }
        _ => false,
    }
}

/// What changes did to each row, in all.
pub(super) fn collapse(changes: &[Change], keys: &HashMap<TableName, Vec<String>>) -> Vec<LostRow> {
    let mut rows: Vec<(Option<Row>, Option<Row>, TableName)> = Vec::new();
    let mut places = HashMap::new();
    let mut put = |table: &TableName, key: &[String], old: Option<&Row>, new: Option<&Row>| {
        let Some(any) = new.or(old) else { return };
        let place = *places.entry((table.clone(), key_hash(key, any))).or_insert_with(|| {
            rows.push((old.cloned(), None, table.clone()));
            rows.len() - 1
        });
        rows[place].1 = new.cloned();
    };
    for change in changes {
        let Some(key) = keys.get(&change.table) else { continue };
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let moved = old.zip(new).is_some_and(|(old, new)| key_hash(key, old) != key_hash(key, new));
        if moved {
            put(&change.table, key, old, None);
            put(&change.table, key, None, new);
        } else {
            put(&change.table, key, old, new);
        }
    }
    let texts = |row: &Row| -> Texts {
        row.columns.iter().cloned().zip(row.values.iter().map(Value::to_text)).collect()
    };
    let mut seen = HashSet::new();
    let told = rows.iter().filter_map(|(was, row, table)| {
        let key = named(keys.get(table)?, row.as_ref().or(was.as_ref())?);
        if same(was.as_ref(), row.as_ref()) || !seen.insert((table.clone(), key.clone())) {
            return None;
        }
        let (was, row) = (was.as_ref().map(texts), row.as_ref().map(texts));
        Some(LostRow { table: table.clone(), key, was, row })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use truststream_services::database::Mark;

    use super::*;

    fn row(id: i64, body: &str) -> Row {
        let columns = ["id".to_owned(), "body".to_owned()].into();
        Row { columns, values: vec![Value::Int(id), Value::Text(body.to_owned())] }
    }

    #[test]
    fn a_row_is_kept_once_as_it_was_and_as_it_became() {
        let table = TableName::public("tracks");
        let change = |old: Option<Row>, new: Option<Row>| Change {
            mark: Mark::default(),
            table: table.clone(),
            kind: ChangeKind::Update,
            old,
            new,
            origin: None,
            made_at: 0,
        };
        let changes = [
            change(Some(row(1, "a")), Some(row(1, "b"))),
            change(Some(row(1, "b")), Some(row(1, "c"))),
            change(None, Some(row(2, "x"))),
            change(Some(row(2, "x")), None),
            change(Some(row(3, "y")), Some(row(4, "y"))),
        ];
        let keys = HashMap::from([(table.clone(), vec!["id".to_owned()])]);
        let lost = collapse(&changes, &keys);
        let bodies = |texts: &Option<Texts>| texts.as_ref().and_then(|texts| texts[1].1.clone());
        let told: Vec<_> =
            lost.iter().map(|lost| (lost.key.as_str(), bodies(&lost.was), bodies(&lost.row))).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [("id=1", text("a"), text("c")), ("id=3", text("y"), None), ("id=4", None, text("y"))]
        );
    }
}
