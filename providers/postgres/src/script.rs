//! Where the statements of a script lie.

use std::ops::Range;

/// Where each statement of a script lies, without its semicolon. Empty statements don't count, as the
/// server doesn't count them.
pub(crate) fn statements(script: &str) -> Vec<Range<usize>> {
    let bytes = script.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    while at < bytes.len() {
        let next = token_end(script, at);
        let token = &bytes[at..next];
        match token[0] {
            b';' => open = false,
            b if b.is_ascii_whitespace() => {}
            _ if token.starts_with(b"--") || token.starts_with(b"/*") => {}
            _ => match found.last_mut().filter(|_| open) {
                Some(statement) => statement.end = next,
                None => {
                    found.push(at..next);
                    open = true;
                }
            },
        }
        at = next;
    }
    found
}

/// The line, from 1, that a byte of a script is on.
pub(crate) fn line(script: &str, at: usize) -> usize {
    script.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The end of the comment, quotation or single character that begins at `at`.
fn token_end(script: &str, at: usize) -> usize {
    let rest = &script.as_bytes()[at..];
    let length = match rest {
        [b'-', b'-', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => comment(rest),
        [b'e' | b'E', b'\'', ..] if !follows_word(script, at) => 1 + quotation(&rest[1..], true),
        [b'\'' | b'"', ..] => quotation(rest, false),
        [b'$', ..] if !follows_word(script, at) => dollar(rest),
        _ => 1,
    };
    at + length.max(1)
}

fn follows_word(script: &str, at: usize) -> bool {
    at > 0 && (script.as_bytes()[at - 1].is_ascii_alphanumeric() || script.as_bytes()[at - 1] == b'_')
}

/// Comments nest.
fn comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A doubled quote closes and opens again at once, which comes to the same.
fn quotation(rest: &[u8], escapes: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if escapes => at += 2,
            byte if byte == rest[0] => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `$tag$ … $tag$`
fn dollar(rest: &[u8]) -> usize {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let Some(end) = rest[1..].iter().position(|byte| !word(byte)) else { return 1 };
    if rest[1 + end] != b'$' || rest[1].is_ascii_digit() {
        return 1;
    }
    let tag = &rest[..end + 2];
    let body = &rest[tag.len()..];
    match body.windows(tag.len()).position(|window| window == tag) {
        Some(position) => position + 2 * tag.len(),
        None => rest.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::{line, statements};

    #[test]
    fn statements_begin_on_lines() {
        let script = "-- a; comment\nselect 1;\n\ncreate function f() returns int as $x$\nselect ';';\n$x$ language sql;\n\
                      /* no; /* statement; */ */ ;\nselect 'it''s;', e'\\';', \"a;b\"\n;select $1;";
        let found = statements(script);
        let lines: Vec<usize> = found.iter().map(|range| line(script, range.start)).collect();
        assert_eq!(lines, [2, 4, 8, 9]);
        assert_eq!(&script[found[0].clone()], "select 1");
        assert_eq!(&script[found[2].clone()], "select 'it''s;', e'\\';', \"a;b\"");
        assert!(statements(" -- nothing").is_empty());
    }
}
