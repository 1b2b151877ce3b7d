//! A whole query string.

use truststream_kernel::{Error, ErrorKind, Result};

use super::cursor::Cursor;
use super::filter::{parse_condition, parse_logic};
use super::name::{name, path};
use super::order::parse_order;
use super::select::parse_select;
use crate::database::errors::not_embedded;
use crate::database::{Field, Filter, Item, Query};

/// Most parameters of a query string.
const MOST: usize = 1000;

/// What a query string asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The query, embeds included.
    pub query: Query,
    /// `columns`.
    pub columns: Option<Vec<String>>,
    /// `on_conflict`.
    pub on_conflict: Option<Vec<String>>,
    /// Whether `select` was given.
    pub has_select: bool,
}

/// Parses the parameters of a query string, already percent-decoded, in their order. Of several lists of one
/// kind the first counts, of several numbers the last, as with PostgREST.
///
/// # Errors
/// PGRST100 for what can't be parsed, PGRST103 for a negative limit, PGRST108 for a condition on a
/// resource that is not embedded.
pub fn parse_parameters<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)> + Clone) -> Result<Parameters> {
    let mut parameters = Parameters { query: Query::all(), ..Parameters::default() };
    if let Some((_, select)) = pairs.clone().find(|(key, _)| *key == "select") {
        parameters.query.items = parse_select(select)?;
        parameters.has_select = true;
    }
    for (index, (key, value)) in pairs.enumerate() {
        if index >= MOST {
            return Err(Cursor::new("query string", key).beyond(MOST, "parameters"));
        }
        match key {
            "select" => {}
            "columns" => keep_first(&mut parameters.columns, names("columns parameter", value)?),
            "on_conflict" => keep_first(&mut parameters.on_conflict, names("on_conflict parameter", value)?),
            _ => apply(&mut parameters.query, key, value)?,
        }
    }
    Ok(parameters)
}

fn keep_first<T>(place: &mut Option<T>, found: T) {
    place.get_or_insert(found);
}

fn names(what: &'static str, text: &str) -> Result<Vec<String>> {
    let mut cursor = Cursor::new(what, text);
    let mut names = Vec::new();
    loop {
        names.push(name(&mut cursor)?);
        if cursor.is_done() {
            return Ok(names);
        }
        if !cursor.take(",") {
            return Err(cursor.expected("\",\" or end of input"));
        }
    }
}

/// What a key means once the embeds before it are taken off.
enum Key {
    Order,
    Limit,
    Offset,
    Logic { and: bool, negated: bool },
    Field(Field),
}

fn apply(query: &mut Query, key: &str, value: &str) -> Result<()> {
    let (embeds, key) = parse_key(key)?;
    let query = embedded(query, &embeds)?;
    match key {
        Key::Order => {
            let order = parse_order(value)?;
            if query.order.is_empty() {
                query.order = order;
            }
        }
        Key::Limit => {
            let limit = number("limit", value)?.ok_or_else(negative_limit)?;
            query.limit = Some(limit);
        }
        Key::Offset => query.offset = number("offset", value)?.unwrap_or(0),
        Key::Logic { and, negated } => {
            let logic = parse_logic(and, value)?;
            query.and(if negated { logic.negated() } else { logic });
        }
        Key::Field(field) => query.and(parse_condition(field, value)?),
    }
    Ok(())
}

/// The filter that a parameter means, or `None` if it is one of the language's own words.
pub fn filter_of(key: &str, value: &str) -> Result<Option<Filter>> {
    match parse_key(key)? {
        (embeds, Key::Field(field)) if embeds.is_empty() => parse_condition(field, value).map(Some),
        _ => Ok(None),
    }
}

/// Adds a condition to a query on the field that a key such as `artist.info->>born` names.
///
/// # Errors
/// PGRST100 for a key that names no field, PGRST108 for one of a resource that is not embedded.
pub fn add_condition(query: &mut Query, key: &str, condition: impl FnOnce(Field) -> Filter) -> Result<()> {
    match parse_key(key)? {
        (embeds, Key::Field(field)) => {
            embedded(query, &embeds)?.and(condition(field));
            Ok(())
        }
        _ => Err(Cursor::new("tree path", key).expected("field name (* or [a..z0..9_$])")),
    }
}

/// Adds what one parameter of a query string says to a query.
///
/// # Errors
/// As [`parse_parameters`].
pub fn add_parameter(query: &mut Query, key: &str, value: &str) -> Result<()> {
    apply(query, key, value)
}

fn parse_key(key: &str) -> Result<(Vec<String>, Key)> {
    let mut cursor = Cursor::new("tree path", key);
    let mut embeds = Vec::new();
    loop {
        match cursor.rest() {
            "order" => return Ok((embeds, Key::Order)),
            "limit" => return Ok((embeds, Key::Limit)),
            "offset" => return Ok((embeds, Key::Offset)),
            "and" => return Ok((embeds, Key::Logic { and: true, negated: false })),
            "or" => return Ok((embeds, Key::Logic { and: false, negated: false })),
            "not.and" => return Ok((embeds, Key::Logic { and: true, negated: true })),
            "not.or" => return Ok((embeds, Key::Logic { and: false, negated: true })),
            _ => {}
        }
        let name = name(&mut cursor)?;
        let path = path(&mut cursor)?;
        if cursor.is_done() {
            return Ok((embeds, Key::Field(Field { name, path })));
        }
        if !path.is_empty() || !cursor.take(".") {
            return Err(cursor.expected("\".\", \"->\" or end of input"));
        }
        embeds.push(name);
    }
}

fn embedded<'q>(query: &'q mut Query, embeds: &[String]) -> Result<&'q mut Query> {
    let Some((first, rest)) = embeds.split_first() else { return Ok(query) };
    for item in &mut query.items {
        if let Item::Embed(embed) = item
            && (embed.name() == first || (embed.alias.is_some() && embed.relation == *first))
        {
            return embedded(&mut embed.query, rest);
        }
    }
    Err(not_embedded(first))
}

fn negative_limit() -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST103", "Requested range not satisfiable")
        .with_details("Limit should be greater than or equal to zero.")
}

fn number(what: &'static str, text: &str) -> Result<Option<u64>> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(u64::try_from(number).ok());
    }
    Err(Cursor::new(what, text).expected("an integer"))
}
