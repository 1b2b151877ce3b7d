//! Patterns as the engine's regular expressions, which it tries in turn: none is made here that it could try
//! in more ways than the text is long.

use mongodb::bson::{Bson, doc};
use truststream_kernel::{Error, ErrorKind, Result};

use crate::term::constant;

/// The end of the text: a dollar alone would match before a line feed at the end too.
const END: &str = "$(?!\n)";

/// A pattern ready to be matched.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    options: &'static str,
}

/// Whether a regular expression means the same to every engine, and takes it time in proportion to the text:
/// signs that stand for themselves and dots, of which one may be repeated where the beginning is known.
pub(crate) fn is_plain(pattern: &str) -> bool {
    let (body, anchored) = match pattern.strip_prefix('^') {
        Some(body) => (body, true),
        None => (pattern, false),
    };
    let body = body.strip_suffix('$').filter(|body| !body.ends_with('\\')).unwrap_or(body);
    let (mut repeated, mut before) = (0, false);
    for sign in body.chars() {
        match sign {
            '*' | '+' if before && anchored => {
                repeated += 1;
                before = false;
            }
            '.' | ' ' | '_' | '-' | '@' | '/' | ':' | ',' | '=' | '!' => before = true,
            sign if sign.is_alphanumeric() => before = true,
            _ => return false,
        }
    }
    repeated <= 1
}

impl Pattern {
    /// `LIKE`; a backslash takes the next sign as it is.
    ///
    /// Each piece between two `%` is sought once, at its first place: were there a match with a later one,
    /// there would be one with this.
    ///
    /// # Errors
    /// 22025 for a lone backslash at the end.
    pub(crate) fn like(pattern: &str, insensitive: bool) -> Result<Self> {
        let mut pieces = pieces(pattern)?.into_iter();
        let first = pieces.next().unwrap_or_default();
        let mut text = format!("^{first}");
        match pieces.next_back() {
            None => text.push_str(END),
            Some(last) => {
                for piece in pieces.filter(|piece| !piece.is_empty()) {
                    text.push_str(&format!("(?>.*?{piece})"));
                }
                if !last.is_empty() {
                    text.push_str(&format!(".*{last}{END}"));
                }
            }
        }
        Ok(Pattern { text, options: if insensitive { "is" } else { "s" } })
    }

    /// `~` and `~*`, of what is plain.
    pub(crate) fn plain(pattern: &str, insensitive: bool) -> Self {
        let text = match pattern.strip_suffix('$') {
            Some(body) => format!("{body}{END}"),
            None => pattern.to_owned(),
        };
        Pattern { text, options: if insensitive { "is" } else { "s" } }
    }

    /// Whether a text, which is not null, matches.
    pub(crate) fn matches(&self, text: Bson) -> Bson {
        let arguments =
            doc! { "input": text, "regex": constant(self.text.as_str()), "options": self.options };
        Bson::Document(doc! { "$regexMatch": arguments })
    }
}

/// What stands between the `%` of a pattern, as regular expressions.
fn pieces(pattern: &str) -> Result<Vec<String>> {
    let mut pieces = vec![String::new()];
    let mut signs = pattern.chars();
    let mut buffer = [0; 4];
    while let Some(sign) = signs.next() {
        let escaped = match sign {
            '%' => {
                pieces.push(String::new());
                continue;
            }
            '_' => ".".to_owned(),
            '\\' => {
                let sign = signs.next().ok_or_else(|| {
                    let message = "LIKE pattern must not end with escape character";
                    Error::new(ErrorKind::InvalidInput, "22025", message)
                })?;
                regex::escape(sign.encode_utf8(&mut buffer))
            }
            _ => regex::escape(sign.encode_utf8(&mut buffer)),
        };
        if let Some(last) = pieces.last_mut() {
            last.push_str(&escaped);
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_sought_once() {
        for (pattern, text) in
            [("abc", "^abc$(?!\n)"), ("a%", "^a"), ("%a.b%_c", "^(?>.*?a\\.b).*.c$(?!\n)"), ("%%", "^")]
        {
            assert_eq!(Pattern::like(pattern, false).unwrap().text, text, "{pattern}");
        }
        assert_eq!(Pattern::like("a\\", false).unwrap_err().code(), "22025");
    }

    #[test]
    fn what_could_take_long_is_not_plain() {
        for plain in ["^abc$", "a.c", "^a.*b", "straße"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["a*b", "^a*b*", "(a)", "[a]", "a|b", "a{2}", "\\d", "^*", "a$b", "a^", "***=a", "^a.**"]
        {
            assert!(!is_plain(other), "{other}");
        }
    }
}
