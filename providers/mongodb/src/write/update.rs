//! Updates.

use mongodb::bson::Document;
use truststream_kernel::Result;
use truststream_services::database::{Page, PolicyCommand, Update, errors};

use super::Named;
use super::instead;
use super::rules::Defaults;
use super::through::Through;
use crate::names::field;
use crate::storage;
use crate::work::Work;

impl Work {
    /// Changes the rows that the query matches.
    pub(crate) async fn update(&mut self, op: &Update) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        if let Some(view) = instead::view(&schema, &op.table, "update")? {
            return self.update_instead(op, view).await;
        }
        self.judge(&op.table, &op.query, None).await?;
        let through = Through::find(&schema, &op.table)?;
        let (named, table) = (through.named, through.defaulting());
        schema.relations.check(&op.table, &op.query)?;
        let given = (&op.values, op.columns.as_deref(), op.missing_default);
        let values = self.rows_of(&schema, (&op.table, &through), given).await?;
        self.may_write_through((&op.table, &through), PolicyCommand::Update, &values)?;
        if !through.is_view()
            && let Some(page) = self.update_there(named, op, &values).await?
        {
            return Ok(page);
        }
        let returned = op.options.returning.reads(schema.table(&op.table)?);
        let old = self.targets(&op.table, &through, &op.query, (PolicyCommand::Update, returned)).await?;
        let Some(row) = values.rows.first().filter(|_| !values.columns.is_empty()) else {
            return self.answer(&op.table, &op.query, &[], &op.options).await;
        };
        let mut new = old.clone();
        {
            let mut planner = self.planner(&schema);
            let defaults = Defaults::new(&mut planner, &table)?;
            for (column, value) in values.columns.iter().zip(row) {
                errors::refuse_changed(column)?;
                let at = table.columns.iter().position(|one| one.name == column.name).unwrap_or(0);
                for row in &mut new {
                    let stored = match value {
                        Some(value) => storage::stored(&schema.catalog, value, &column.ty)?,
                        None => defaults.of(&mut planner, at)?,
                    };
                    row.insert(field(&column.name), stored);
                }
            }
        }
        let readable = op.query.picks() || returned;
        let owner = self.owner;
        self.owner |= through.is_owned();
        let columns: Vec<&str> = values.columns.iter().map(|column| column.name.as_str()).collect();
        let replaced = self.replace(named, &old, &mut new, (readable, Some(&columns))).await;
        self.owner = owner;
        let kept = replaced?;
        let written = new.iter().zip(kept).filter(|(_, kept)| *kept);
        let written: Vec<&Document> = written.map(|(row, _)| row).collect();
        self.answer(&op.table, &op.query, &written, &op.options).await
    }

    /// Replaces rows by their new states, with all that rules, triggers and foreign keys say: which of them
    /// are new indeed. `columns` are those that the statement names.
    pub(crate) async fn replace(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: &mut [Document],
        (readable, columns): (bool, Option<&[&str]>),
    ) -> Result<Vec<bool>> {
        if old.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.before_update(named, old, new, columns).await?;
        let mut policies = vec![(PolicyCommand::Update, true)];
        policies.extend(readable.then_some((PolicyCommand::Select, false)));
        self.generate(named, new).await?;
        self.check(named, new, &policies).await?;
        self.put_changed(named, old, new).await?;
        let refers = |row: &Document, before: &Document| {
            let keys = named.1.foreign_keys.iter().flat_map(|key| &key.columns);
            keys.map(|column| field(column)).any(|name| row.get(&name) != before.get(&name))
        };
        let changed: Vec<&Document> =
            new.iter().zip(old).filter(|(row, before)| refers(row, before)).map(|(row, _)| row).collect();
        self.refer(named, &changed).await?;
        self.release(named, old, Some(new)).await?;
        self.after_update(named, old, new, (columns, &kept)).await?;
        Ok(kept)
    }
}
