//! Foreign keys: what rows refer to, and what refers to them.

use futures::FutureExt;
use futures::future::BoxFuture;
use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result};
use truststream_services::database::{ForeignKey, ReferentialAction, Table, TableName};

use super::fault::{no_parent, still_referenced};
use super::rules::Defaults;
use super::{Named, key_of};
use crate::names::{collection, field};
use crate::work::Work;

/// A reference that must not be there when a write ends.
struct Pending {
    parent: TableName,
    child: TableName,
    key: ForeignKey,
    row: Document,
}

/// Rows that one question is about.
const MANY: usize = 500;

/// The values of columns under other columns' names; none if one is null.
fn values(row: &Document, from: &[String], to: &[String]) -> Option<Document> {
    from.iter()
        .zip(to)
        .map(|(from, to)| match row.get(field(from)) {
            None | Some(Bson::Null) => None,
            Some(value) => Some((field(to), value.clone())),
        })
        .collect()
}

/// A filter for the rows that refer to a row.
fn children_of(row: &Document, key: &ForeignKey) -> Option<Document> {
    values(row, &key.referenced_columns, &key.columns)
}

/// A filter for what any of these filters matches, which are about the same fields.
fn one_of(filters: Vec<Document>) -> Document {
    match filters.first().and_then(|first| first.keys().next()) {
        Some(only) if filters.iter().all(|one| one.len() == 1) => {
            let values: Vec<Bson> = filters.iter().filter_map(|one| one.get(only)).cloned().collect();
            doc! { only: { "$in": values } }
        }
        _ => doc! { "$or": filters },
    }
}

