//! Policies as conditions on documents.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Partition, PolicyCommand, TableName};

use super::{Place, Planner};
use crate::access::Rule;
use crate::sql::Translator;
use crate::term::{Want, all, any};

/// An expression, and the stages that make the fields it reads.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) stages: Vec<Document>,
    pub(crate) expr: Bson,
}

impl Condition {
    /// The stages that keep the documents it holds for.
    pub(crate) fn kept(self) -> Vec<Document> {
        let mut stages = self.stages;
        if self.expr != Bson::Boolean(true) {
            stages.push(doc! { "$match": { "$expr": self.expr } });
        }
        stages
    }
}

impl Planner<'_> {
    /// The stages that leave the rows that are open to a command of the caller.
    ///
    /// # Errors
    /// 42501 if the table is closed to the caller; PGRST205 if there is none.
    pub(crate) fn guarded(&mut self, table: &TableName, command: PolicyCommand) -> Result<Vec<Document>> {
        Ok(self.using(table, command)?.map(Condition::kept).unwrap_or_default())
    }

    /// The condition on existing rows; `None` if all are open.
    ///
    /// # Errors
    /// Those of [`Planner::guarded`].
    pub(crate) fn using(&mut self, table: &TableName, command: PolicyCommand) -> Result<Option<Condition>> {
        let rule = self.access.using(self.schema, table, command)?;
        self.condition(table, rule)
    }

    /// The condition on new rows; `None` if all are open.
    ///
    /// # Errors
    /// Those of [`Planner::guarded`].
    pub(crate) fn check(&mut self, table: &TableName, command: PolicyCommand) -> Result<Option<Condition>> {
        let rule = self.access.check(self.schema, table, command)?;
        self.condition(table, rule)
    }

    /// The condition on existing or new rows of a partition by its own name; `None` if all are open.
    ///
    /// # Errors
    /// 42501 if it is closed to the caller.
    pub(crate) fn of_partition(
        &mut self,
        (table, partition): (&TableName, &Partition),
        kind: (PolicyCommand, bool),
    ) -> Result<Option<Condition>> {
        let rule = self.access.of_partition(partition, kind)?;
        self.condition(table, rule)
    }

    fn condition(&mut self, table: &TableName, rule: Rule<'_>) -> Result<Option<Condition>> {
        let Rule::Policies { permissive, restrictive } = rule else { return Ok(None) };
        let (outer, caller) = (self.access, self.caller);
        self.access = outer.deeper(table)?;
        // Only who is bound by policies gets here.
        self.caller = self.access;
        let made = self.combined(table, &permissive, &restrictive);
        (self.access, self.caller) = (outer, caller);
        made.map(Some)
    }

    fn combined(
        &mut self,
        table: &TableName,
        permissive: &[Option<&str>],
        restrictive: &[Option<&str>],
    ) -> Result<Condition> {
        let (mut stages, place) = (Vec::new(), Place::of(table));
        let mut one = |planner: &mut Self, text: &Option<&str>| match text {
            None => Ok(Bson::Boolean(true)),
            Some(text) => {
                let condition = Translator::condition(planner, &place, text, Want::True)?;
                stages.extend(condition.stages);
                Ok::<_, Error>(condition.expr)
            }
        };
        let admitted = permissive.iter().map(|text| one(self, text)).collect::<Result<Vec<_>>>()?;
        let mut conditions = vec![any(admitted)];
        for text in restrictive {
            conditions.push(one(self, text)?);
        }
        Ok(Condition { stages, expr: all(conditions) })
    }
}
