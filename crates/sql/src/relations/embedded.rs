//! The relationships that the embeds of a query mean.

use std::collections::HashSet;

use truststream_kernel::Result;
use truststream_services::database::{Embed, Item, Query, Relationship, TableName, errors};

use super::Relations;

impl Relations {
    /// The relationship that an embed in rows of `parent` means.
    ///
    /// # Errors
    /// Those of [`Relations::resolve`].
    pub fn embedded(&self, parent: &TableName, embed: &Embed) -> Result<&Relationship> {
        self.resolve(parent, &embed.relation, embed.hint.as_deref())
    }

    /// The same of an embed that orders the rows of `parent`: it must be of one row.
    ///
    /// # Errors
    /// PGRST118 where it is of several, and those of [`Relations::resolve`].
    pub fn ordering(&self, parent: &TableName, embed: &Embed) -> Result<&Relationship> {
        let relationship = self.embedded(parent, embed)?;
        if relationship.to_one { Ok(relationship) } else { Err(errors::not_to_one(parent, embed.name())) }
    }

    /// Refuses embeds of rows of `table` that are called the same: a reply could show one of them only.
    ///
    /// # Errors
    /// 42712, and those of [`Relations::resolve`].
    pub fn told_apart(&self, table: &TableName, query: &Query) -> Result<()> {
        self.level_told_apart(table, query, 1)
    }

    fn level_told_apart(&self, table: &TableName, query: &Query, depth: usize) -> Result<()> {
        let mut names = HashSet::new();
        for item in &query.items {
            let Item::Embed(embed) = item else { continue };
            if !names.insert(embed.name()) {
                return Err(errors::embedded_twice(table, embed.name(), depth));
            }
            if !embed.query.items.is_empty() {
                self.level_told_apart(&self.embedded(table, embed)?.to, &embed.query, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Refuses embeds of what is not related and orders by them, also where nothing of them is shown.
    ///
    /// # Errors
    /// PGRST108, PGRST118, PGRST200, PGRST201.
    pub fn check(&self, table: &TableName, query: &Query) -> Result<()> {
        for relation in query.order.iter().filter_map(|order| order.relation.as_deref()) {
            self.ordering(table, query.ordering_embed(relation)?)?;
        }
        for item in &query.items {
            let Item::Embed(embed) = item else { continue };
            self.check(&self.embedded(table, embed)?.to, &embed.query)?;
        }
        Ok(())
    }

    /// Whether a query on a table gives one group whatever there is: it aggregates, itself or by one row that
    /// is spread into it, and names nothing to group by.
    pub fn is_one_group(&self, table: &TableName, query: &Query) -> bool {
        let hoisted = |embed: &Embed| {
            let one = self.embedded(table, embed).ok().filter(|found| embed.spread && found.to_one);
            one.is_some_and(|found| self.is_one_group(&found.to, &embed.query))
        };
        let aggregates = |item: &Item| match item {
            Item::Count { .. } | Item::Column { aggregate: Some(_), .. } => true,
            Item::Embed(embed) => hoisted(embed),
            Item::All | Item::Column { .. } => false,
        };
        let is_silent = |item: &Item| matches!(item, Item::Embed(embed) if embed.shows_nothing());
        query.items.iter().any(aggregates)
            && query.items.iter().all(|item| aggregates(item) || is_silent(item))
    }
}
