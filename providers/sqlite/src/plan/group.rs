//! Aggregates.

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Aggregate, AggregateFunction, Item, Order, Query, errors};
use truststream_sql::quote::quote;

use super::field::{Term, rank, unrank};
use super::part::{Keys, Part};
use super::read::{Level, Out, name_of};
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
        let table = self.schema.table(&scope.table)?;
        let groups = Keys::of(table, &parts, scope.depth > 0 || !self.returned);
        let loose = parts.iter().filter(|part| part.meant(table).is_some() && part.aggregate.is_none());
        let loose = loose.filter_map(|part| part.origin.as_ref()).find(|origin| !groups.have(&origin.field));
        let loose = loose.map(|origin| errors::ungrouped(&scope.called().name, &origin.field.name));
        let (mut selected, mut keys, mut terms) = (Vec::new(), Vec::new(), Vec::new());
        for (at, mut part) in parts.into_iter().enumerate() {
            let term = match &part.aggregate {
                Some(aggregate) => {
                    let term = self.aggregated(&part.term, aggregate)?;
                    self.cast(term, aggregate.cast.as_ref())?
                }
                None => {
                    match (&part.key, part.meant(table)) {
                        (None, Some(column)) => {
                            let key = self.column(scope, column)?;
                            self.refuse_loose(&part, &key)?;
                            keys.push(format!("{}{}", key.sql, collation::sql(&key.ty)));
                        }
                        (None, None) => {
                            self.refuse_loose(&part, &part.term)?;
                            // What is embedded is equal as `jsonb` is.
                            if part.origin.is_none() && part.term.ty == Type::Json {
                                part.term.ty = Type::Jsonb;
                            }
                            // The number of a result column stands for its expression and its collation.
                            keys.push((at + 1).to_string());
                        }
                        (Some(Key::Of(key)), _) => {
                            keys.push(format!("{}{}", key.sql, collation::sql(&key.ty)))
                        }
                        (Some(Key::Nothing), _) => return Err(no_equality(&part.term.ty)),
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
        loose.map_or(Ok(()), Err)?;
        check_orders(scope, query, &groups)?;
        let page = self.page(query);
        let alias = self.scope(&scope.table).alias;
        let selected = selected.join(", ");
        let from = format!("(SELECT {selected} FROM {from} WHERE {tied}{grouped}{order}{page}) AS {alias}");
        let fields = terms.into_iter().enumerate().map(|(at, (name, ty))| {
            Out::new(self.schema, name, Term { sql: format!("{alias}.{}", quote(&format!("c{at}"))), ty })
        });
        Ok(Level::new(fields.collect(), from))
    }

    /// Refuses groups by what is equal to nothing, or in more than one text.
    fn refuse_loose(&self, part: &Part, term: &Term) -> Result<()> {
        if part.origin.is_some() && term.ty == Type::Json {
            return Err(no_equality(&term.ty));
        }
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

/// Refuses orders of groups by what they do not have in common.
///
/// # Errors
/// 42803, PGRST108.
fn check_orders(scope: &Scope, query: &Query, groups: &Keys) -> Result<()> {
    for Order { relation, field, .. } in &query.order {
        let Some(relation) = relation else {
            if !groups.have(field) {
                return Err(errors::ungrouped(&scope.called().name, &field.name));
            }
            continue;
        };
        let embed = query.ordering_embed(relation)?;
        if !embed.spread || !shows(&embed.query, &field.name) {
            let joined = format!("{}_{}_{}", scope.table.name, embed.name(), scope.depth + 1);
            return Err(errors::ungrouped(&joined, &field.name));
        }
    }
    Ok(())
}

/// Whether a spread gives a value of this name, by which its parent is grouped then.
fn shows(query: &Query, name: &str) -> bool {
    query.items.iter().any(|item| match item {
        Item::All => true,
        Item::Column { field, alias, aggregate: None, .. } => {
            alias.as_ref().map_or_else(|| name_of(field), String::clone) == name
        }
        Item::Embed(embed) if embed.spread => shows(&embed.query, name),
        Item::Embed(embed) => embed.name() == name,
        _ => false,
    })
}

fn no_equality(ty: &Type) -> Error {
    let message = format!("could not identify an equality operator for type {ty}");
    Error::new(ErrorKind::InvalidInput, "42883", message)
}

/// Whether PostgreSQL has `min` and `max` of a type.
fn has_extremes(ty: &Type) -> bool {
    !matches!(ty, Type::Bool | Type::Uuid | Type::Bytes | Type::Json | Type::Jsonb | Type::Other(_))
}
