//! `SIMILAR TO`, in the words of regular expressions
//! (<https://www.postgresql.org/docs/15/functions-matching.html#FUNCTIONS-SIMILARTO-REGEXP>).

use truststream_kernel::{Error, ErrorKind, Result};

/// The regular expression that matches what a whole text is like.
///
/// # Errors
/// 22019 for an escape character that is several, 22025 where nothing stands behind one.
pub(crate) fn similar(pattern: &str, escape: &str) -> Result<String> {
    let mut escapes = escape.chars();
    let (escape, more) = (escapes.next(), escapes.next());
    if more.is_some() {
        return Err(Error::new(ErrorKind::InvalidInput, "22019", "invalid escape string")
            .with_hint("Escape string must be empty or one character."));
    }
    let mut out = String::from("^(?:");
    let mut within = false;
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        match sign {
            _ if Some(sign) == escape => match signs.next() {
                // As PostgreSQL does it: `\m` is what it is to regular expressions.
                Some(escaped) => out.extend(['\\', escaped]),
                None => {
                    let message = "LIKE pattern must not end with escape character";
                    return Err(Error::new(ErrorKind::InvalidInput, "22025", message));
                }
            },
            _ if within => {
                if sign == '\\' {
                    out.push('\\');
                }
                within = sign != ']';
                out.push(sign);
            }
            '[' => {
                within = true;
                out.push(sign);
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' | '\\' => out.extend(['\\', sign]),
            _ => out.push(sign),
        }
    }
    out.push_str(")$");
    Ok(out)
}
