//! Orders.

use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Nulls, Query};

use super::cache::Slot;
use super::{Planner, Scope};

impl Planner<'_> {
    /// `ORDER BY …`, or nothing.
    pub(super) fn order(&mut self, scope: &Scope, query: &Query) -> Result<String> {
        let mut terms = Vec::with_capacity(query.order.len());
        for order in &query.order {
            let term = match &order.relation {
                None => self.term(scope, &order.field)?,
                Some(name) => {
                    let embed = query.ordering_embed(name)?;
                    self.embed_field(scope, embed, &order.field)?
                }
            };
            if term.ty == Type::Json {
                let message = "could not identify an ordering operator for type json";
                return Err(Error::new(ErrorKind::InvalidInput, "42883", message)
                    .with_hint("Use an explicit ordering operator or modify the query."));
            }
            if self.schema.composite(&term.ty).is_some() {
                let message = format!("this database has no order of values of type {}", term.ty);
                return Err(Error::unsupported(message));
            }
            // PostgreSQL takes null for the largest value.
            let nulls = order.nulls.unwrap_or(if order.descending { Nulls::First } else { Nulls::Last });
            let direction = if order.descending { "DESC" } else { "ASC" };
            let nulls = if nulls == Nulls::First { "FIRST" } else { "LAST" };
            terms.push(format!("{} {direction} NULLS {nulls}", self.comparable(&term)));
        }
        Ok(if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) })
    }

    /// `LIMIT … OFFSET …`, or nothing.
    pub(super) fn page(&mut self, query: &Query) -> String {
        let limit = |planner: &mut Self, limit: u64| planner.bound(query, limit, Slot::Limit);
        let offset = |planner: &mut Self| planner.bound(query, query.offset, Slot::Offset);
        match (query.limit, query.offset) {
            (None, 0) => String::new(),
            (None, _) => format!(" LIMIT -1 OFFSET {}", offset(self)),
            (Some(most), 0) => format!(" LIMIT {}", limit(self, most)),
            (Some(most), _) => {
                let most = limit(self, most);
                format!(" LIMIT {most} OFFSET {}", offset(self))
            }
        }
    }

    fn bound(&mut self, query: &Query, number: u64, slot: fn(usize) -> Slot) -> String {
        if let Some(recorder) = &mut self.recorder {
            recorder.page(query, slot);
        }
        self.push(Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}
