//! `truncate`: rows go without a trigger being told, and numbers begin anew.

use std::collections::BTreeSet;

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::Truncate;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Function, TableName};
use truststream_sql::truncate::{Emptying, Truncator, in_use};

use crate::access::Access;
use crate::invoke::Columns;
use crate::names::collection;
use crate::partition::{Target, only};
use crate::plan::Plan;
use crate::schema::Schema;
use crate::sql::meant;
use crate::work::Work;
use crate::write::key_of;

/// Keys removed by one command.
const MANY: usize = 10_000;

/// A statement of a function.
fn read(schema: &Schema, function: &Function, statement: &Truncate) -> Result<Emptying> {
    let (catalog, near) = (&schema.catalog, Some(function.name.schema.as_str()));
    Emptying::read(catalog, statement, |name| meant(name, near, |one| catalog.has_relation(one)))
}

/// Whether a function can empty what it says. Whether it may is known when it runs.
///
/// # Errors
/// What can't be emptied here; 42P13 where rows are expected of it.
pub(crate) fn check(
    schema: &Schema,
    function: &Function,
    statement: &Truncate,
    columns: Columns<'_>,
) -> Result<()> {
    if columns.is_some() {
        let message =
            format!("return type mismatch in function declared to return {}", function.returns.type_name);
        return Err(Error::new(ErrorKind::InvalidInput, "42P13", message));
    }
    if function.returns.type_name == "trigger" {
        return Err(Error::unsupported("\"truncate\" in a trigger runs on PostgreSQL only"));
    }
    let emptying = read(schema, function, statement)?;
    emptying.refuse_deferred(&schema.catalog)?;
    let owner = Truncator { role: None, owner: true };
    for name in emptying.targets(&schema.catalog, owner).unwrap_or_default() {
        Target::find(&schema.catalog, &name)?;
    }
    Ok(())
}

/// The collections that a pipeline reads.
pub(crate) fn collections(plan: &Plan) -> BTreeSet<String> {
    fn within(value: &Bson, found: &mut BTreeSet<String>) {
        match value {
            Bson::Document(document) => {
                for (key, value) in document {
                    match value {
                        Bson::String(name) if matches!(key.as_str(), "from" | "coll" | "$unionWith") => {
                            found.insert(name.clone());
                        }
                        other => within(other, found),
                    }
                }
            }
            Bson::Array(values) => values.iter().for_each(|value| within(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::from([plan.collection.clone()]);
    plan.stages.iter().for_each(|stage| within(&Bson::Document(stage.clone()), &mut found));
    found
}

impl Work {
    /// Empties tables as a function says, with the rights that hold at the moment.
    pub(crate) async fn truncate_of(
        &mut self,
        schema: &Schema,
        function: &Function,
        statement: &Truncate,
    ) -> Result<()> {
        let cx = self.cx.clone();
        let role = if self.owner { None } else { Access::of(&cx).role() };
        let who = Truncator { role, owner: self.owner || cx.identity().is_none() };
        self.truncate(schema, &read(schema, function, statement)?, who).await
    }

    /// Empties tables and partitions.
    ///
    /// # Errors
    /// Those of [`Emptying::targets`]; 55006 for what a loop around is going over.
    pub(crate) async fn truncate(
        &mut self,
        schema: &Schema,
        emptying: &Emptying,
        who: Truncator<'_>,
    ) -> Result<()> {
        let names = emptying.targets(&schema.catalog, who)?;
        let targets = names.iter().map(|name| Target::find(&schema.catalog, name));
        let targets = targets.collect::<Result<Vec<_>>>()?;
        let is_read = |target: &&Target<'_>| {
            let called = collection(target.name);
            self.reading.iter().any(|read| read.contains(&called))
        };
        if let Some(target) = targets.iter().find(is_read) {
            return Err(in_use(target.partition.map_or(target.name, |one| &one.name)));
        }
        let mut gone = Vec::with_capacity(targets.len());
        for target in &targets {
            gone.push(self.empty(schema, target).await?);
        }
        for (target, rows) in targets.iter().zip(&gone) {
            // Nothing refers to them any more; whoever wants to waits for this.
            self.release((target.name, target.table), rows, None).await?;
        }
        // The numbers of a partition are its table's, which goes on.
        for target in targets.iter().filter(|target| emptying.restart && target.partition.is_none()) {
            for column in target.table.columns.iter().filter(|column| column.identity.is_some()) {
                self.restart(target.name, column).await?;
            }
        }
        Ok(())
    }

    /// Deletes the rows of a table or partition: those that others may refer to.
    async fn empty(&mut self, schema: &Schema, target: &Target<'_>) -> Result<Vec<Document>> {
        let rows = match target.partition {
            Some(partition) => only(&schema.catalog, target.name, partition)?,
            None => true.into(),
        };
        let called = collection(target.name);
        let mut stages = vec![doc! { "$match": { "$expr": rows } }];
        let referred = is_referred_to(schema, target.name);
        if !referred {
            stages.push(doc! { "$project": { "_id": 1 } });
        }
        let rows = self.documents(Plan { collection: called.clone(), stages }).await?;
        let keys: Vec<Bson> = rows.iter().map(key_of).collect();
        for keys in keys.chunks(MANY) {
            self.remove(&called, keys).await?;
        }
        Ok(if referred { rows } else { Vec::new() })
    }
}

fn is_referred_to(schema: &Schema, name: &TableName) -> bool {
    let mut keys = schema.catalog.tables.values().flat_map(|table| &table.foreign_keys);
    keys.any(|key| key.references == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_collections_of_a_pipeline_are_found() {
        let stages = vec![
            doc! { "$lookup": { "from": "b", "pipeline": [{ "$unionWith": { "coll": "c" } }], "as": "x" } },
            doc! { "$unionWith": "d" },
        ];
        let found = collections(&Plan { collection: "a".to_owned(), stages });
        assert_eq!(Vec::from_iter(found), ["a", "b", "c", "d"]);
    }
}
