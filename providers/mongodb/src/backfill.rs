//! Rows that are there already, brought to the next state of their table.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Column, Table, TableName};

use crate::cast::cast;
use crate::names::{collection, field};
use crate::plan::Planner;
use crate::schema::base_tables;
use crate::storage;
use crate::work::Work;
use crate::write::Defaults;

impl Work {
    /// Brings rows from one catalog to the next, which is that of this work.
    pub(crate) async fn backfill(&mut self, before: &Catalog) -> Result<()> {
        self.divide(before).await?;
        let schema = std::sync::Arc::clone(&self.schema);
        for (name, table) in base_tables(&schema.catalog) {
            let Some(old) = before.table(name) else { continue };
            let alike = old.columns == table.columns
                && old.checks == table.checks
                && old.foreign_keys == table.foreign_keys
                && old.primary_key == table.primary_key;
            if !alike {
                self.bring(name, old, table).await?;
            }
        }
        Ok(())
    }

    async fn bring(&mut self, name: &TableName, old: &Table, table: &Table) -> Result<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        let rows = self.found(&collection(name), doc! {}).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let renamed = renamed(old, table);
        let mut next = Vec::with_capacity(rows.len());
        {
            let mut planner = Planner::new(&schema, &self.cx);
            let defaults = Defaults::new(&mut planner, table)?;
            for row in &rows {
                let mut document = Document::new();
                for (at, column) in table.columns.iter().enumerate() {
                    let was = match renamed {
                        Some((from, to)) if to == column.name => old.column(from),
                        _ => old.column(&column.name),
                    };
                    let value = match was {
                        Some(was) => {
                            let stored = row.get(field(&was.name)).unwrap_or(&Bson::Null);
                            let value = storage::value(stored, &was.ty)?;
                            let value = cast(&schema.catalog, value, &was.ty, &column.ty)?;
                            storage::stored(&schema.catalog, &value, &column.ty)?
                        }
                        None if column.identity.is_some() => {
                            return Err(Error::unsupported(
                                "this database adds identity columns to empty tables only",
                            ));
                        }
                        None => defaults.of(&mut planner, at)?,
                    };
                    document.insert(field(&column.name), value);
                }
                if let Some(id) = row.get("_id") {
                    document.insert("_id", id.clone());
                }
                next.push(document);
            }
        }
        self.generate((name, table), &mut next).await?;
        self.hold(name, table, &next).await?;
        self.put_changed((name, table), &rows, &mut next).await?;
        self.refer((name, table), &next.iter().collect::<Vec<_>>()).await
    }

    /// Checks that rows there are obey the rules that are new.
    async fn hold(&mut self, name: &TableName, table: &Table, rows: &[Document]) -> Result<()> {
        for column in table.columns.iter().filter(|column| !column.nullable) {
            let null = |row: &Document| matches!(row.get(field(&column.name)), None | Some(Bson::Null));
            if rows.iter().any(null) {
                let message =
                    format!("column \"{}\" of relation \"{}\" contains null values", column.name, name.name);
                return Err(Error::new(ErrorKind::Constraint, "23502", message));
            }
        }
        self.check((name, table), rows, &[]).await
    }
}

/// The old and new name of the one column that is called otherwise now.
fn renamed<'c>(old: &'c Table, new: &'c Table) -> Option<(&'c str, &'c str)> {
    if old.columns.len() != new.columns.len() {
        return None;
    }
    let mut differing = old.columns.iter().zip(&new.columns).filter(|(old, new)| old != new);
    let (from, to) = differing.next()?;
    let only_the_name = Column { name: to.name.clone(), ..from.clone() } == *to;
    (differing.next().is_none() && only_the_name).then_some((from.name.as_str(), to.name.as_str()))
}
