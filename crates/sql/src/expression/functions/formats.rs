//! `format` and the quoting of names and values.
//!
//! <https://www.postgresql.org/docs/15/functions-string.html#FUNCTIONS-STRING-FORMAT>

use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::text;

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "22023", message)
}

/// Words that PostgreSQL doesn't take as names without quotes.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

fn name(text: &str) -> String {
    let begins = |first: char| first.is_ascii_lowercase() || first == '_';
    let plain = text.chars().next().is_some_and(begins)
        && text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
        && RESERVED.binary_search(&text).is_err();
    if plain { text.to_owned() } else { crate::quote::quote(text) }
}

fn value(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

pub(super) fn quote_ident(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(name(text(arguments, 0)?)))
}

pub(super) fn quote_literal(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(value(text(arguments, 0)?)))
}

pub(super) fn quote_nullable(arguments: &[Value]) -> Result<Value> {
    match arguments.first() {
        Some(Value::Null) => Ok(Value::Text("NULL".into())),
        _ => quote_literal(arguments),
    }
}

/// What stands between `%` and the letter: `[position$][-][width]`.
#[derive(Default)]
struct Place {
    position: Option<usize>,
    left: bool,
    width: usize,
}

/// `format(template, …)`
pub(super) fn format(arguments: &[Value]) -> Result<Value> {
    let Some(Value::Text(template)) = arguments.first() else { return Ok(Value::Null) };
    let given = &arguments[1..];
    let (mut out, mut rest, mut next) = (String::new(), template.as_str(), 0);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (place, after) = place(after)?;
        let letter =
            after.chars().next().ok_or_else(|| refused("unterminated format() type specifier".into()))?;
        next = place.position.map_or(next + 1, |position| position);
        let argument = next.checked_sub(1).ok_or_else(|| {
            refused("format specifies argument 0, but arguments are numbered from 1".into())
        })?;
        let given = given.get(argument).ok_or_else(|| refused("too few arguments for format()".into()))?;
        let shown = match (letter, given) {
            ('s', Value::Text(text)) => text.clone(),
            ('s', _) => String::new(),
            ('I', Value::Text(text)) => name(text),
            ('I', _) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(Error::new(ErrorKind::InvalidInput, "22004", message));
            }
            ('L', Value::Text(text)) => value(text),
            ('L', _) => "NULL".into(),
            (other, _) => return Err(refused(format!("unrecognized format() type specifier \"{other}\""))),
        };
        let missing = place.width.saturating_sub(shown.chars().count());
        if !place.left {
            out.extend(std::iter::repeat_n(' ', missing));
        }
        out.push_str(&shown);
        if place.left {
            out.extend(std::iter::repeat_n(' ', missing));
        }
        rest = &after[letter.len_utf8()..];
    }
    out.push_str(rest);
    Ok(Value::Text(out))
}

/// Widest field: what a text may hold is far beyond it.
const WIDEST: usize = 10_000_000;

fn place(mut rest: &str) -> Result<(Place, &str)> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
    let number = |text: &str| {
        let number = text.parse().ok().filter(|number| *number <= WIDEST);
        number.ok_or_else(|| refused("number is out of range".into()))
    };
    let mut place = Place::default();
    let end = digits(rest);
    if end > 0 && rest[end..].starts_with('$') {
        place.position = Some(number(&rest[..end])?);
        rest = &rest[end + 1..];
    }
    if let Some(after) = rest.strip_prefix('-') {
        place.left = true;
        rest = after;
    }
    if rest.starts_with('*') {
        return Err(Error::unsupported("format() with a width among its arguments"));
    }
    let end = digits(rest);
    if end > 0 {
        place.width = number(&rest[..end])?;
    }
    Ok((place, &rest[end..]))
}
