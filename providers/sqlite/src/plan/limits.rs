//! How deep and wide a query may be: what SQLite can't plan is refused in words before it is tried.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Filter, Item, Operand, Query};

/// Embeds within embeds.
const EMBEDS_DEEP: usize = 16;
/// Embeds in all.
const EMBEDS: usize = 200;
/// Columns of one level.
const COLUMNS: usize = 480;
/// Conditions in all.
const CONDITIONS: usize = 4_000;
/// Conditions within conditions.
const CONDITIONS_DEEP: usize = 64;
/// Literals in all: SQLite's parameters.
const LITERALS: usize = 32_000;

/// Refuses a comparison with too many elements.
///
/// # Errors
/// PGRST100 with the limit.
pub(super) fn check_elements(count: usize) -> Result<()> {
    within(count, CONDITIONS, "elements to compare with")
}

#[derive(Default)]
struct Size {
    embeds: usize,
    conditions: usize,
    literals: usize,
}

/// Refuses a query that is too deep or too wide.
///
/// # Errors
/// PGRST100 with the limit, as what the URL language itself refuses.
pub(super) fn check(query: &Query) -> Result<()> {
    Size::default().level(query, 0)
}

impl Size {
    fn level(&mut self, query: &Query, depth: usize) -> Result<()> {
        within(depth, EMBEDS_DEEP, "levels of embedded resources")?;
        within(query.items.len(), COLUMNS, "items of one select list")?;
        within(query.order.len(), COLUMNS, "terms of one order")?;
        if let Some(filter) = &query.filter {
            self.filter(filter, 0)?;
        }
        for item in &query.items {
            if let Item::Embed(embed) = item {
                self.embeds += 1;
                within(self.embeds, EMBEDS, "embedded resources")?;
                self.level(&embed.query, depth + 1)?;
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter, depth: usize) -> Result<()> {
        within(depth, CONDITIONS_DEEP, "levels of conditions")?;
        match filter {
            Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(|one| self.filter(one, depth + 1)),
            Filter::Not(inner) => self.filter(inner, depth + 1),
            Filter::Compare(comparison) => {
                self.conditions += 1;
                self.literals += match &comparison.operand {
                    Operand::List(literals) => literals.len(),
                    Operand::Text(_) | Operand::Is(_) => 1,
                };
                within(self.conditions, CONDITIONS, "conditions")?;
                within(self.literals, LITERALS, "literals")
            }
        }
    }
}

fn within(count: usize, most: usize, what: &str) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    let message = format!("the query has too many {what}: at most {most} are allowed");
    Err(Error::new(ErrorKind::InvalidInput, "PGRST100", message))
}

/// Conditions joined by a word, in a tree that grows no deeper than SQLite's expressions may.
pub(super) fn joined(mut parts: Vec<String>, word: &str) -> String {
    /// So many are joined side by side.
    const WIDE: usize = 100;

    while parts.len() > WIDE {
        parts = parts.chunks(WIDE).map(|chunk| format!("({})", chunk.join(word))).collect();
    }
    parts.join(word)
}
