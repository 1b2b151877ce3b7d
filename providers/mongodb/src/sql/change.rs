//! Statements that write: which rows they are about, their new values, what is returned of them.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Query, SelectItem, Values};
use truststream_kernel::{Result, Type};
use truststream_services::database::{Column, Function, PolicyCommand, TableName, errors};

use super::frame::{Argument, Frame, Relation};
use super::select::{Rows, Shown, stored_form};
use super::{Translator, unsupported};
use crate::names::field;
use crate::partition::Target;
use crate::plan::{Place, Plan, Planner};
use crate::term::{Term, Want};

/// The rows that a statement changes.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) plan: Plan,
    /// Fields that have new values, each with its column.
    pub(crate) set: Vec<(String, String)>,
}

/// The type of a column without what is rounded to when it is written.
pub(crate) fn unbounded(ty: &Type) -> Type {
    match ty {
        Type::Numeric(_) => Type::Numeric(None),
        other => other.clone(),
    }
}

impl<'p, 'a> Translator<'p, 'a> {
    fn target(&self, (table, alias): (&TableName, &str)) -> Result<Relation> {
        self.relation_of(&Place::of(table), alias)
    }

    /// The rows of a target that are open to a command, and those it may read where it does.
    fn touched(&mut self, target: Target<'_>, command: PolicyCommand, reads: bool) -> Result<Plan> {
        if let Some(partition) = target.partition {
            let commands = [command, PolicyCommand::Select];
            return self.planner.partition(target.name, partition, &commands[..=usize::from(reads)]);
        }
        let mut plan = self.planner.origin(target.name, command)?;
        if reads {
            plan.stages.extend(self.planner.guarded(target.name, PolicyCommand::Select)?);
        }
        Ok(plan)
    }

    /// The rows that a statement of a function is about, and their new values.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated, 42501 where the table is closed to the caller.
    pub(crate) fn changes(
        planner: &'p mut Planner<'a>,
        function: &Function,
        arguments: &[Term],
        (target, alias): (Target<'_>, &str),
        (command, selection): (PolicyCommand, Option<&Expr>),
        set: &[(&Column, &Expr)],
    ) -> Result<Changes> {
        let mut translator = Translator::new(planner);
        let arguments = arguments.iter().cloned().map(Argument::Value).collect();
        translator.within(function, arguments, |body| {
            let reads = selection.is_some() || !set.is_empty();
            let mut plan = body.touched(target, command, reads)?;
            body.frames.push(Frame::of(body.target((target.name, alias))?));
            if let Some(selection) = selection {
                let condition = body.truth(selection, Want::True)?;
                body.top().push(doc! { "$match": { "$expr": condition } });
            }
            let mut kept = Document::new();
            for column in &target.table.columns {
                kept.insert(field(&column.name), 1);
            }
            let mut named = Vec::new();
            for (column, expr) in set {
                errors::refuse_changed(column)?;
                let term = body.value(expr, Some(&column.ty))?;
                let term = body.assigned(term, &unbounded(&column.ty))?;
                let key = body.planner.temporary();
                kept.insert(&key, stored_form(&term));
                named.push((key, column.name.clone()));
            }
            plan.stages.extend(body.frames.pop().map(|frame| frame.stages).unwrap_or_default());
            plan.stages.push(doc! { "$project": kept });
            Ok(Changes { plan, set: named })
        })
    }

    /// What a statement of a function returns of the rows it wrote.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn returning(
        planner: &'p mut Planner<'a>,
        function: &Function,
        arguments: &[Term],
        table: (&TableName, &str),
        items: &[SelectItem],
        columns: &[(String, Type)],
    ) -> Result<Vec<Document>> {
        let mut translator = Translator::new(planner);
        let arguments = arguments.iter().cloned().map(Argument::Value).collect();
        translator.within(function, arguments, |body| {
            body.frames.push(Frame::of(body.target(table)?));
            let shown = body.shown_columns(items, columns)?;
            let mut stages = body.frames.pop().map(|frame| frame.stages).unwrap_or_default();
            stages.push(doc! { "$project": shown });
            Ok(stages)
        })
    }

    /// `values (…), (…)`
    /// The columns of values that nothing declares: of the types of the first row.
    fn own_columns(&mut self, values: &Values, shown: Shown<'_>) -> Result<Vec<(String, Type)>> {
        let first = values.rows.first().map(|row| row.content.as_slice()).unwrap_or_default();
        let column = |(at, expr)| {
            let name = match shown {
                Shown::Named(names) => names.get(at).cloned(),
                _ => None,
            };
            let term = self.value(expr, None)?;
            Ok((name.unwrap_or_else(|| format!("column{}", at + 1)), term.ty))
        };
        first.iter().enumerate().map(column).collect()
    }

    pub(super) fn values(&mut self, values: &Values, query: &Query, shown: Shown<'_>) -> Result<Rows> {
        let own;
        let columns = match shown {
            Shown::Declared(columns) => columns,
            Shown::Own | Shown::Named(_) => {
                own = self.own_columns(values, shown)?;
                &own
            }
            _ => return Err(unsupported("values here", query)),
        };
        let (from, stages) = super::from::one_row();
        self.frames.push(Frame { stages, ..Frame::default() });
        let mut rows = Vec::new();
        for row in &values.rows {
            let mut made = Document::new();
            if row.content.len() != columns.len() {
                return Err(unsupported("values of another number of columns", query));
            }
            for (expr, (name, ty)) in row.content.iter().zip(columns) {
                let term = self.value(expr, Some(ty))?;
                made.insert(field(name), stored_form(&self.assigned(term, ty)?));
            }
            rows.push(Bson::Document(made));
        }
        let Frame { lets, mut stages, .. } = self.frames.pop().unwrap_or_default();
        stages.push(doc! { "$project": { "_id": 0, "r": rows } });
        stages.push(doc! { "$unwind": "$r" });
        stages.push(doc! { "$replaceRoot": { "newRoot": "$r" } });
        Ok(Rows { from, lets, stages, columns: columns.to_vec(), at_most_one: values.rows.len() < 2 })
    }
}