impl Work {
    /// Checks that rows refer to rows that exist, and keeps those from being removed meanwhile.
    ///
    /// # Errors
    /// 23503.
    pub(crate) async fn refer(&mut self, named: Named<'_>, rows: &[&Document]) -> Result<()> {
        if self.schema.receiving {
            return Ok(());
        }
        for key in &named.1.foreign_keys {
            let mut wanted: Vec<(Document, &Document)> = Vec::new();
            for row in rows {
                if let Some(parent) = values(row, &key.columns, &key.referenced_columns)
                    && !wanted.iter().any(|(one, _)| *one == parent)
                {
                    wanted.push((parent, row));
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let parents = collection(&key.references);
            let locks: Vec<Bson> = wanted.iter().map(|(parent, _)| Bson::Document(parent.clone())).collect();
            self.lock(&parents, &locks).await?;
            let filter = self.any_of(&key.references, wanted.iter().map(|(parent, _)| parent));
            let found = self.found(&parents, filter).await?;
            for (parent, row) in wanted {
                let is = |one: &Document| parent.iter().all(|(name, value)| one.get(name) == Some(value));
                if !found.iter().any(is) {
                    return Err(no_parent(named, key, row));
                }
            }
        }
        Ok(())
    }

    /// A filter for any of these values, by the key where they are one.
    fn any_of<'v>(&self, name: &TableName, values: impl Iterator<Item = &'v Document>) -> Document {
        let key = self.schema.catalog.table(name).map(|table| table.primary_key.as_slice());
        if let Some([only]) = key {
            let only = field(only);
            let (mut ids, mut others) = (Vec::new(), Vec::new());
            for one in values {
                match one.get(&only).filter(|_| one.len() == 1) {
                    Some(id) => ids.push(id.clone()),
                    None => others.push(Bson::Document(one.clone())),
                }
            }
            return if others.is_empty() {
                doc! { "_id": { "$in": ids } }
            } else {
                doc! { "$or": others }
            };
        }
        doc! { "$or": values.cloned().map(Bson::Document).collect::<Vec<_>>() }
    }

    /// Does what foreign keys say of rows that were removed, or (with their new state) changed.
    ///
    /// # Errors
    /// 23503 if a row is referred to still.
    pub(crate) async fn release(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: Option<&[Document]>,
    ) -> Result<()> {
        if self.schema.receiving {
            return Ok(());
        }
        let mut pending = Vec::new();
        self.released(named, old, new, &mut pending).await?;
        for Pending { parent, child, key, row } in pending {
            let Some(filter) = values(&row, &key.referenced_columns, &key.columns) else { continue };
            if self.found(&collection(&child), filter).await?.is_empty() {
                continue;
            }
            let schema = std::sync::Arc::clone(&self.schema);
            return Err(still_referenced((&parent, schema.table(&parent)?), &child, &key, &row));
        }
        Ok(())
    }

    fn released<'w>(
        &'w mut self,
        (name, _): Named<'w>,
        old: &'w [Document],
        new: Option<&'w [Document]>,
        pending: &'w mut Vec<Pending>,
    ) -> BoxFuture<'w, Result<()>> {
        async move {
            let schema = std::sync::Arc::clone(&self.schema);
            for (child, table) in &schema.catalog.tables {
                for key in table.foreign_keys.iter().filter(|key| key.references == *name) {
                    self.released_of(name, (child, table), key, (old, new), pending).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// The same of one foreign key: what all rows are asked for is asked at once.
    async fn released_of(
        &mut self,
        name: &TableName,
        (child, table): (&TableName, &Table),
        key: &ForeignKey,
        (old, new): (&[Document], Option<&[Document]>),
        pending: &mut Vec<Pending>,
    ) -> Result<()> {
        let referenced = |row: &Document| values(row, &key.referenced_columns, &key.referenced_columns);
        let rows = old.iter().enumerate().map(|(at, row)| (row, new.and_then(|new| new.get(at))));
        let gone: Vec<(&Document, Option<&Document>)> = rows
            .filter(|(row, after)| referenced(row).is_some_and(|own| after.and_then(referenced) != Some(own)))
            .collect();
        let called = collection(child);
        for rows in gone.chunks(MANY) {
            let locks: Vec<Bson> =
                rows.iter().filter_map(|(row, _)| referenced(row).map(Bson::Document)).collect();
            self.lock(&collection(name), &locks).await?;
            let filters = rows.iter().filter_map(|(row, _)| children_of(row, key));
            let children = self.found(&called, one_of(filters.collect())).await?;
            if children.is_empty() {
                continue;
            }
            let waits = matches!(key.on_delete, ReferentialAction::NoAction | ReferentialAction::Restrict);
            if new.is_none() && !waits {
                // Which of the rows each of them referred to makes no difference.
                self.acted((child, table), key, (children, key.on_delete, None), pending).await?;
                continue;
            }
            for (row, after) in rows {
                self.released_one(name, (child, table), key, (row, *after), pending).await?;
            }
        }
        Ok(())
    }

    async fn released_one(
        &mut self,
        name: &TableName,
        (child, table): (&TableName, &Table),
        key: &ForeignKey,
        (row, after): (&Document, Option<&Document>),
        pending: &mut Vec<Pending>,
    ) -> Result<()> {
        let Some(filter) = children_of(row, key) else { return Ok(()) };
        let children = self.found(&collection(child), filter).await?;
        if children.is_empty() {
            return Ok(());
        }
        let action = if after.is_some() { key.on_update } else { key.on_delete };
        if matches!(action, ReferentialAction::NoAction | ReferentialAction::Restrict) {
            let (parent, child) = (name.clone(), child.clone());
            pending.push(Pending { parent, child, key: key.clone(), row: row.clone() });
            return Ok(());
        }
        self.acted((child, table), key, (children, action, after), pending).await
    }

    /// Does with rows what their foreign key says of those whose row is gone or another one.
    async fn acted(
        &mut self,
        (child, table): Named<'_>,
        key: &ForeignKey,
        (children, action, after): (Vec<Document>, ReferentialAction, Option<&Document>),
        pending: &mut Vec<Pending>,
    ) -> Result<()> {
        if action == ReferentialAction::Cascade && after.is_none() {
            let children = self.before_delete((child, table), children).await?;
            let keys: Vec<Bson> = children.iter().map(key_of).collect();
            self.remove(&collection(child), &keys).await?;
            self.released((child, table), &children, None, pending).await?;
            return self.after_delete((child, table), &children).await;
        }
        let changed = self.referring((child, table), key, &children, action, after)?;
        let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
        self.change((child, table), children, changed, &columns, pending).await
    }

    /// Rows that refer to something else now, as the action of their key has it.
    fn referring(
        &self,
        (_, table): Named<'_>,
        key: &ForeignKey,
        children: &[Document],
        action: ReferentialAction,
        after: Option<&Document>,
    ) -> Result<Vec<Document>> {
        let mut planner = self.planner(&self.schema);
        let defaults = Defaults::new(&mut planner, table)?;
        let mut changed = children.to_vec();
        for (column, referenced) in key.columns.iter().zip(&key.referenced_columns) {
            let at = table.columns.iter().position(|one| one.name == *column);
            let at = at.ok_or_else(|| Error::internal("a foreign key of a column that is not there"))?;
            let value = match action {
                ReferentialAction::Cascade => after.and_then(|row| row.get(field(referenced))).cloned(),
                ReferentialAction::SetDefault => Some(defaults.of(&mut planner, at)?),
                _ => None,
            };
            for row in &mut changed {
                row.insert(field(column), value.clone().unwrap_or(Bson::Null));
            }
        }
        Ok(changed)
    }

    async fn change(
        &mut self,
        named: Named<'_>,
        old: Vec<Document>,
        mut new: Vec<Document>,
        columns: &[&str],
        pending: &mut Vec<Pending>,
    ) -> Result<()> {
        let kept = self.before_update(named, &old, &mut new, Some(columns)).await?;
        self.generate(named, &mut new).await?;
        self.check(named, &new, &[]).await?;
        self.put_changed(named, &old, &mut new).await?;
        self.released(named, &old, Some(&new), pending).await?;
        self.after_update(named, &old, &new, (Some(columns), &kept)).await
    }
}
