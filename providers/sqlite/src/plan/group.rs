//! Aggregates.

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Aggregate, AggregateFunction, Item, Query, errors};
use truststream_sql::quote::quote;

use super::field::{Term, rank, unrank};
use super::part::Part;
use super::read::{Level, Out};
use super::represented::Key;
use super::{Planner, Scope};
use crate::collation;

impl Planner<'_> {
    /// The groups of parts of which some are aggregates, as a level of its own.
    pub(super) fn groups(
        &mut self,
        scope: &Scope,
        query: &Query,
        parts: Vec<Part>,
        (from, tied): (&str, &str),
    ) -> Result<Level> {
        self.check_orders(scope, query)?;
        let (mut selected, mut keys, mut terms) = (Vec::new(), Vec::new(), Vec::new());
        for (at, part) in parts.into_iter().enumerate() {
            let term = match &part.aggregate {
                Some(aggregate) => {
                    let term = self.aggregated(&part.term, aggregate)?;
                    self.cast(term, aggregate.cast.as_ref())?
                }
                None => {
                    match &part.key {
                        None => {
                            self.refuse_loose(&part.term)?;
                            // The number of a result column stands for its expression and its collation.
                            keys.push((at + 1).to_string());
                        }
                        Some(Key::Of(key)) => keys.push(format!("{}{}", key.sql, collation::sql(&key.ty))),
                        Some(Key::Nothing) => return Err(no_equality(&part.term.ty)),
                    }
                    let sql = format!("{}{}", part.term.sql, collation::sql(&part.term.ty));
                    Term { sql, ..part.term }
                }
            };
            selected.push(format!("{} AS c{at}", term.sql));
            terms.push((part.name, term.ty));
        }
        let grouped = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
        let order = self.order(scope, query)?;
        let page = self.page(query);
        let alias = self.scope(&scope.table).alias;
        let selected = selected.join(", ");
        let from = format!("(SELECT {selected} FROM {from} WHERE {tied}{grouped}{order}{page}) AS {alias}");
        let fields = terms.into_iter().enumerate().map(|(at, (name, ty))| {
            Out::new(self.schema, name, Term { sql: format!("{alias}.{}", quote(&format!("c{at}"))), ty })
        });
        Ok(Level::new(fields.collect(), from))
    }

    /// Groups are ordered only by what they are grouped by.
    fn check_orders(&self, scope: &Scope, query: &Query) -> Result<()> {
        for order in query.order.iter().filter(|order| order.relation.is_none()) {
            let key = query.items.iter().any(|item| match item {
                Item::All => true,
                Item::Column { field, aggregate: None, .. } => field.name == order.field.name,
                _ => false,
            });
            if !key {
                let column = format!("{}.{}", scope.table.name, order.field.name);
                let message = format!(
                    "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function"
                );
                return Err(Error::new(ErrorKind::InvalidInput, "42803", message));
            }
        }
        Ok(())
    }

    /// Refuses groups by what is equal in more than one text.
    fn refuse_loose(&self, term: &Term) -> Result<()> {
        match self.schema.composite(&term.ty) {
            Some(composite) if !composite.is_told_by_text() => {
                Err(Error::unsupported(format!("this database has no groups by values of type {}", term.ty)))
            }
            _ => Ok(()),
        }
    }

    fn aggregated(&self, term: &Term, aggregate: &Aggregate) -> Result<Term> {
        let sql = &term.sql;
        let name = aggregate.function.name();
        let none = || errors::no_aggregate(name, &term.ty);
        let float = matches!(term.ty, Type::Float4 | Type::Float8);
        let numeric = Type::Numeric(None);
        let (sql, ty) = match aggregate.function {
            AggregateFunction::Count => (format!("count({sql})"), Type::Int8),
            AggregateFunction::Max | AggregateFunction::Min
                if matches!(term.ty, Type::Array(_)) && self.ranked(sql, &term.ty).is_some() =>
            {
                return Err(Error::unsupported(format!("this database has no {name} of arrays of enums")));
            }
            AggregateFunction::Max | AggregateFunction::Min if !has_extremes(&term.ty) => return Err(none()),
            AggregateFunction::Max | AggregateFunction::Min => {
                let sql = match self.schema.labels(&term.ty) {
                    Some(labels) => unrank(&format!("{name}({})", rank(sql, labels)), labels),
                    None => format!("{name}({sql}{})", collation::sql(&term.ty)),
                };
                (sql, term.ty.clone())
            }
            AggregateFunction::Sum | AggregateFunction::Avg
                if matches!(term.ty, Type::Interval | Type::Time) =>
            {
                (format!("ts_interval_{name}({sql})"), Type::Interval)
            }
            _ if !term.ty.is_number() => return Err(none()),
            AggregateFunction::Sum if float => (format!("sum({sql})"), term.ty.clone()),
            AggregateFunction::Sum if matches!(term.ty, Type::Int2 | Type::Int4) => {
                (format!("sum({sql})"), Type::Int8)
            }
            AggregateFunction::Sum => (format!("ts_sum({sql})"), numeric),
            AggregateFunction::Avg if float => (format!("avg({sql})"), Type::Float8),
            AggregateFunction::Avg => (format!("ts_avg({sql})"), numeric),
        };
        Ok(Term { sql, ty })
    }
}

fn no_equality(ty: &Type) -> Error {
    let message = format!("could not identify an equality operator for type {ty}");
    Error::new(ErrorKind::InvalidInput, "42883", message)
}

/// Whether PostgreSQL has `min` and `max` of a type.
fn has_extremes(ty: &Type) -> bool {
    !matches!(ty, Type::Bool | Type::Uuid | Type::Bytes | Type::Json | Type::Jsonb | Type::Other(_))
}
