//! What a `from` brings: tables, views, sub-selects, functions, joined.

use mongodb::bson::{Document, doc};
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins,
};
use truststream_kernel::{Result, Type};
use truststream_services::database::PolicyCommand;

use super::frame::{Frame, Relation};
use super::query::lookup;
use super::select::Shown;
use super::{Translator, ident, unsupported};
use crate::internal;
use crate::names::{CATALOG, field};
use crate::plan::Place;
use crate::term::Want;

/// The pipeline of one thing in a `from`, and what its documents are.
pub(super) struct Brought {
    from: String,
    lets: Document,
    stages: Vec<Document>,
    relation: Relation,
}

/// A pipeline of one document that has nothing.
pub(super) fn one_row() -> (String, Vec<Document>) {
    (
        CATALOG.to_owned(),
        vec![doc! { "$match": { "_id": internal::CURRENT } }, doc! { "$project": { "_id": 1 } }],
    )
}

impl Translator<'_, '_> {
    /// Begins the innermost frame with what is in a `from`, and gives the collection it begins with.
    pub(super) fn from(&mut self, from: &[TableWithJoins]) -> Result<String> {
        let Some((first, rest)) = from.split_first() else {
            let (collection, stages) = one_row();
            self.top().stages = stages;
            return Ok(collection);
        };
        let from = self.begun(first)?;
        for more in rest {
            self.beside(&more.relation, None, false)?;
            for join in &more.joins {
                self.join(join)?;
            }
        }
        Ok(from)
    }

    /// Begins the frame with one thing and what is joined to it, which may stand in parentheses.
    fn begun(&mut self, table: &TableWithJoins) -> Result<String> {
        let from = match &table.relation {
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.begun(table_with_joins)?,
            relation => {
                let brought = self.brought(relation)?;
                let top = self.top();
                top.stages = brought.stages;
                top.relations.push(brought.relation);
                brought.from
            }
        };
        table.joins.iter().try_for_each(|join| self.join(join))?;
        Ok(from)
    }

    fn join(&mut self, join: &Join) -> Result<()> {
        let (constraint, left) = match &join.join_operator {
            JoinOperator::Join(on) | JoinOperator::Inner(on) => (Some(on), false),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (Some(on), true),
            JoinOperator::CrossJoin(_) => (None, false),
            _ => return Err(unsupported("this kind of join: write it as a left join", join)),
        };
        match constraint {
            None | Some(JoinConstraint::None) => self.beside(&join.relation, None, left),
            Some(JoinConstraint::On(on)) => self.beside(&join.relation, Some(on), left),
            Some(_) => Err(unsupported("this join: say with \"on\" which columns are equal", join)),
        }
    }

    /// Rows beside those that are there.
    fn beside(&mut self, factor: &TableFactor, on: Option<&Expr>, outer: bool) -> Result<()> {
        let key = self.planner.temporary();
        let Brought { from, mut lets, mut stages, relation } = self.brought(factor)?;
        if let Some(on) = on {
            self.frames.push(Frame::of(relation.clone()));
            let condition = self.truth(on, Want::True);
            let frame = self.frames.pop().unwrap_or_default();
            lets.extend(frame.lets);
            stages.extend(frame.stages);
            stages.push(doc! { "$match": { "$expr": condition? } });
        }
        let top = self.top();
        top.stages.push(lookup(from, lets, stages, &key));
        top.stages
            .push(doc! { "$unwind": { "path": format!("${key}"), "preserveNullAndEmptyArrays": outer } });
        top.relations.push(Relation { prefix: format!("{key}."), ..relation });
        Ok(())
    }

