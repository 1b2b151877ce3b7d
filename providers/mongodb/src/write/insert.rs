//! Inserts and upserts.

use std::collections::HashSet;

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Result, Value};
use truststream_services::database::{
    Column, Insert, OnConflict, Page, PolicyCommand, Returning, Table, TableName, errors,
};

use super::rules::Defaults;
use super::through::Through;
use super::{Named, Rows, instead};
use crate::names::{collection, field};
use crate::plan::refused_by;
use crate::storage;
use crate::work::Work;

/// What becomes of the rows of an insert.
#[derive(Default)]
struct Sorted {
    new: Vec<Document>,
    /// Rows that exist, before and after.
    old: Vec<Document>,
    changed: Vec<Document>,
    /// In the order of the request: whether it is new, and its place among those alike.
    order: Vec<(bool, usize)>,
}

impl Work {
    /// Inserts rows, or updates those whose key exists.
    pub(crate) async fn insert(&mut self, op: &Insert) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        if let Some(view) = instead::view(&schema, &op.table, "insert")? {
            return self.insert_instead(op, view).await;
        }
        let through = Through::find(&schema, &op.table)?;
        let named = through.named;
        schema.relations.check(&op.table, &op.query)?;
        // A caller without the right learns nothing of the columns.
        self.may_insert(&op.table)?;
        let given = (&op.rows, op.columns.as_deref(), op.missing_default);
        let rows = self.rows_of(&schema, (&op.table, &through), given).await?;
        self.may_write_through((&op.table, &through), PolicyCommand::Insert, &rows)?;
        let key = conflict_key(op, &through)?;
        let readable = op.options.returning.reads(schema.table(&op.table)?) || key.is_some();
        let rule = op.on_conflict.as_ref().zip(key.as_deref());
        let owner = self.owner;
        self.owner |= through.is_owned();
        let table = through.defaulting();
        let sorted = self.put_rows((named.0, &table), &rows, rule, readable).await;
        self.owner = owner;
        let sorted = sorted?;
        let row = |(new, at): &(bool, usize)| if *new { &sorted.new[*at] } else { &sorted.changed[*at] };
        let written: Vec<&Document> = sorted.order.iter().map(row).collect();
        let mut page = self.answer(&op.table, &op.query, &written, &op.options).await?;
        page.inserted = Some(sorted.new.len() as u64);
        if op.options.returning == Returning::HeadersOnly
            && let Some(first) = written.first()
        {
            page.location = through.location(first);
        }
        Ok(page)
    }

    /// Puts rows into their table, by all its rules.
    async fn put_rows(
        &mut self,
        named: Named<'_>,
        rows: &Rows<'_>,
        rule: Option<(&OnConflict, &[String])>,
        readable: bool,
    ) -> Result<Sorted> {
        let whole = self.completed(named, rows).await?;
        let whole = self.before_insert(named, whole).await?;
        let mut policies = vec![(PolicyCommand::Insert, true)];
        policies.extend(readable.then_some((PolicyCommand::Select, false)));
        if rule.is_some() {
            // A row must be one that could be inserted, also where it meets another; and who may not
            // write it learns nothing of those it meets.
            let mut proposed = whole.clone();
            self.generate(named, &mut proposed).await?;
            self.check(named, &proposed, &policies).await?;
        }
        let mut sorted = match rule {
            Some((rule, key)) => self.sorted(named, rows, whole, rule, key).await?,
            None => {
                let order = (0..whole.len()).map(|at| (true, at)).collect();
                Sorted { new: whole, order, ..Sorted::default() }
            }
        };
        self.generate(named, &mut sorted.new).await?;
        self.check(named, &sorted.new, &policies).await?;
        self.put_new(named, &mut sorted.new).await?;
        self.refer(named, &sorted.new.iter().collect::<Vec<_>>()).await?;
        let columns: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
        let kept = self.merge(named, &sorted.old, &mut sorted.changed, &columns).await?;
        sorted.order.retain(|(new, at)| *new || kept[*at]);
        self.after_insert(named, &sorted.new).await?;
        Ok(sorted)
    }

    /// Puts rows that a function gives into their table; those whose key exists are merged or passed over
    /// where that is said.
    pub(crate) async fn put_given(
        &mut self,
        named: Named<'_>,
        rows: &Rows<'_>,
        conflict: Option<(bool, &[String])>,
        readable: bool,
    ) -> Result<Vec<Document>> {
        let rule = OnConflict { columns: None, merge: conflict.is_some_and(|(merge, _)| merge) };
        let mut sorted = self.put_rows(named, rows, conflict.map(|(_, key)| (&rule, key)), readable).await?;
        let row = |(new, at): &(bool, usize)| {
            std::mem::take(if *new { &mut sorted.new[*at] } else { &mut sorted.changed[*at] })
        };
        Ok(sorted.order.iter().map(row).collect())
    }

    /// Puts the rows of a migration into their table; those whose key exists are passed over where
    /// that is said.
    pub(crate) async fn seed(
        &mut self,
        named: Named<'_>,
        rows: &Rows<'_>,
        passing_over: Option<&[String]>,
    ) -> Result<()> {
        let rule = OnConflict { columns: None, merge: false };
        self.put_rows(named, rows, passing_over.map(|key| (&rule, key)), false).await.map(drop)
    }

    /// Rows with what is not given: defaults and numbers.
    async fn completed(&mut self, (name, table): Named<'_>, rows: &Rows<'_>) -> Result<Vec<Document>> {
        let mut numbers = Vec::new();
        for column in &table.columns {
            let at = rows.columns.iter().position(|one| one.name == column.name);
            let missing = rows.rows.iter().filter(|row| at.is_none_or(|at| row[at].is_none())).count();
            numbers.push(match i64::try_from(missing) {
                Ok(missing) if missing > 0 && column.identity.is_some() => {
                    self.numbers(name, column, missing).await?
                }
                _ => 0,
            });
        }
        let schema = std::sync::Arc::clone(&self.schema);
        let mut planner = self.planner(&schema);
        let defaults = Defaults::new(&mut planner, table)?;
        let mut whole = Vec::with_capacity(rows.rows.len());
        for row in &rows.rows {
            let mut document = Document::new();
            for (at, column) in table.columns.iter().enumerate() {
                let given = rows.columns.iter().position(|one| one.name == column.name);
                let value = match given.and_then(|given| row[given].as_ref()) {
                    Some(value) => {
                        errors::refuse_given(column)?;
                        storage::stored(&schema.catalog, value, &column.ty)?
                    }
                    None if column.identity.is_some() => {
                        numbers[at] += 1;
                        Bson::Int64(numbers[at] - 1)
                    }
                    None => defaults.of(&mut planner, at)?,
                };
                document.insert(field(&column.name), value);
            }
            whole.push(document);
        }
        Ok(whole)
    }

    /// Tells rows that are new from those whose key exists.
    async fn sorted(
        &mut self,
        (name, _): Named<'_>,
        rows: &Rows<'_>,
        whole: Vec<Document>,
        rule: &OnConflict,
        key: &[String],
    ) -> Result<Sorted> {
        let key_values = |row: &Document| -> Option<Document> {
            let value = |column: &String| match row.get(field(column)) {
                None | Some(Bson::Null) => None,
                Some(value) => Some((field(column), value.clone())),
            };
            key.iter().map(value).collect()
        };
        let keys: Vec<Option<Document>> = whole.iter().map(key_values).collect();
        let wanted: Vec<Bson> = keys.iter().flatten().cloned().map(Bson::Document).collect();
        let existing = match wanted.is_empty() {
            true => Vec::new(),
            false => {
                let filter = mongodb::bson::doc! { "$or": wanted };
                self.found(&collection(name), filter).await?
            }
        };
        let mut sorted = Sorted::default();
        let mut seen: Vec<&Document> = Vec::new();
        for (at, row) in whole.iter().enumerate() {
            if let Some(key) = &keys[at] {
                if seen.contains(&key) {
                    if rule.merge {
                        return Err(errors::upserted_twice());
                    }
                    continue;
                }
                seen.push(key);
                if let Some(old) = existing.iter().find(|old| key_values(old).as_ref() == Some(key)) {
                    if rule.merge {
                        let mut new = old.clone();
                        for column in &rows.columns {
                            let name = field(&column.name);
                            new.insert(name.clone(), row.get(&name).cloned().unwrap_or(Bson::Null));
                        }
                        sorted.order.push((false, sorted.old.len()));
                        sorted.old.push(old.clone());
                        sorted.changed.push(new);
                    }
                    continue;
                }
            }
            sorted.order.push((true, sorted.new.len()));
            sorted.new.push(row.clone());
        }
        Ok(sorted)
    }

    /// Updates rows that an upsert found.
    async fn merge(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        changed: &mut [Document],
        columns: &[&str],
    ) -> Result<Vec<bool>> {
        if old.is_empty() {
            return Ok(Vec::new());
        }
        self.may_write(named.0, PolicyCommand::Update, columns)?;
        self.open_to_merge(named.0, old).await?;
        self.replace(named, old, changed, (true, Some(columns))).await
    }

    /// Refuses stored rows that the caller may not see and update.
    ///
    /// # Errors
    /// 42501.
    async fn open_to_merge(&mut self, name: &TableName, rows: &[Document]) -> Result<()> {
        let share = self.share_of(name).cloned();
        let part = share.as_ref().map(|share| &share.partition);
        let schema = std::sync::Arc::clone(&self.schema);
        let kinds = [PolicyCommand::Update, PolicyCommand::Select].map(|command| (command, false));
        let Some(demands) = self.planner(&schema).demands((name, part), &kinds)? else { return Ok(()) };
        let (mut stages, verdict) = demands.verdict();
        stages.push(mongodb::bson::doc! { "$project": { "_id": 0, "p": verdict } });
        let verdicts = self.evaluated(rows, stages).await?;
        let called = part.map_or(name, |part| &part.name);
        let refused = verdicts.iter().find_map(|one| refused_by(one.get("p"), called, true));
        refused.map_or(Ok(()), Err)
    }
}

