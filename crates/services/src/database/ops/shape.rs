//! What kind of request a query is, without any value in it:
//! `select public.tracks: title,albums(title) where and(seconds.gt,title.ilike) order title limit`.
//!
//! Keys within JSON are left out as well, since they may be data, and so are names that a caller made up.

use std::fmt::{Result, Write};

use crate::database::{AggregateFunction, Field, Filter, Item, Quantifier, Query, TableName};

/// An operation with a query on a table or function.
pub(super) fn query(out: &mut dyn Write, operation: &str, on: &TableName, query: &Query) -> Result {
    for part in [operation, " ", &on.schema, ".", &on.name, ": "] {
        out.write_str(part)?;
    }
    parts(out, query)
}

fn parts(out: &mut dyn Write, query: &Query) -> Result {
    list(out, &query.items, item)?;
    if let Some(condition) = &query.filter {
        out.write_str(" where ")?;
        filter(out, condition)?;
    }
    if !query.order.is_empty() {
        out.write_str(" order ")?;
        list(out, &query.order, |out, term| {
            field(out, &term.field)?;
            out.write_str(if term.descending { ".desc" } else { "" })
        })?;
    }
    out.write_str(if query.limit.is_some() { " limit" } else { "" })?;
    out.write_str(if query.offset > 0 { " offset" } else { "" })
}

fn list<T>(out: &mut dyn Write, all: &[T], one: impl Fn(&mut dyn Write, &T) -> Result) -> Result {
    for (index, each) in all.iter().enumerate() {
        if index > 0 {
            out.write_str(",")?;
        }
        one(out, each)?;
    }
    Ok(())
}

fn item(out: &mut dyn Write, item: &Item) -> Result {
    match item {
        Item::All => out.write_str("*"),
        Item::Count { .. } => out.write_str("count()"),
        Item::Column { field: of, cast, aggregate, .. } => {
            field(out, of)?;
            if let Some(cast) = cast {
                out.write_str("::")?;
                out.write_str(cast)?;
            }
            out.write_str(match aggregate.as_ref().map(|aggregate| aggregate.function) {
                None => "",
                Some(AggregateFunction::Avg) => ".avg()",
                Some(AggregateFunction::Count) => ".count()",
                Some(AggregateFunction::Max) => ".max()",
                Some(AggregateFunction::Min) => ".min()",
                Some(AggregateFunction::Sum) => ".sum()",
            })
        }
        Item::Embed(embed) => {
            out.write_str(if embed.spread { "..." } else { "" })?;
            out.write_str(&embed.relation)?;
            if let Some(hint) = &embed.hint {
                out.write_str("!")?;
                out.write_str(hint)?;
            }
            out.write_str(if embed.inner { "!inner(" } else { "(" })?;
            parts(out, &embed.query)?;
            out.write_str(")")
        }
    }
}

fn field(out: &mut dyn Write, field: &Field) -> Result {
    out.write_str(&field.name)?;
    match field.path.last() {
        None => Ok(()),
        Some(last) => out.write_str(if last.as_text { "->>" } else { "->" }),
    }
}

fn filter(out: &mut dyn Write, condition: &Filter) -> Result {
    let many = |out: &mut dyn Write, word: &str, all: &[Filter]| {
        out.write_str(word)?;
        out.write_str("(")?;
        list(out, all, filter)?;
        out.write_str(")")
    };
    match condition {
        Filter::And(all) => many(out, "and", all),
        Filter::Or(all) => many(out, "or", all),
        Filter::Not(inner) => many(out, "not", std::slice::from_ref(inner)),
        Filter::Compare(comparison) => {
            field(out, &comparison.field)?;
            out.write_str(".")?;
            out.write_str(comparison.operator.word())?;
            out.write_str(match comparison.quantifier {
                None => "",
                Some(Quantifier::Any) => "(any)",
                Some(Quantifier::All) => "(all)",
            })
        }
    }
}
