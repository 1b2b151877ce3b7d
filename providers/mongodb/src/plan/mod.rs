//! Requests as aggregation pipelines: one a request, whatever it embeds.

mod embed;
mod field;
mod filter;
mod group;
mod guard;
mod order;
mod place;
mod read;

use mongodb::bson::Document;
use truststream_kernel::{Context, Result};
use truststream_services::database::{PolicyCommand, Query, TableName};

use crate::access::Access;
use crate::names;
use crate::schema::Schema;

pub(crate) use field::{step_into, text_of};
pub(crate) use filter::is_condition;
pub(crate) use guard::Condition;
pub(crate) use place::Place;
pub(crate) use read::{Out, Shape, Source};

/// A pipeline on a collection.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) collection: String,
    pub(crate) stages: Vec<Document>,
}

/// Plans one request.
pub(crate) struct Planner<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) cx: &'a Context,
    pub(crate) access: Access<'a>,
    made: usize,
    /// Rows are counted: which match, whatever page is wanted of them.
    counting: bool,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(schema: &'a Schema, cx: &'a Context) -> Self {
        Planner { schema, cx, access: Access::of(cx), made: 0, counting: false }
    }

    /// A field that no column has.
    pub(crate) fn temporary(&mut self) -> String {
        self.made += 1;
        format!("%{}", self.made)
    }

    /// A variable that no other has.
    pub(crate) fn variable(&mut self) -> String {
        self.made += 1;
        format!("v{}", self.made)
    }

    /// The rows that a query takes, and what their documents hold.
    pub(crate) fn read(
        &mut self,
        table: &TableName,
        query: &Query,
        source: &Source<'_>,
    ) -> Result<(Plan, Shape)> {
        let (mut stages, query) = match source {
            Source::Table => (self.guarded(table, PolicyCommand::Select)?, query.clone()),
            Source::Rows(ids) => {
                self.schema.table(table)?;
                (read::picked(ids), Query { filter: None, limit: None, offset: 0, ..query.clone() })
            }
        };
        let level = self.level(&Place::of(table), &query)?;
        stages.extend(level.stages);
        Ok((Plan { collection: names::collection(table), stages }, level.shape))
    }

    /// How many rows match, whatever the page; no document if there is none.
    pub(crate) fn count(&mut self, table: &TableName, query: &Query) -> Result<Plan> {
        let mut stages = self.guarded(table, PolicyCommand::Select)?;
        self.counting = true;
        stages.extend(self.conditions(&Place::of(table), query)?);
        self.counting = false;
        stages.push(mongodb::bson::doc! { "$count": "n" });
        Ok(Plan { collection: names::collection(table), stages })
    }

    /// The stored rows that a write is about: what the query matches and the caller may see and
    /// change.
    pub(crate) fn targets(
        &mut self,
        table: &TableName,
        query: &Query,
        command: PolicyCommand,
    ) -> Result<Plan> {
        let mut stages = self.guarded(table, command)?;
        // What is not filtered and not returned need not be readable.
        if query.filter.is_some() || !query.items.is_empty() {
            stages.extend(self.guarded(table, PolicyCommand::Select)?);
        }
        // What embeds demand decides what is shown of the rows, not which are written.
        let place = Place::of(table);
        if let Some(filter) = &query.filter {
            stages.extend(self.filtered(&place, query, filter)?);
        }
        stages.extend(self.ordered(&place, query)?);
        stages.push(read::without_temporaries(self.schema.table(table)?));
        Ok(Plan { collection: names::collection(table), stages })
    }
}
