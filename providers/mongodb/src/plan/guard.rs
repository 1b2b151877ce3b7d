//! Policies as conditions on documents.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Partition, PolicyCommand, TableName};
use truststream_sql::grants::{Demand, violated};

use super::{Place, Planner};
use crate::access::Rule;
use crate::sql::Translator;
use crate::term::{Want, all, any, constant};

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

/// What policies ask of a row one after another, and the stages that make the fields it reads.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    stages: Vec<Document>,
    asked: Vec<(Option<String>, Bson)>,
}

impl Demands {
    fn together(self) -> Condition {
        let asked = self.asked.into_iter().map(|(_, condition)| condition);
        Condition { stages: self.stages, expr: all(asked.collect()) }
    }

    /// The stages, and what they lead to: true of a row that meets all; of another the name of the policy that
    /// refuses it first, or false where none does alone.
    pub(crate) fn verdict(self) -> (Vec<Document>, Bson) {
        let last = |rest: Bson, (policy, condition): (Option<String>, Bson)| {
            let refused = policy.map_or(Bson::Boolean(false), constant);
            doc! { "$cond": [condition, rest, refused] }.into()
        };
        (self.stages, self.asked.into_iter().rev().fold(Bson::Boolean(true), last))
    }
}

/// The error of a row that policies refuse by a verdict; `existing` of one that an upsert would change.
pub(crate) fn refused_by(verdict: Option<&Bson>, name: &TableName, existing: bool) -> Option<Error> {
    match verdict {
        None | Some(Bson::Boolean(true)) => None,
        Some(Bson::String(policy)) => Some(violated(name, Some(policy), existing)),
        Some(_) => Some(violated(name, None, existing)),
    }
}

impl Planner<'_> {
    /// What policies ask of rows that a statement calls by a table's name or a partition's, existing or new
    /// ones; `None` if all are open.
    ///
    /// # Errors
    /// Those of [`Planner::guarded`].
    pub(crate) fn demands(
        &mut self,
        (table, partition): (&TableName, Option<&Partition>),
        kinds: &[(PolicyCommand, bool)],
    ) -> Result<Option<Demands>> {
        let mut all: Option<Demands> = None;
        for (command, new) in kinds {
            let rule = match partition {
                Some(partition) => self.access.of_partition(partition, (*command, *new))?,
                None if *new => self.access.check(self.schema, table, *command)?,
                None => self.access.using(self.schema, table, *command)?,
            };
            if let Some(Demands { stages, asked }) = self.asked_of(table, rule)? {
                let all = all.get_or_insert_default();
                all.stages.extend(stages);
                all.asked.extend(asked);
            }
        }
        Ok(all)
    }

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
        self.asked_of(table, rule).map(|asked| asked.map(Demands::together))
    }

    fn asked_of(&mut self, table: &TableName, rule: Rule<'_>) -> Result<Option<Demands>> {
        let Rule::Policies(demands) = rule else { return Ok(None) };
        let (outer, caller) = (self.access, self.caller);
        self.access = outer.deeper(table)?;
        // Only who is bound by policies gets here.
        self.caller = self.access;
        let made = self.one_by_one(table, demands);
        (self.access, self.caller) = (outer, caller);
        made.map(Some)
    }

    fn one_by_one(&mut self, table: &TableName, demands: Vec<Demand<'_>>) -> Result<Demands> {
        let (mut made, place) = (Demands::default(), Place::of(table));
        for Demand { policy, any: parts } in demands {
            let mut admitted = Vec::with_capacity(parts.len());
            for part in parts {
                admitted.push(match part {
                    None => Bson::Boolean(true),
                    Some(text) => {
                        let condition = Translator::condition(self, &place, text, Want::True)?;
                        made.stages.extend(condition.stages);
                        condition.expr
                    }
                });
            }
            made.asked.push((policy.map(str::to_owned), any(admitted)));
        }
        Ok(made)
    }
}
