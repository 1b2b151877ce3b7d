//! Writes that the server does by itself: one command, and no row comes here.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Result, Value};
use truststream_services::database::{
    Delete, Page, PolicyCommand, Query, Table, TableName, Update, WriteOptions,
};

use super::put::written;
use super::{Named, Rows, counted, explain};
use crate::names::{collection, field};
use crate::schema::Schema;
use crate::storage;
use crate::work::Work;

impl Work {
    /// Changes rows where no rule asks for what they were or will be; `None` where one does.
    pub(super) async fn update_there(
        &mut self,
        named: Named<'_>,
        op: &Update,
        values: &Rows<'_>,
    ) -> Result<Option<Page>> {
        if !named.1.triggers.is_empty() {
            return Ok(None);
        }
        let Some(set) = assignments(&self.schema, named, values)? else { return Ok(None) };
        let Some(filter) = self.filter_there(named, &op.query, &op.options, PolicyCommand::Update)? else {
            return Ok(None);
        };
        let change = doc! { "q": filter, "u": { "$set": set }, "multi": true };
        let command = doc! { "update": collection(named.0), "updates": [change] };
        self.done_there(named, command, &op.options).await.map(Some)
    }

    /// Deletes rows that nothing can refer to; `None` where something can.
    pub(super) async fn delete_there(&mut self, named: Named<'_>, op: &Delete) -> Result<Option<Page>> {
        if is_referred_to(&self.schema, named.0) || !named.1.triggers.is_empty() {
            return Ok(None);
        }
        let Some(filter) = self.filter_there(named, &op.query, &op.options, PolicyCommand::Delete)? else {
            return Ok(None);
        };
        let command = doc! { "delete": collection(named.0), "deletes": [{ "q": filter, "limit": 0 }] };
        self.done_there(named, command, &op.options).await.map(Some)
    }

    /// The rows that a query is about, in the language of `$match`; `None` where it is not enough, or
    /// the new state of rows is to be judged or returned.
    fn filter_there(
        &self,
        (name, table): Named<'_>,
        query: &Query,
        options: &WriteOptions,
        command: PolicyCommand,
    ) -> Result<Option<Document>> {
        let page = !query.order.is_empty() || query.limit.is_some() || query.offset > 0;
        if page || options.returning.reads(table) {
            return Ok(None);
        }
        let mut planner = self.planner(&self.schema);
        let judged = command == PolicyCommand::Update
            && (planner.check(name, command)?.is_some()
                || planner.using(name, PolicyCommand::Select)?.is_some());
        if judged {
            return Ok(None);
        }
        let mut stages = planner.targets(name, query, (command, false))?.stages;
        // The last one only leaves temporary fields out.
        stages.pop();
        let tests = stages.into_iter().map(|mut stage| match stage.remove("$match") {
            Some(Bson::Document(test)) if stage.is_empty() => Some(Bson::Document(test)),
            _ => None,
        });
        let tests: Option<Vec<Bson>> = tests.collect();
        Ok(tests.map(|tests| {
            if tests.is_empty() {
                Document::new()
            } else {
                doc! { "$and": tests }
            }
        }))
    }

    async fn done_there(
        &mut self,
        named: Named<'_>,
        command: Document,
        options: &WriteOptions,
    ) -> Result<Page> {
        let command = self.command(command);
        let reply = self
            .database
            .run_command(command)
            .session(&mut self.session)
            .await
            .map_err(|error| explain(named, error, &[]))?;
        written(named, &reply, &[])?;
        let rows = reply.get("n").and_then(storage::integer).unwrap_or(0);
        counted(rows.unsigned_abs(), options)
    }
}

/// What an update sets, if that is the same for all rows and no rule hangs on it.
fn assignments(schema: &Schema, (name, table): Named<'_>, values: &Rows<'_>) -> Result<Option<Document>> {
    let computed = !table.checks.is_empty() || table.columns.iter().any(|column| column.generated.is_some());
    let [row] = values.rows.as_slice() else { return Ok(None) };
    if computed || row.is_empty() {
        return Ok(None);
    }
    let mut set = Document::new();
    for (column, value) in values.columns.iter().zip(row) {
        let Some(value) = value else { return Ok(None) };
        let null = *value == Value::Null && !column.nullable;
        if null || is_key(schema, (name, table), &column.name) {
            return Ok(None);
        }
        set.insert(field(&column.name), storage::stored(&schema.catalog, value, &column.ty)?);
    }
    Ok(Some(set))
}

/// Whether a column is a part of any key, or decides which partition a row is in.
fn is_key(schema: &Schema, (name, table): Named<'_>, column: &str) -> bool {
    let has = |columns: &[String]| columns.iter().any(|one| one == column);
    let unique = table.unique_keys.iter().any(|key| has(&key.columns));
    // A partial one hangs on columns of its condition too.
    let indexed = table.indexes.iter().any(|index| index.unique);
    let refers = table.foreign_keys.iter().any(|key| has(&key.columns));
    let referred = references(schema, name).any(has);
    let divides = table.partitioning.as_ref().is_some_and(|known| known.goes_by(column));
    has(&table.primary_key) || divides || unique || indexed || refers || referred
}

fn is_referred_to(schema: &Schema, name: &TableName) -> bool {
    references(schema, name).next().is_some()
}

/// The columns of a table that foreign keys refer to.
fn references<'s>(schema: &'s Schema, name: &'s TableName) -> impl Iterator<Item = &'s [String]> {
    let keys = schema.catalog.tables.values().flat_map(|table: &Table| &table.foreign_keys);
    keys.filter(move |key| key.references == *name).map(|key| key.referenced_columns.as_slice())
}
