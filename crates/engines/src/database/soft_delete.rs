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

/// How a column says that its row was deleted.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// It is not null.
    Moment,
    /// It is true.
    Flag,
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
                self.hide(&op.table, &mut op.query)?;
                op.into()
            }
            Step::Insert(mut op) if !op.options.transaction.include_deleted => {
                self.hide_related(&op.table, &mut op.query)?;
                op.into()
            }
            Step::Update(mut op) if !op.options.transaction.include_deleted => {
                self.hide(&op.table, &mut op.query)?;
                op.into()
            }
            Step::Delete(op) if !op.options.transaction.include_deleted => self.delete(op)?,
            other => other,
        })
    }

    fn delete(&self, mut op: Delete) -> Result<Step> {
        self.hide(&op.table, &mut op.query)?;
        let Some((column, sign)) = self.sign(&op.table)? else { return Ok(op.into()) };
        let value = match sign {
            Sign::Moment => serde_json::Value::from("now"),
            Sign::Flag => true.into(),
        };
        let values = serde_json::json!({ column: value }).to_string();
        Ok(Update { options: op.options, ..Update::new(op.table, values, op.query) }.into())
    }

    /// What says that a row of a table was deleted, if its rows are deleted so.
    ///
    /// # Errors
    /// When the column that the directive names can't.
    fn sign(&self, table: &TableName) -> Result<Option<(&str, Sign)>> {
        let Some(name) = self.columns.get(table) else { return Ok(None) };
        let column = self.catalog.table(table).and_then(|table| table.column(name));
        let sign = match column.map(|column| &column.ty) {
            Some(Type::Timestamptz | Type::Timestamp | Type::Date) => Sign::Moment,
            Some(Type::Bool) => Sign::Flag,
            _ => {
                let message = format!("no row of {table} can be said to be deleted by column \"{name}\"");
                return Err(Error::configuration(message).with_hint(
                    "in the table's comment, let `@soft_delete` name a column of type timestamptz, timestamp, \
                     date or boolean",
                ));
            }
        };
        Ok(Some((name, sign)))
    }

    /// Leaves out deleted rows of a table and of all that is embedded.
    fn hide(&self, table: &TableName, query: &mut Query) -> Result<()> {
        if let Some((column, sign)) = self.sign(table)? {
            let is = |is| {
                Filter::Compare(Comparison {
                    field: Field::column(column),
                    operator: Operator::Is,
                    quantifier: None,
                    operand: Operand::Is(is),
                })
            };
            query.and(match sign {
                Sign::Moment => is(Is::Null),
                Sign::Flag => is(Is::True).negated(),
            });
        }
        self.hide_related(table, query)
    }

    fn hide_related(&self, table: &TableName, query: &mut Query) -> Result<()> {
        for item in &mut query.items {
            if let Item::Embed(embed) = item
                && let Some(related) = self.related(table, &embed.relation)
            {
                self.hide(&related, &mut embed.query)?;
            }
        }
        Ok(())
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
