//! Full-text search.

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::value::tsvector::Vector;
use truststream_sql::text_search::vector::{of_json, of_text};
use truststream_sql::text_search::{Configuration, Query, words};

use super::{PURE, text};
use crate::error::raise;

type Answer = truststream_kernel::Result<String>;
/// A function of a configuration and a text.
type Maker = fn(&Configuration, &str) -> Answer;

const MAKERS: [(&str, Maker); 6] = [
    ("ts_to_tsvector", |with, text| Ok(of_text(with, text).to_text())),
    ("ts_json_to_tsvector", |with, text| of_json(with, text).map(|vector| vector.to_text())),
    ("ts_to_tsquery", |with, text| Query::raw(with, text).map(|query| query.to_text())),
    ("ts_plainto_tsquery", |with, text| Ok(Query::plain(with, text).to_text())),
    ("ts_phraseto_tsquery", |with, text| Ok(Query::phrase(with, text).to_text())),
    ("ts_websearch_to_tsquery", |with, text| Ok(Query::websearch(with, text).to_text())),
];

pub(super) fn register(conn: &Connection) -> Result<()> {
    for (name, make) in MAKERS {
        conn.create_scalar_function(name, 2, PURE, move |call: &Context<'_>| -> Result<Option<String>> {
            let Some(subject) = text(call, 1)? else { return Ok(None) };
            let configuration = Configuration::named(text(call, 0)?).map_err(|error| raise(&error))?;
            make(&configuration, subject).map(Some).map_err(|error| raise(&error))
        })?;
    }
    // Foreign programs may have left what is no document: it has no words.
    conn.create_scalar_function("ts_text_tokens", 1, PURE, |call: &Context<'_>| -> Result<Option<String>> {
        let document = text(call, 0)?.map(|document| Vector::parse(document).unwrap_or_default());
        Ok(document.map(|document| words::tokens(&document)))
    })?;
    conn.create_scalar_function("ts_text_needed", 1, PURE, |call: &Context<'_>| -> Result<Option<String>> {
        let Some(query) = text(call, 0)? else { return Ok(Some(words::NOTHING.to_owned())) };
        Query::parse(query).map(|query| query.needed()).map_err(|error| raise(&error))
    })?;
    conn.create_scalar_function("ts_text_match", 2, PURE, |call: &Context<'_>| -> Result<Option<bool>> {
        let (Some(document), Some(query)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
        let document = Vector::parse(document).map_err(|error| raise(&error))?;
        let query = Query::parse(query).map_err(|error| raise(&error))?;
        Ok(Some(query.matches(&document)))
    })
}
