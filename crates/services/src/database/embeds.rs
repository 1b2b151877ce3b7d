//! What a query says of its embeds, whatever plans it.

use truststream_kernel::Result;

use super::errors::not_embedded;
use super::{Embed, Item, Query};

impl Embed {
    /// Whether nothing of it appears in the reply: it is there to filter by.
    pub fn shows_nothing(&self) -> bool {
        self.query.items.iter().all(|item| matches!(item, Item::Embed(inner) if inner.shows_nothing()))
    }
}

impl Query {
    /// The embed that a filter names.
    pub fn embed(&self, name: &str) -> Option<&Embed> {
        self.items.iter().find_map(|item| match item {
            Item::Embed(embed) if embed.name() == name => Some(embed),
            _ => None,
        })
    }

    /// The embed that an order names.
    ///
    /// # Errors
    /// PGRST108 if there is none of the name.
    pub fn ordering_embed(&self, name: &str) -> Result<&Embed> {
        self.embed(name).ok_or_else(|| not_embedded(name))
    }

    /// Whether it gives one group whatever there is: it aggregates and names nothing to group by.
    pub fn is_one_group(&self) -> bool {
        let aggregates = |item: &Item| match item {
            Item::Count { .. } | Item::Column { aggregate: Some(_), .. } => true,
            Item::Embed(embed) => embed.spread && embed.query.is_one_group(),
            Item::All | Item::Column { .. } => false,
        };
        let is_silent = |item: &Item| matches!(item, Item::Embed(embed) if embed.shows_nothing());
        self.items.iter().any(aggregates) && self.items.iter().all(|item| aggregates(item) || is_silent(item))
    }
}
