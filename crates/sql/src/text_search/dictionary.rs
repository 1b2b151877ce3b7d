//! Configurations: which words are left out, and what is left of the others.

use rust_stemmers::{Algorithm, Stemmer};
use truststream_kernel::{Error, ErrorKind, Result};

use super::token::{Kind, tokens};

/// A text-search configuration.
pub struct Configuration {
    language: Option<(Stemmer, &'static str)>,
}

/// Name, stemming algorithm and stop words of each language.
const LANGUAGES: &[(&str, Algorithm, &str)] = &[
    ("arabic", Algorithm::Arabic, ""),
    ("danish", Algorithm::Danish, include_str!("stop/danish.stop")),
    ("dutch", Algorithm::Dutch, include_str!("stop/dutch.stop")),
    ("english", Algorithm::English, include_str!("stop/english.stop")),
    ("finnish", Algorithm::Finnish, include_str!("stop/finnish.stop")),
    ("french", Algorithm::French, include_str!("stop/french.stop")),
    ("german", Algorithm::German, include_str!("stop/german.stop")),
    ("greek", Algorithm::Greek, ""),
    ("hungarian", Algorithm::Hungarian, include_str!("stop/hungarian.stop")),
    ("italian", Algorithm::Italian, include_str!("stop/italian.stop")),
    ("norwegian", Algorithm::Norwegian, include_str!("stop/norwegian.stop")),
    ("portuguese", Algorithm::Portuguese, include_str!("stop/portuguese.stop")),
    ("romanian", Algorithm::Romanian, ""),
    ("russian", Algorithm::Russian, include_str!("stop/russian.stop")),
    ("spanish", Algorithm::Spanish, include_str!("stop/spanish.stop")),
    ("swedish", Algorithm::Swedish, include_str!("stop/swedish.stop")),
    ("tamil", Algorithm::Tamil, ""),
    ("turkish", Algorithm::Turkish, include_str!("stop/turkish.stop")),
];

/// A word as a document keeps it, and which token of the text it came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) text: String,
    pub(super) position: usize,
}

impl Configuration {
    /// The configuration of this name; English if there is none, as Supabase's databases have it.
    ///
    /// # Errors
    /// 42704 for a configuration that there is not.
    pub fn named(name: Option<&str>) -> Result<Self> {
        let wanted = name.unwrap_or("english");
        let bare = wanted.strip_prefix("pg_catalog.").unwrap_or(wanted).to_lowercase();
        if bare == "simple" {
            return Ok(Configuration { language: None });
        }
        let found = LANGUAGES.iter().find(|(language, ..)| *language == bare);
        let (_, algorithm, stop) = found.ok_or_else(|| {
            let message = format!("text search configuration \"{wanted}\" does not exist");
            Error::new(ErrorKind::InvalidInput, "42704", message)
        })?;
        Ok(Configuration { language: Some((Stemmer::create(*algorithm), stop)) })
    }

    /// The lexemes of a text and the number of its tokens, those that are left out included.
    pub(super) fn lexemes(&self, text: &str) -> (Vec<Lexeme>, usize) {
        let mut lexemes = Vec::new();
        let mut position = 0;
        for token in tokens(text) {
            position += 1;
            if let Some(text) = self.lexeme(token.kind, token.text) {
                lexemes.push(Lexeme { text, position });
            }
        }
        (lexemes, position)
    }

    fn lexeme(&self, kind: Kind, text: &str) -> Option<String> {
        let word = text.to_lowercase();
        match (&self.language, kind) {
            (Some((stemmer, stop)), Kind::Word) => {
                let stops = stop.lines().any(|line| line.trim_end() == word);
                (!stops).then(|| stemmer.stem(&word).into_owned())
            }
            _ => Some(word),
        }
    }
}
