//! Updates.

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Page, PolicyCommand, Returning, Update};

use super::rules::Defaults;
use super::through::Through;
use super::{Named, Rows, key_of};
use crate::names::field;
use crate::plan::Planner;
use crate::storage;
use crate::work::Work;

impl Work {
    /// Changes the rows that the query matches.
    pub(crate) async fn update(&mut self, op: &Update) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        let through = Through::find(&schema, &op.table)?;
        let (named, table) = (through.named, through.named.1);
        Planner::new(&schema, &self.cx).owned(self.owner).check_relations(&op.table, &op.query)?;
        let columns = op.columns.as_deref();
        let body = op.values.collect(usize::MAX).await?;
        let values = Rows::read(&schema, (&op.table, &through), &body, columns, op.missing_default)?;
        if !through.is_view()
            && let Some(page) = self.update_there(named, op, &values).await?
        {
            return Ok(page);
        }
        let old = self.targets(&op.table, &through, &op.query, PolicyCommand::Update).await?;
        let Some(row) = values.rows.first().filter(|_| !values.columns.is_empty()) else {
            return self.answer(&op.table, &op.query, &[], &op.options).await;
        };
        let mut new = old.clone();
        {
            let mut planner = Planner::new(&schema, &self.cx).owned(self.owner);
            let defaults = Defaults::new(&mut planner, table)?;
            for (column, value) in values.columns.iter().zip(row) {
                if column.generated.is_some() {
                    let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                    return Err(Error::new(ErrorKind::InvalidInput, "428C9", message));
                }
                let at = table.columns.iter().position(|one| one.name == column.name).unwrap_or(0);
                for row in &mut new {
                    let stored = match value {
                        Some(value) => storage::bson(value, &column.ty)?,
                        None => defaults.of(&mut planner, at)?,
                    };
                    row.insert(field(&column.name), stored);
                }
            }
        }
        let readable = op.query.filter.is_some() || op.options.returning == Returning::Representation;
        let owner = self.owner;
        self.owner |= through.is_owned();
        let replaced = self.replace(named, &old, &mut new, readable).await;
        self.owner = owner;
        replaced?;
        let written: Vec<Bson> = new.iter().map(key_of).collect();
        self.answer(&op.table, &op.query, &written, &op.options).await
    }

    /// Replaces rows by their new states, with all that rules and foreign keys say.
    pub(crate) async fn replace(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: &mut [Document],
        readable: bool,
    ) -> Result<()> {
        if old.is_empty() {
            return Ok(());
        }
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
        self.release(named, old, Some(new)).await
    }
}
