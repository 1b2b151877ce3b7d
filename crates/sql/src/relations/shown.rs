//! What a name means in an order by an embed.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Embed, Field, Item, Query, TableName};

use super::Relations;

impl Relations {
    /// The field that a name in an order by an embed of rows of `table` means: what the embed calls so, or
    /// a column of the table where it shows rows and no groups.
    ///
    /// # Errors
    /// 42703 for what a group does not show, and those of [`Relations::resolve`].
    pub fn shown_as<'f>(&self, embed: &'f Embed, table: &TableName, field: &'f Field) -> Result<&'f Field> {
        let called = embed.query.items.iter().find_map(|item| match item {
            Item::Column { field: shown, alias, aggregate: None, .. } if field.path.is_empty() => {
                (alias.as_deref().unwrap_or(&shown.name) == field.name).then_some(shown)
            }
            _ => None,
        });
        match called {
            Some(shown) => Ok(shown),
            None if self.is_grouped(table, &embed.query)? => {
                let message = format!("column {}.{} does not exist", embed.name(), field.name);
                Err(Error::new(ErrorKind::InvalidInput, "42703", message))
            }
            None => Ok(field),
        }
    }

    /// Whether a query shows groups of rows: what is spread of one row is grouped with them.
    fn is_grouped(&self, table: &TableName, query: &Query) -> Result<bool> {
        for item in &query.items {
            let grouped = match item {
                Item::Count { .. } | Item::Column { aggregate: Some(_), .. } => true,
                Item::Embed(inner) if inner.spread => {
                    let relationship = self.resolve(table, &inner.relation, inner.hint.as_deref())?;
                    relationship.to_one && self.is_grouped(&relationship.to, &inner.query)?
                }
                Item::All | Item::Column { .. } | Item::Embed(_) => false,
            };
            if grouped {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
