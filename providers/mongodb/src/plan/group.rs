//! Aggregates.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Aggregate, AggregateFunction, Item, Query, TableName};

use super::read::{Level, Out, Shape, name_of};
use super::{Planner, order};
use crate::cast;
use crate::term::{Term, Want, constant, is_wide, narrow};

/// Whether a `select` list aggregates.
pub(super) fn aggregates(query: &Query) -> bool {
    query
        .items
        .iter()
        .any(|item| matches!(item, Item::Count { .. } | Item::Column { aggregate: Some(_), .. }))
}

#[derive(Default)]
struct Groups {
    keys: Document,
    accumulators: Document,
    projection: Document,
    fields: Vec<Out>,
    /// Terms grouped by, with their keys.
    terms: Vec<(Term, String)>,
}

impl Groups {
    fn accumulate(&mut self, key: &str, accumulator: Document, shown: impl Into<Bson>) {
        self.accumulators.insert(key, accumulator);
        self.projection.insert(key, shown.into());
    }
}

impl Planner<'_> {
    /// The groups of a query that aggregates, as a level of its own.
    pub(super) fn groups(&mut self, table: &TableName, query: &Query) -> Result<Level> {
        let mut groups = Groups::default();
        for item in &query.items {
            let key = format!("f{}", groups.fields.len());
            match item {
                Item::Count { alias, cast } => {
                    let one = doc! { "$sum": constant(1_i64) };
                    groups.accumulate(&key, one, format!("${key}"));
                    let name = alias.clone().unwrap_or_else(|| "count".to_owned());
                    let cast = self.target(cast.as_ref())?;
                    groups.fields.push(Out::Count { name, key, cast });
                }
                Item::Column { field, alias, cast, aggregate } => {
                    let term = self.term(table, field)?;
                    let cast = self.target(cast.as_ref())?.filter(|cast| *cast != term.ty);
                    match aggregate {
                        Some(aggregate) if cast.is_none() => {
                            let name = alias.clone();
                            let name = name.unwrap_or_else(|| function_name(aggregate.function).to_owned());
                            self.aggregated(&mut groups, (name, key), &term, aggregate)?;
                        }
                        Some(_) => {
                            return Err(Error::unsupported("this database does not aggregate what is cast"));
                        }
                        None => {
                            let name = alias.clone().unwrap_or_else(|| name_of(field));
                            let bare = matches!(term.ty, Type::Json | Type::Jsonb);
                            let stored = doc! { "$ifNull": [term.expr.clone(), Bson::Null] };
                            groups.keys.insert(&key, stored);
                            groups.projection.insert(&key, format!("$_id.{key}"));
                            groups.terms.push((term.clone(), key.clone()));
                            let ty = term.ty;
                            groups.fields.push(Out::Value { name, key, ty, bare, as_text: false, cast });
                        }
                    }
                }
                Item::All | Item::Embed(_) => {
                    return Err(Error::unsupported(
                        "this database does not aggregate beside embedded resources or all columns",
                    ));
                }
            }
        }
        self.finish(table, query, groups)
    }

    fn finish(&mut self, table: &TableName, query: &Query, groups: Groups) -> Result<Level> {
        let Groups { keys, mut accumulators, mut projection, fields, terms } = groups;
        let single_group = keys.is_empty();
        let id = if single_group { Bson::Null } else { Bson::Document(keys) };
        accumulators.insert("_id", id);
        let mut sort = order::Sort::default();
        for order in &query.order {
            let term = self.term(table, &order.field)?;
            let found = terms.iter().find(|(one, _)| one.expr == term.expr);
            let Some((_, key)) = found.filter(|_| order.relation.is_none()) else {
                let message = format!(
                    "column \"{}.{}\" must appear in the GROUP BY clause or be used in an aggregate function",
                    table.name, order.field.name
                );
                return Err(Error::new(ErrorKind::InvalidInput, "42803", message));
            };
            let grouped = Term::new(format!("$_id.{key}"), term.ty);
            let key = grouped.comparable(&self.schema.catalog);
            self.sort_by(&mut sort, order, key);
        }
        let mut stages = vec![doc! { "$group": accumulators }];
        stages.extend(sort.stages());
        stages.extend(order::page(query));
        projection.insert("_id", 0);
        stages.push(doc! { "$project": projection });
        Ok(Level { stages, shape: Shape { fields, single_group } })
    }

    fn target(&self, cast: Option<&String>) -> Result<Option<Type>> {
        cast.map(|cast| cast::target(&self.schema.catalog, cast)).transpose()
    }

    fn aggregated(
        &mut self,
        groups: &mut Groups,
        (name, key): (String, String),
        term: &Term,
        aggregate: &Aggregate,
    ) -> Result<()> {
        let expr = if is_wide(&term.ty) { narrow(&term.expr) } else { term.expr.clone() };
        let float = matches!(term.ty, Type::Float4 | Type::Float8);
        let cast = self.target(aggregate.cast.as_ref())?;
        let present = doc! { "$cond": [term.is_null(Want::False), constant(1_i64), constant(0_i64)] };
        let function = aggregate.function;
        match function {
            AggregateFunction::Count => {
                groups.accumulate(&key, doc! { "$sum": present }, format!("${key}"));
                groups.fields.push(Out::Count { name, key, cast });
            }
            AggregateFunction::Max | AggregateFunction::Min => {
                if !is_ordered(&term.ty) {
                    let shown = term.ty.sql_name();
                    let message = format!("function {}({shown}) does not exist", function_name(function));
                    return Err(Error::new(ErrorKind::InvalidInput, "42883", message));
                }
                let word = if function == AggregateFunction::Max { "$max" } else { "$min" };
                groups.accumulate(&key, Document::from_iter([(word.to_owned(), expr)]), format!("${key}"));
                groups.fields.push(out(name, key, term.ty.clone(), cast));
            }
            _ if !term.ty.is_number() => {
                let name = function_name(function);
                let message = format!("function {name}({}) does not exist", term.ty.sql_name());
                return Err(Error::new(ErrorKind::InvalidInput, "42883", message));
            }
            AggregateFunction::Avg if float => {
                groups.accumulate(&key, doc! { "$avg": expr }, format!("${key}"));
                groups.fields.push(out(name, key, Type::Float8, cast));
            }
            _ => {
                // Numbers are added as decimals: sums of integers have no bounds.
                let added = if float { expr } else { doc! { "$toDecimal": expr }.into() };
                let (sum, count) = (format!("{key}s"), format!("{key}n"));
                groups.accumulators.insert(&sum, doc! { "$sum": added });
                groups.accumulators.insert(&count, doc! { "$sum": present });
                let parts = doc! { "s": format!("${sum}"), "n": format!("${count}") };
                if function == AggregateFunction::Avg {
                    groups.projection.insert(&key, parts);
                    groups.fields.push(Out::Average { name, key, cast });
                    return Ok(());
                }
                let none = doc! { "$eq": [format!("${count}"), 0] };
                groups.projection.insert(&key, doc! { "$cond": [none, Bson::Null, format!("${sum}")] });
                let ty = match term.ty {
                    Type::Int2 | Type::Int4 => Type::Int8,
                    Type::Float4 | Type::Float8 => term.ty.clone(),
                    _ => Type::Numeric(None),
                };
                groups.fields.push(out(name, key, ty, cast));
            }
        }
        Ok(())
    }
}

/// Whether values sort in the engine as they are stored.
fn is_ordered(ty: &Type) -> bool {
    !matches!(ty, Type::Json | Type::Jsonb | Type::Bytes | Type::Bool | Type::Uuid | Type::Enum(_))
}

fn out(name: String, key: String, ty: Type, cast: Option<Type>) -> Out {
    Out::Value { name, key, ty, bare: false, as_text: false, cast }
}

fn function_name(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Avg => "avg",
        AggregateFunction::Count => "count",
        AggregateFunction::Max => "max",
        AggregateFunction::Min => "min",
        AggregateFunction::Sum => "sum",
    }
}
