//! Names and literals as SQL text.

use truststream_services::database::TableName;

/// An identifier in double quotes. What follows a NUL can't be part of a name and is cut off.
pub fn quote(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    push_quoted(&mut out, name, '"');
    out
}

/// `"schema"."name"`
pub fn qualified(name: &TableName) -> String {
    format!("{}.{}", quote(&name.schema), quote(&name.name))
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
    for c in text.chars().take_while(|c| *c != '\0') {
        if c == mark {
            out.push(mark);
        }
        out.push(c);
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
