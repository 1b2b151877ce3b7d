//! The query language back into text: what [`parse_parameters`](super::parse_parameters) reads.

use truststream_kernel::{Error, Result};

use super::render_filter::{condition, group};
use super::render_name::{field, name, path};
use crate::database::{Aggregate, Embed, Filter, Item, Nulls, Order, Query};

/// A query as the parameters of a query string, not yet percent-encoded. Parsing them gives the
/// query again.
///
/// # Errors
/// `Unsupported` (0A000) for the few queries that the language has no words for, such as a logic
/// tree without members.
pub fn render_query(query: &Query) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    if query.items != [Item::All] {
        pairs.push(("select".to_owned(), items(&query.items)?));
    }
    conditions(query, "", &mut pairs)?;
    Ok(pairs)
}

/// Names as the values of `columns` and `on_conflict` list them.
pub fn render_names(names: &[String]) -> String {
    names.iter().map(|each| name(each)).collect::<Vec<_>>().join(",")
}

/// What the language has no words for.
pub(super) fn wordless(what: &str) -> Error {
    Error::unsupported(format!("{what} can't be written in a URL"))
}

fn items(items: &[Item]) -> Result<String> {
    let items: Vec<_> = items.iter().map(item).collect::<Result<_>>()?;
    Ok(items.join(","))
}

fn item(item: &Item) -> Result<String> {
    match item {
        Item::All => Ok("*".to_owned()),
        Item::Count { alias, cast } => Ok(format!("{}count(){}", renamed(alias), casted(cast)?)),
        Item::Column { field: of, alias, cast, aggregate } => {
            let aggregate = aggregate.as_ref().map_or_else(|| Ok(String::new()), aggregated)?;
            Ok(format!("{}{}{}{aggregate}", renamed(alias), field(of), casted(cast)?))
        }
        Item::Embed(of) => embed(of),
    }
}

fn renamed(alias: &Option<String>) -> String {
    alias.as_ref().map_or_else(String::new, |alias| format!("{}:", name(alias)))
}

fn casted(cast: &Option<String>) -> Result<String> {
    let Some(ty) = cast else { return Ok(String::new()) };
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '[' | ']' | '$');
    if ty.trim() != ty || ty.is_empty() || !ty.chars().all(fits) {
        return Err(wordless("a cast to such a type"));
    }
    Ok(format!("::{ty}"))
}

fn aggregated(aggregate: &Aggregate) -> Result<String> {
    Ok(format!(".{}(){}", aggregate.function.name(), casted(&aggregate.cast)?))
}

fn embed(embed: &Embed) -> Result<String> {
    if embed.spread && embed.alias.is_some() {
        return Err(wordless("another name for what is spread"));
    }
    let plain = !embed.spread && !embed.inner && embed.hint.is_none();
    if plain && embed.relation == "count" && embed.query.items.is_empty() {
        return Err(wordless("a resource named count of which nothing is selected"));
    }
    let mut text = if embed.spread { "...".to_owned() } else { renamed(&embed.alias) };
    text.push_str(&name(&embed.relation));
    match embed.hint.as_deref() {
        Some("inner" | "left") => return Err(wordless("a hint named as a kind of join")),
        Some(hint) => text.push_str(&format!("!{}", name(hint))),
        None => {}
    }
    if embed.inner {
        text.push_str("!inner");
    }
    Ok(format!("{text}({})", items(&embed.query.items)?))
}

/// The conditions, orders and limits of a query and its embeds; `before` are the embeds on the way.
fn conditions(query: &Query, before: &str, pairs: &mut Vec<(String, String)>) -> Result<()> {
    if let Some(filter) = &query.filter {
        filtered(filter, before, pairs)?;
    }
    if !query.order.is_empty() {
        let terms: Vec<_> = query.order.iter().map(order).collect();
        pairs.push((format!("{before}order"), terms.join(",")));
    }
    for (word, number) in [("limit", query.limit), ("offset", Some(query.offset).filter(|rows| *rows > 0))] {
        let Some(number) = number else { continue };
        if i64::try_from(number).is_err() {
            return Err(wordless("a number of rows this large"));
        }
        pairs.push((format!("{before}{word}"), number.to_string()));
    }
    embeds(query, before, pairs)
}

fn embeds(query: &Query, before: &str, pairs: &mut Vec<(String, String)>) -> Result<()> {
    let mut earlier: Vec<&Embed> = Vec::new();
    for item in &query.items {
        let Item::Embed(embed) = item else { continue };
        let of_embed = pairs.len();
        conditions(&embed.query, &format!("{before}{}.", name(embed.name())), pairs)?;
        let taken = |other: &&Embed| other.name() == embed.name() || other.relation == embed.name();
        if pairs.len() > of_embed && earlier.iter().any(taken) {
            return Err(wordless("a condition on one of two embedded resources of the same name"));
        }
        earlier.push(embed);
    }
    Ok(())
}

/// Each condition is a parameter of its own where that means the same; other trees are one
/// parameter, `and` or `or`.
fn filtered(filter: &Filter, before: &str, pairs: &mut Vec<(String, String)>) -> Result<()> {
    let plain = |filter: &Filter| match filter {
        Filter::Compare(_) => true,
        Filter::Not(inner) => matches!(**inner, Filter::Compare(_)),
        Filter::And(_) | Filter::Or(_) => false,
    };
    match filter {
        Filter::And(all) if all.len() > 1 && all.iter().all(plain) => {
            all.iter().try_for_each(|filter| filtered(filter, before, pairs))
        }
        Filter::Compare(comparison) => {
            let key = format!("{before}{}{}", name(&comparison.field.name), path(&comparison.field.path));
            pairs.push((key, condition(comparison, false, false)?));
            Ok(())
        }
        Filter::Not(inner) => match &**inner {
            Filter::Compare(comparison) => {
                let key = format!("{before}{}{}", name(&comparison.field.name), path(&comparison.field.path));
                pairs.push((key, condition(comparison, true, false)?));
                Ok(())
            }
            Filter::Not(twice) => filtered(twice, before, pairs),
            Filter::And(members) | Filter::Or(members) => {
                let word = if matches!(**inner, Filter::And(_)) { "and" } else { "or" };
                pairs.push((format!("{before}not.{word}"), group(members)?));
                Ok(())
            }
        },
        Filter::And(members) | Filter::Or(members) => {
            let word = if matches!(filter, Filter::And(_)) { "and" } else { "or" };
            pairs.push((format!("{before}{word}"), group(members)?));
            Ok(())
        }
    }
}

fn order(order: &Order) -> String {
    let mut text = match &order.relation {
        Some(relation) => format!("{}({})", name(relation), field(&order.field)),
        None => field(&order.field),
    };
    if order.descending {
        text.push_str(".desc");
    }
    text.push_str(match order.nulls {
        Some(Nulls::First) => ".nullsfirst",
        Some(Nulls::Last) => ".nullslast",
        None => "",
    });
    text
}
