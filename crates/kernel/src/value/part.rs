//! Parts of PostgreSQL's composed texts (arrays, records, ranges), quoted where they could be misread.

/// White space between and around values, as C's `isspace` has it.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Whether a part can stand without quotes among these marks.
pub(super) fn is_plain(text: &str, marks: &[char]) -> bool {
    let special = |c: char| matches!(c, '"' | '\\') || marks.contains(&c) || is_space(c);
    !text.is_empty() && !text.contains(special)
}

/// Appends a part of a record or a range, in which these marks mean something; what is special within
/// quotes is doubled.
pub fn push(out: &mut String, text: &str, marks: &[char]) {
    if is_plain(text, marks) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
}

/// The part that a text begins with, unquoted, and what follows from one of `stops` on. Quotes may stand
/// anywhere, a backslash takes the next character as it is; an inner `None` is a part of no characters.
/// The text that ends within the part gives `None`.
pub fn read<'a>(text: &'a str, stops: &[char]) -> Option<(Option<String>, &'a str)> {
    if text.starts_with(stops) {
        return Some((None, text));
    }
    let (mut part, mut quoted) = (String::new(), false);
    let mut chars = text.char_indices().peekable();
    loop {
        match chars.next()? {
            (at, c) if !quoted && stops.contains(&c) => return Some((Some(part), &text[at..])),
            (_, '\\') => part.push(chars.next()?.1),
            (_, '"') if quoted && chars.next_if(|(_, c)| *c == '"').is_some() => part.push('"'),
            (_, '"') => quoted = !quoted,
            (_, c) => part.push(c),
        }
    }
}