/// The columns whose values decide whether a row exists already.
fn conflict_key(op: &Insert, through: &Through<'_>) -> Result<Option<Vec<String>>> {
    let table = through.named.1;
    let Some(on_conflict) = &op.on_conflict else { return Ok(None) };
    let Some(columns) = &on_conflict.columns else {
        return Ok((!table.primary_key.is_empty()).then(|| table.primary_key.clone()));
    };
    let columns = through.below(columns);
    let wanted: HashSet<&String> = columns.iter().collect();
    let same = |key: &[String]| key.iter().collect::<HashSet<_>>() == wanted;
    let unique = same(&table.primary_key)
        || table.unique_keys.iter().any(|key| same(&key.columns))
        || table.indexes.iter().any(|one| one.unique && one.predicate.is_none() && same(&one.terms));
    if !unique {
        return Err(errors::no_conflict_key(table, &columns));
    }
    Ok(Some(columns.clone()))
}

pub(super) fn location(table: &Table, row: &Document) -> Vec<(String, Option<String>)> {
    located(table.primary_key.iter().filter_map(|name| Some((name, table.column(name)?))), row)
}

/// What a row has in columns, by the names that these are given.
pub(super) fn located<'c>(
    key: impl Iterator<Item = (&'c String, &'c Column)>,
    row: &Document,
) -> Vec<(String, Option<String>)> {
    let literal = |(name, column): (&String, &Column)| {
        let value: Value = storage::value(row.get(field(&column.name))?, &column.ty).ok()?;
        Some((name.clone(), value.to_text_as(&column.ty)))
    };
    key.filter_map(literal).collect()
}
