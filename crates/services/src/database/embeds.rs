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
}
