//! Names and literals as SQL text.

use truststream_services::database::TableName;

/// An identifier in double quotes. What follows a NUL can't be part of a name and is cut off.
pub fn quote(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    push_name(&mut out, name);
    out
}

/// Appends an identifier in double quotes.
pub fn push_name(out: &mut String, name: &str) {
    push_quoted(out, name, '"');
}

/// `"schema"."name"`
pub fn qualified(name: &TableName) -> String {
    let mut out = String::with_capacity(name.schema.len() + name.name.len() + 5);
    push_qualified(&mut out, name);
    out
}

/// Appends `"schema"."name"`.
pub fn push_qualified(out: &mut String, name: &TableName) {
    push_name(out, &name.schema);
    out.push('.');
    push_name(out, &name.name);
}

/// A string literal in single quotes (`standard_conforming_strings` on). Only for texts that come
/// from the catalog: values of requests are bound.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text, '\'');
    out
}

fn push_quoted(out: &mut String, text: &str, mark: char) {
    out.push(mark);
    let text = text.split_once('\0').map_or(text, |(before, _)| before);
    for (at, part) in text.split(mark).enumerate() {
        if at > 0 {
            out.push(mark);
            out.push(mark);
        }
        out.push_str(part);
    }
    out.push(mark);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(quote("x\0; drop"), "\"x\"");
        assert_eq!(qualified(&TableName::public("t")), r#""public"."t""#);
    }
}
