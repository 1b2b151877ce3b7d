//! Soft delete: a delete sets a column, and reads leave out the rows where it is set.
//!
//! A table has it whose comment has a line `@soft_delete column`. It is an update like any other:
//! policies of updates judge it, and subscribers see a change of the row.

use std::collections::HashMap;
use std::sync::Arc;

use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Catalog, Comparison, Delete, Field, Filter, Is, Item, Operand, Operator, Query, Step, TableName, Update,
};

/// The directive in a table's comment.
const DIRECTIVE: &str = "@soft_delete ";

/// The tables with soft delete of one catalog.
#[derive(Debug, Default)]
pub(super) struct SoftDelete {
    pub(super) catalog: Arc<Catalog>,
    columns: HashMap<TableName, String>,
}

impl SoftDelete {
    /// Looks for the directive in the comments.
    pub(super) fn of(catalog: Arc<Catalog>) -> Self {
        let directive = |comment: &str| {
            let column = comment.lines().find_map(|line| line.trim().strip_prefix(DIRECTIVE))?.trim();
            Some(column.to_owned())
        };
        let columns = catalog
            .tables
            .iter()
            .filter_map(|(name, table)| Some((name.clone(), directive(table.comment.as_deref()?)?)))
            .collect();
        SoftDelete { catalog, columns }
    }

    /// Whether no table has it.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// What is done instead of a step.
    ///
    /// # Errors
    /// When the column that a directive names can't say that a row was deleted.
    pub(super) fn rewrite(&self, step: Step) -> Result<Step> {
        Ok(match step {
            Step::Select(mut op) if !op.transaction.include_deleted => {
                self.hide(&op.table, &mut op.query);
                op.into()
            }
            Step::Insert(mut op) if !op.options.transaction.include_deleted => {
                self.hide_related(&op.table, &mut op.query);
                op.into()
            }
            Step::Update(mut op) if !op.options.transaction.include_deleted => {
                self.hide_related(&op.table, &mut op.query);
                self.hide_own(&op.table, &mut op.query);
                op.into()
            }
            Step::Delete(op) if !op.options.transaction.include_deleted => self.delete(op)?,
            other => other,
        })
    }

    fn delete(&self, mut op: Delete) -> Result<Step> {
        self.hide_related(&op.table, &mut op.query);
        let Some(column) = self.columns.get(&op.table) else { return Ok(op.into()) };
        self.hide_own(&op.table, &mut op.query);
        let ty =
            self.catalog.table(&op.table).and_then(|table| table.column(column)).map(|column| &column.ty);
        let value = match ty {
            Some(Type::Timestamptz | Type::Timestamp | Type::Date) => "now".into(),
            Some(Type::Bool) => serde_json::Value::from(true),
            _ => {
                let message = format!("{} can't be deleted softly by column \"{column}\"", op.table);
                return Err(Error::configuration(message).with_hint(
                    "`@soft_delete` names a column of type timestamptz, timestamp, date or boolean",
                ));
            }
        };
        let values = serde_json::json!({ column.as_str(): value }).to_string();
        Ok(Update { options: op.options, ..Update::new(op.table, values, op.query) }.into())
    }

    /// Leaves out deleted rows of a table and of all that is embedded.
    fn hide(&self, table: &TableName, query: &mut Query) {
        self.hide_own(table, query);
        self.hide_related(table, query);
    }

    fn hide_own(&self, table: &TableName, query: &mut Query) {
        let Some(column) = self.columns.get(table) else { return };
        let is = |is| {
            Filter::Compare(Comparison {
                field: Field::column(column),
                operator: Operator::Is,
                quantifier: None,
                operand: Operand::Is(is),
            })
        };
        let flag = self.catalog.table(table).and_then(|table| table.column(column));
        query.and(match flag.map(|column| &column.ty) {
            Some(Type::Bool) => is(Is::True).negated(),
            _ => is(Is::Null),
        });
    }

    fn hide_related(&self, table: &TableName, query: &mut Query) {
        for item in &mut query.items {
            if let Item::Embed(embed) = item
                && let Some(related) = self.related(table, &embed.relation)
            {
                self.hide(&related, &mut embed.query);
            }
        }
    }

    /// The table that a relation names: by its own name, by a foreign key's, or by its column's.
    fn related(&self, table: &TableName, relation: &str) -> Option<TableName> {
        let named = TableName::new(&table.schema, relation);
        if self.catalog.table(&named).is_some() {
            return Some(named);
        }
        let own = self.catalog.table(table)?.foreign_keys.iter();
        let leaving = own
            .filter(|key| key.name == relation || key.columns == [relation])
            .map(|key| key.references.clone());
        let arriving = self.catalog.tables.iter().filter(|(_, other)| {
            other.foreign_keys.iter().any(|key| key.name == relation && key.references == *table)
        });
        leaving.chain(arriving.map(|(name, _)| name.clone())).next()
    }
}
