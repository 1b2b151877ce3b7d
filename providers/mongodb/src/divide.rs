//! Rows of partitions that come and go.

use mongodb::bson::{Bson, doc};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Partition, PartitionBound, Table, TableName};

use crate::names::collection;
use crate::partition::{Share, only, partitions};
use crate::plan::Plan;
use crate::schema::base_tables;
use crate::work::Work;
use crate::write::{Named, key_of};

/// The partitions that a table has no more.
pub(crate) fn gone<'t>(old: &'t Table, new: &Table) -> impl Iterator<Item = &'t Partition> {
    let kept: Vec<TableName> = partitions(new).map(|(_, one)| one.name.clone()).collect();
    partitions(old).map(|(_, one)| one).filter(move |one| !kept.contains(&one.name))
}

fn violated(message: String) -> Error {
    Error::new(ErrorKind::Constraint, "23514", message)
}

impl Work {
    /// Brings the rows of divided tables from one catalog to the next, which is that of this work.
    ///
    /// # Errors
    /// 23514 for rows that are in the wrong partition then, those of what their table demands.
    pub(crate) async fn divide(&mut self, before: &Catalog) -> Result<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        let catalog = &schema.catalog;
        for (name, table) in base_tables(catalog) {
            let Some(old) = before.table(name) else { continue };
            // Parts of a partition that becomes a table go along with it.
            for partition in gone(old, table).filter(|one| catalog.partition(&one.name).is_none()) {
                let keys = self.meeting_of(&collection(name), only(before, name, partition)?, None).await?;
                if let Some(own) = catalog.table(&partition.name) {
                    let met = doc! { "_id": { "$in": keys.clone() } };
                    let mut rows = self.found(&collection(name), met).await?;
                    self.put_new((&partition.name, own), &mut rows).await?;
                }
                self.remove(&collection(name), &keys).await?;
            }
            self.refuse_moved(catalog, (name, table), old).await?;
        }
        for (part, _) in base_tables(before) {
            if let Some((name, partition)) = catalog.partition(part) {
                self.enter((name, schema.table(name)?), partition).await?;
            }
        }
        Ok(())
    }

    /// The keys of the documents that meet a condition.
    pub(crate) async fn meeting_of(
        &mut self,
        called: &str,
        condition: Bson,
        most: Option<i64>,
    ) -> Result<Vec<Bson>> {
        let mut stages = vec![doc! { "$match": { "$expr": condition } }];
        stages.extend(most.map(|most| doc! { "$limit": most }));
        stages.push(doc! { "$project": { "_id": 1 } });
        let found = self.documents(Plan { collection: called.to_owned(), stages }).await?;
        Ok(found.iter().map(key_of).collect())
    }

    /// Refuses a new partition while the default one beside it has rows that would belong to it.
    async fn refuse_moved(&mut self, catalog: &Catalog, (name, table): Named<'_>, old: &Table) -> Result<()> {
        let known = |name: &TableName| partitions(old).any(|(_, one)| one.name == *name);
        for (level, partition) in partitions(table).filter(|(_, one)| !known(&one.name)) {
            let default = level.partitions.iter().find(|one| one.bound == PartitionBound::Default);
            let Some(default) = default.filter(|one| known(&one.name)) else { continue };
            let rows = self.meeting_of(&collection(name), only(catalog, name, partition)?, Some(1)).await?;
            if !rows.is_empty() {
                return Err(violated(format!(
                    "updated partition constraint for default partition \"{}\" would be violated by some row",
                    default.name.name
                )));
            }
        }
        Ok(())
    }

    /// Takes over the rows of a table that becomes a partition.
    async fn enter(&mut self, named: Named<'_>, partition: &Partition) -> Result<()> {
        let part = collection(&partition.name);
        let mut rows = self.found(&part, doc! {}).await?;
        let share = Share { table: named.0.clone(), partition: partition.clone() };
        for row in &rows {
            if !share.has(named.1, row)? {
                return Err(violated(format!(
                    "partition constraint of relation \"{}\" is violated by some row",
                    partition.name.name
                )));
            }
        }
        let keys: Vec<Bson> = rows.iter().map(key_of).collect();
        self.generate(named, &mut rows).await?;
        self.check(named, &rows, &[]).await?;
        self.remove(&part, &keys).await?;
        self.put_new(named, &mut rows).await?;
        self.refer(named, &rows.iter().collect::<Vec<_>>()).await
    }
}