    fn brought(&mut self, factor: &TableFactor) -> Result<Brought> {
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, .. } => {
                let table = self.table_named(name);
                let called = alias.as_ref().map_or_else(|| table.name.clone(), |alias| ident(&alias.name));
                let plain = name.0.len() == 1;
                let with = self.named.iter().rposition(|(one, _)| plain && *one == table.name);
                if let Some(at) = with {
                    let query = self.named[at].1.clone();
                    let later = self.named.split_off(at);
                    let rows = self.derived(&query, called, alias.as_ref());
                    self.named.extend(later);
                    return rows;
                }
                let part = self.catalog().partition(&table);
                let of = part.map_or(&table, |(divided, _)| divided);
                let mut relation = self.relation_of(&Place::of(of), &called)?;
                let origin = match part {
                    Some((divided, partition)) => {
                        self.planner.partition(divided, partition, &[PolicyCommand::Select])?
                    }
                    None => self.planner.origin(&table, PolicyCommand::Select)?,
                };
                if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                    return Err(unsupported("other names of a table's columns", factor));
                }
                relation.name = called;
                Ok(Brought {
                    from: origin.collection,
                    lets: Document::new(),
                    stages: origin.stages,
                    relation,
                })
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality: false, .. } => {
                let function = self.function_named(name);
                let called = alias.as_ref().map_or_else(|| function.name.clone(), |alias| ident(&alias.name));
                let arguments = arguments_of(args)?;
                if function.name == "unnest" && arguments.len() == 1 {
                    return self.unnested(&arguments[0], called, alias.as_ref());
                }
                let (rows, scalar) = self.rows_of_call(&function, &arguments, &called, factor)?;
                let mut columns = rows.columns;
                if let (Some(alias), true) = (alias, scalar)
                    && let Some(column) = alias.columns.first()
                    && ident(&column.name) != columns[0].0
                {
                    return Err(unsupported("another name of a function's column", factor));
                }
                let relation =
                    Relation { name: called, columns: std::mem::take(&mut columns), prefix: String::new() };
                Ok(Brought { from: rows.from, lets: rows.lets, stages: rows.stages, relation })
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                self.derived(subquery, ident(&alias.name), Some(alias))
            }
            other => Err(unsupported("this in a from", other)),
        }
    }

    fn derived(
        &mut self,
        query: &sqlparser::ast::Query,
        name: String,
        alias: Option<&TableAlias>,
    ) -> Result<Brought> {
        let names: Vec<String> =
            alias.iter().flat_map(|alias| &alias.columns).map(|column| ident(&column.name)).collect();
        let rows = self.query(query, if names.is_empty() { Shown::Own } else { Shown::Named(&names) })?;
        let relation = Relation { name, columns: rows.columns, prefix: String::new() };
        Ok(Brought { from: rows.from, lets: rows.lets, stages: rows.stages, relation })
    }

    /// `unnest(array) as name`
    fn unnested(&mut self, array: &Expr, name: String, alias: Option<&TableAlias>) -> Result<Brought> {
        // A frame of its own: what the array is made of is handed in.
        self.frames.push(Frame::default());
        let term = self.value(array, None);
        let frame = self.frames.pop().unwrap_or_default();
        let term = term?;
        let Type::Array(element) = &term.ty else {
            return Err(unsupported("elements of what is no array", array));
        };
        let column = alias.and_then(|alias| alias.columns.first());
        let column = column.map_or_else(|| name.clone(), |column| ident(&column.name));
        let (from, mut stages) = one_row();
        stages.extend(frame.stages);
        let key = field(&column);
        stages.push(doc! { "$project": { "_id": 0, &key: term.expr } });
        stages.push(doc! { "$unwind": format!("${key}") });
        let relation =
            Relation { name, columns: vec![(column, element.as_ref().clone())], prefix: String::new() };
        Ok(Brought { from, lets: frame.lets, stages, relation })
    }
}

/// The arguments of a function in a `from`.
fn arguments_of(args: &TableFunctionArgs) -> Result<Vec<Expr>> {
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        other => Err(unsupported("this argument", other)),
    };
    args.args.iter().map(argument).collect()
}
