//! Patterns as the engine's regular expressions.

use mongodb::bson::{Bson, doc};
use regex::{Regex, RegexBuilder};
use truststream_kernel::{Error, ErrorKind, Result};

use crate::term::constant;

/// A pattern ready to be matched.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    options: &'static str,
}

impl Pattern {
    /// `LIKE`; a backslash takes the next sign as it is.
    ///
    /// # Errors
    /// 22025 for a lone backslash at the end.
    pub(crate) fn like(pattern: &str, insensitive: bool) -> Result<Self> {
        let mut text = String::from("^");
        let mut signs = pattern.chars();
        let mut buffer = [0; 4];
        while let Some(sign) = signs.next() {
            match sign {
                '%' => text.push_str(".*"),
                '_' => text.push('.'),
                '\\' => {
                    let escaped = signs.next().ok_or_else(|| {
                        let message = "LIKE pattern must not end with escape character";
                        Error::new(ErrorKind::InvalidInput, "22025", message)
                    })?;
                    text.push_str(&regex::escape(escaped.encode_utf8(&mut buffer)));
                }
                _ => text.push_str(&regex::escape(sign.encode_utf8(&mut buffer))),
            }
        }
        // A dollar alone would match before a line feed at the end too.
        text.push_str("$(?!\n)");
        Ok(Pattern { text, options: if insensitive { "is" } else { "s" } })
    }

    /// `~` and `~*`.
    ///
    /// # Errors
    /// 2201B for what is no regular expression.
    pub(crate) fn regex(pattern: &str, insensitive: bool) -> Result<Self> {
        let checked: std::result::Result<Regex, _> = RegexBuilder::new(pattern).size_limit(1 << 20).build();
        if let Err(error) = checked {
            let message = format!("invalid regular expression: {pattern}");
            return Err(Error::new(ErrorKind::InvalidInput, "2201B", message).with_source(error));
        }
        Ok(Pattern { text: pattern.to_owned(), options: if insensitive { "is" } else { "s" } })
    }

    /// Whether a text, which is not null, matches.
    pub(crate) fn matches(&self, text: Bson) -> Bson {
        let arguments =
            doc! { "input": text, "regex": constant(self.text.as_str()), "options": self.options };
        Bson::Document(doc! { "$regexMatch": arguments })
    }
}
