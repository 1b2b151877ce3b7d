//! Plans kept by the shape of the request: what is the same but for its literals is planned once.
//!
//! A plan knows for each parameter which literal of the request it is and of which type. Literals
//! are found by where they lie in memory, so the planner need not know that it is watched; what it
//! derives from a literal is recognised nowhere, and such a plan is not kept.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Result, Type, Value};
use truststream_services::database::{PolicyCommand, Query, TableName};

use super::read::{Out, Source, Statement};
use super::shape::Shape;
use super::{Planner, checked, limits};
use crate::access::Access;
use crate::schema::Schema;
use crate::storage;

/// So many plans are kept; then it begins anew.
const MOST: usize = 2_000;

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The rows one by one.
    Rows,
    /// How many match; among sampled rows if the source is some.
    Count,
    /// The same, but no more than this.
    CountTo(u64),
    /// Row ids of what a write is about, and whether rows are wanted back.
    Targets(PolicyCommand, bool),
}

/// The plans of one schema.
#[derive(Debug, Default)]
pub(crate) struct Plans(RwLock<HashMap<Box<[u8]>, Arc<Plan>>>);

#[derive(Debug)]
struct Plan {
    sql: Arc<str>,
    fields: Arc<[Out]>,
    names: Arc<[String]>,
    slots: Vec<Slot>,
}

/// What a parameter is.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// The literal of this number, of a column's type.
    Text(usize, Type),
    /// The limit of the query of this number.
    Limit(usize),
    /// Its offset.
    Offset(usize),
    /// The rows that were written.
    Written,
    /// Part of the shape itself.
    Constant(Cell),
}

/// Notes what becomes of the literals of a request.
pub(super) struct Recorder<'q> {
    shape: &'q Shape<'q>,
    slots: Vec<Slot>,
    /// The literal behind the last one: most are met in their order.
    next: usize,
    sound: bool,
}

impl<'q> Recorder<'q> {
    fn new(shape: &'q Shape<'q>) -> Self {
        Recorder { shape, slots: Vec::new(), next: 0, sound: true }
    }

    pub(super) fn constant(&mut self, cell: &Cell) {
        self.slots.push(Slot::Constant(cell.clone()));
    }

    pub(super) fn written(&mut self) {
        self.slots.push(Slot::Written);
    }

    pub(super) fn literal(&mut self, ty: &Type, text: &str) {
        let same = |one: &&str| one.as_ptr() == text.as_ptr() && one.len() == text.len();
        let texts = &self.shape.texts;
        let next = texts.get(self.next).filter(|one| same(one)).map(|_| self.next);
        match next.or_else(|| texts.iter().position(same)) {
            // Empty texts lie nowhere.
            Some(at) if !text.is_empty() => {
                self.slots.push(Slot::Text(at, ty.clone()));
                self.next = at + 1;
            }
            _ => self.sound = false,
        }
    }

    pub(super) fn page(&mut self, query: &Query, slot: fn(usize) -> Slot) {
        match self.shape.queries.iter().position(|one| std::ptr::eq(*one, query)) {
            Some(at) => self.slots.push(slot(at)),
            None => self.sound = false,
        }
    }
}

/// A statement for a request, planned or kept from one of the same shape.
pub(crate) fn statement(
    schema: &Schema,
    cx: &Context,
    purpose: Purpose,
    (table, query): (&TableName, &Query),
    source: &Source,
) -> Result<Statement> {
    let shape = Shape::of(Access::of(cx).role(), purpose, (table, query), source);
    let kept = schema.plans.0.read().get(shape.key.as_slice()).map(Arc::clone);
    if let Some(plan) = kept {
        return plan.fill(schema, &shape, source);
    }
    limits::check(query)?;
    schema.table(table)?;
    schema.relations.told_apart(table, query)?;
    let mut planner = Planner::new(schema, cx);
    planner.access = planner.access.by_columns();
    planner.recorder = Some(Recorder::new(&shape));
    let (statement, recorder) = match purpose {
        Purpose::Rows => planner.rows(table, query, source)?,
        Purpose::Count => planner.count((table, query), source, None)?,
        Purpose::CountTo(most) => planner.count((table, query), source, Some(most))?,
        Purpose::Targets(command, returns) => planner.targets((table, query), command, returns)?,
    };
    if let Some(recorder) = recorder.filter(|recorder| recorder.sound) {
        let plan = Plan {
            sql: Arc::clone(&statement.sql),
            fields: Arc::clone(&statement.fields),
            names: Arc::clone(&statement.names),
            slots: recorder.slots,
        };
        let mut plans = schema.plans.0.write();
        if plans.len() >= MOST {
            plans.clear();
        }
        plans.insert(shape.key.into_boxed_slice(), Arc::new(plan));
    }
    Ok(statement)
}

impl Plan {
    fn fill(&self, schema: &Schema, shape: &Shape<'_>, source: &Source) -> Result<Statement> {
        let number = |number: u64| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let parameters = self
            .slots
            .iter()
            .map(|slot| {
                Ok(match slot {
                    Slot::Text(at, ty) => {
                        storage::cell(&checked(schema, ty, Value::parse(ty, shape.texts[*at])?)?)?
                    }
                    Slot::Limit(at) => number(shape.queries[*at].limit.unwrap_or(u64::MAX)),
                    Slot::Offset(at) => number(shape.queries[*at].offset),
                    Slot::Written => source.cell(),
                    Slot::Constant(cell) => cell.clone(),
                })
            })
            .collect::<Result<_>>()?;
        let (fields, names) = (Arc::clone(&self.fields), Arc::clone(&self.names));
        Ok(Statement { sql: Arc::clone(&self.sql), parameters, fields, names })
    }
}
