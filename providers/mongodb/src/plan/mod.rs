//! Requests as aggregation pipelines: one a request, whatever it embeds.

mod embed;
mod field;
mod filter;
mod group;
mod guard;
mod order;
mod place;
mod printed;
mod read;
mod shown;

use std::collections::HashMap;

use mongodb::bson::Document;
use truststream_kernel::{Context, Result};
use truststream_services::database::{PolicyCommand, Query, TableKind, TableName};
use truststream_sql::updatable;

use crate::access::Access;
use crate::judge::{Asked, Judged};
use crate::names;
use crate::schema::Schema;

pub(crate) use field::step_into;
pub(crate) use filter::{is_condition, no_operator};
pub(crate) use group::{has_extremes, sum_type};
pub(crate) use guard::{Condition, refused_by};
pub(crate) use order::{Sort, orderable};
pub(crate) use place::Place;
pub(crate) use printed::text_of;
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
    /// Who asks, where what is planned is a view's with the rights of its owner.
    pub(crate) caller: Access<'a>,
    /// How many views led here.
    pub(crate) views: usize,
    /// What functions set in this transaction.
    pub(crate) settings: Option<&'a HashMap<String, String>>,
    /// Nothing is asked: it is only tried whether it could be.
    pub(crate) trial: bool,
    /// What was judged beforehand.
    pub(crate) known: Option<&'a Judged>,
    /// Where checks are planned, what is judged of each row in process.
    pub(crate) asked: Option<Vec<Asked>>,
    made: usize,
    /// Rows that are spread into those of a place, with the names of their embeds.
    spread: Vec<(Place, String, Place)>,
    /// Rows are counted: which match, whatever page is wanted of them.
    counting: bool,
    /// The table that a view is written through without reading it, until the view names it: which of its
    /// rows are open the command says.
    unread: Option<TableName>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(schema: &'a Schema, cx: &'a Context) -> Self {
        Planner {
            schema,
            cx,
            access: Access::of(cx),
            caller: Access::of(cx),
            views: 0,
            settings: None,
            trial: false,
            known: None,
            asked: None,
            made: 0,
            spread: Vec::new(),
            counting: false,
            unread: None,
        }
    }

    /// The same for the owner of all, where that is who asks.
    pub(crate) fn owned(mut self, owner: bool) -> Self {
        if owner {
            self.access = self.access.owner();
            self.caller = self.caller.owner();
        }
        self
    }

    /// The same with what was judged beforehand and set before.
    pub(crate) fn knowing(self, known: &'a Judged, settings: &'a HashMap<String, String>) -> Self {
        Planner { known: Some(known), settings: Some(settings), ..self }
    }

    /// The same where rights on single columns count, or no more.
    pub(crate) fn by_columns(mut self, by_columns: bool) -> Self {
        self.access = self.access.by_columns(by_columns);
        self
    }

    /// The same for a plan that is only tried.
    pub(crate) fn trying(self) -> Self {
        Planner { trial: true, ..self }
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

    /// The rows of a table or view that are open to a command.
    ///
    /// # Errors
    /// 42501 if it is closed to the caller; PGRST205 if there is none.
    pub(crate) fn origin(&mut self, table: &TableName, command: PolicyCommand) -> Result<Plan> {
        if self.unread.as_ref() == Some(table) {
            self.unread = None;
            return Ok(Plan { collection: names::collection(table), stages: Vec::new() });
        }
        let stages = self.guarded(table, command)?;
        match self.schema.table(table)?.kind {
            TableKind::Table => Ok(Plan { collection: names::collection(table), stages }),
            TableKind::View { .. } => self.view(table, true),
        }
    }

    /// The rows that a query takes, and what their documents hold.
    pub(crate) fn read(
        &mut self,
        table: &TableName,
        query: &Query,
        source: &Source<'_>,
    ) -> Result<(Plan, Shape)> {
        self.schema.table(table)?;
        self.schema.relations.told_apart(table, query)?;
        let (mut plan, query) = match source {
            Source::Table => (self.origin(table, PolicyCommand::Select)?, query.clone()),
            Source::Rows(ids) => {
                let rows = match self.schema.table(table)?.kind {
                    TableKind::Table => Plan { collection: names::collection(table), stages: Vec::new() },
                    TableKind::View { .. } => self.view(table, false)?,
                };
                let stages = read::picked(ids).into_iter().chain(rows.stages).collect();
                let query = Query { filter: None, limit: None, offset: 0, ..query.clone() };
                (Plan { stages, ..rows }, query)
            }
        };
        let level = self.level(&Place::of(table), &query)?;
        plan.stages.extend(level.stages);
        Ok((plan, level.shape))
    }

    /// How many rows match, whatever the page; no document if there is none.
    pub(crate) fn count(&mut self, table: &TableName, query: &Query) -> Result<Plan> {
        let mut plan = self.origin(table, PolicyCommand::Select)?;
        plan.stages.extend(self.matching(&Place::of(table), query)?);
        plan.stages.push(mongodb::bson::doc! { "$count": "n" });
        Ok(plan)
    }

    /// The stages that keep what a query matches, whatever the page.
    pub(crate) fn matching(&mut self, place: &Place, query: &Query) -> Result<Vec<Document>> {
        self.counting = true;
        let stages = self.conditions(place, query);
        self.counting = false;
        stages
    }

    /// The stored rows that a write is about: what the query matches and the caller may see and
    /// change. Of a view they have the keys of its table's rows.
    pub(crate) fn targets(
        &mut self,
        table: &TableName,
        query: &Query,
        (command, returned): (PolicyCommand, bool),
    ) -> Result<Plan> {
        let is_view = self.schema.table(table)?.kind != TableKind::Table;
        // What is not filtered and not returned need not be readable.
        let reads = returned || query.picks();
        if is_view && !reads {
            self.unread = updatable::base(&self.schema.catalog, table).map(|base| base.table);
        }
        let mut plan = self.origin(table, command)?;
        if reads {
            plan.stages.extend(self.guarded(table, PolicyCommand::Select)?);
        }
        // What embeds demand decides what is shown of the rows, not which are written.
        let place = Place::of(table);
        if let Some(filter) = &query.filter {
            plan.stages.extend(self.filtered(&place, &Query::default(), filter)?);
        }
        plan.stages.extend(self.ordered(&place, query)?);
        plan.stages.push(match is_view {
            true => mongodb::bson::doc! { "$project": { "_id": 1 } },
            false => read::without_temporaries(self.schema.table(table)?),
        });
        Ok(plan)
    }

    /// The rows of a table or view that a query matches, with all their columns.
    pub(crate) fn whole(&mut self, table: &TableName, query: &Query) -> Result<Plan> {
        let (mut plan, place) = (self.origin(table, PolicyCommand::Select)?, Place::of(table));
        if let Some(filter) = &query.filter {
            plan.stages.extend(self.filtered(&place, query, filter)?);
        }
        plan.stages.extend(self.ordered(&place, query)?);
        plan.stages.push(read::without_temporaries(self.schema.table(table)?));
        Ok(plan)
    }

    /// Stored rows by their keys, as far as they are open to a command.
    pub(crate) fn picked(
        &mut self,
        table: &TableName,
        ids: &[mongodb::bson::Bson],
        command: PolicyCommand,
    ) -> Result<Plan> {
        let mut stages = read::picked(ids);
        stages.extend(self.guarded(table, command)?);
        stages.push(read::without_temporaries(self.schema.table(table)?));
        Ok(Plan { collection: names::collection(table), stages })
    }
}
