//! Patterns.

use regex::{Regex, RegexBuilder};
use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::{Error, ErrorKind};
use truststream_sql::pattern::compile;

use super::{PURE, text};
use crate::error::raise;

type Boxed = Box<dyn std::error::Error + Send + Sync + 'static>;

pub(super) fn register(conn: &Connection) -> Result<()> {
    for (name, insensitive) in [("ts_like", false), ("ts_ilike", true)] {
        conn.create_scalar_function(name, 2, PURE, move |call: &Context<'_>| -> Result<Option<bool>> {
            let (Some(text), Some(_)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
            let pattern = call.get_or_create_aux(1, |pattern| -> std::result::Result<Regex, Boxed> {
                like(pattern.as_str()?, insensitive).map_err(|error| raise(&error).into())
            })?;
            Ok(Some(pattern.is_match(text)))
        })?;
    }
    for (name, insensitive) in [("ts_match", false), ("ts_imatch", true)] {
        conn.create_scalar_function(name, 2, PURE, move |call: &Context<'_>| -> Result<Option<bool>> {
            let (Some(text), Some(_)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
            let pattern = call.get_or_create_aux(1, |pattern| -> std::result::Result<Regex, Boxed> {
                compile(pattern.as_str()?, insensitive).map_err(|error| raise(&error).into())
            })?;
            Ok(Some(pattern.is_match(text)))
        })?;
    }
    conn.create_scalar_function("ts_foldername", 1, PURE, |call: &Context<'_>| -> Result<Option<String>> {
        let Some(name) = text(call, 0)? else { return Ok(None) };
        let parts: Vec<&str> = name.split('/').collect();
        Ok(serde_json::to_string(&parts[..parts.len() - 1]).ok())
    })
}

/// `LIKE` as a regular expression; a backslash takes the next sign as it is.
fn like(pattern: &str, insensitive: bool) -> truststream_kernel::Result<Regex> {
    let mut out = String::from("^");
    let mut signs = pattern.chars();
    let mut buffer = [0; 4];
    while let Some(sign) = signs.next() {
        match sign {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '\\' => {
                let escaped = signs.next().ok_or_else(|| {
                    let message = "LIKE pattern must not end with escape character";
                    Error::new(ErrorKind::InvalidInput, "22025", message)
                })?;
                out.push_str(&regex::escape(escaped.encode_utf8(&mut buffer)));
            }
            _ => out.push_str(&regex::escape(sign.encode_utf8(&mut buffer))),
        }
    }
    out.push('$');
    RegexBuilder::new(&out)
        .case_insensitive(insensitive)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| Error::too_large("the pattern is too large").with_source(error))
}
