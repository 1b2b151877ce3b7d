//! Documents from texts: `to_tsvector`.

use serde_json::Value as Json;
use truststream_kernel::value::tsvector::{LAST_POSITION, Vector};
use truststream_kernel::{Error, ErrorKind, Result};

use super::Configuration;

/// `to_tsvector` of a text.
pub fn of_text(configuration: &Configuration, text: &str) -> Vector {
    let mut vector = Vector::default();
    extend(&mut vector, configuration, text, 0);
    vector
}

/// `to_tsvector` of a JSON document: of its texts, none next to another.
///
/// # Errors
/// 22P02 for what is not JSON.
pub fn of_json(configuration: &Configuration, json: &str) -> Result<Vector> {
    fn walk(json: &Json, each: &mut impl FnMut(&str)) {
        match json {
            Json::String(text) => each(text),
            Json::Array(elements) => elements.iter().for_each(|element| walk(element, each)),
            Json::Object(members) => members.values().for_each(|member| walk(member, each)),
            _ => {}
        }
    }
    let json: Json = serde_json::from_str(json).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "22P02", "invalid input syntax for type json").with_source(error)
    })?;
    let mut vector = Vector::default();
    let mut position = 0;
    walk(&json, &mut |text| {
        let before = position;
        position = extend(&mut vector, configuration, text, position);
        position += usize::from(position > before);
    });
    Ok(vector)
}

fn extend(vector: &mut Vector, configuration: &Configuration, text: &str, after: usize) -> usize {
    let (lexemes, tokens) = configuration.lexemes(text);
    for lexeme in lexemes {
        let position = u16::try_from(after + lexeme.position).unwrap_or(LAST_POSITION);
        vector.add(lexeme.text, Some((position.min(LAST_POSITION), 0)));
    }
    after + tokens
}
