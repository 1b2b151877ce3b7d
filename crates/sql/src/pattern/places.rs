//! Where an expression matches, as PostgreSQL has it: of all matches that begin first the longest, or the
//! shortest where the expression prefers that, and what its parentheses hold in it.
//!
//! What it prefers is what the first of its quantifiers does
//! (<https://www.postgresql.org/docs/15/functions-matching.html#POSIX-MATCHING-RULES>). An engine for
//! Perl's rules finds where a match begins, which is the same by both, and one that knows every match how
//! far it goes. Both take time that is linear in the text.

use regex::Regex;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::util::{captures::Captures, syntax};
use regex_automata::{Anchored, Input, MatchKind, nfa::thompson};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};
use truststream_kernel::Result;

use super::{LARGEST, Words, invalid};

/// A part of a text, in bytes.
pub(crate) type Part = (usize, usize);

/// An expression whose matches are looked at.
pub(crate) struct Places {
    first: Regex,
    extent: PikeVM,
    shortest: bool,
}

impl Places {
    pub(super) fn of(words: &Words, first: Regex) -> Result<Self> {
        let too_complex = |_| invalid("regular expression is too complex");
        let syntax = syntax::Config::new()
            .case_insensitive(words.insensitive)
            .multi_line(words.lines)
            .dot_matches_new_line(!words.newlines);
        let extent = PikeVM::builder()
            .configure(PikeVM::config().match_kind(MatchKind::All))
            .syntax(syntax)
            .thompson(thompson::Config::new().nfa_size_limit(Some(LARGEST)))
            .build(&words.body)
            .map_err(too_complex)?;
        let parsed =
            ParserBuilder::new().build().parse(&words.body).map_err(|_| invalid("it can't be read"))?;
        Ok(Places { first, extent, shortest: is_greedy(&parsed) == Some(false) })
    }

    /// How many parentheses it has that hold something.
    pub(crate) fn groups(&self) -> usize {
        self.first.captures_len() - 1
    }

    /// Whether it matches anywhere in a text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.first.is_match(text)
    }

    /// A search through a text, from a byte on.
    pub(crate) fn within<'a>(&'a self, text: &'a str, from: usize) -> Search<'a> {
        Search {
            places: self,
            text,
            from,
            cache: self.extent.create_cache(),
            found: self.extent.create_captures(),
        }
    }
}

/// The first quantifier's preference; none where there is nothing to choose.
fn is_greedy(hir: &Hir) -> Option<bool> {
    match hir.kind() {
        HirKind::Alternation(_) => Some(true),
        HirKind::Concat(parts) => parts.iter().find_map(is_greedy),
        HirKind::Capture(group) => is_greedy(&group.sub),
        HirKind::Repetition(repeated) if Some(repeated.min) == repeated.max => is_greedy(&repeated.sub),
        HirKind::Repetition(repeated) => Some(repeated.greedy),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

/// Matches one after the other.
pub(crate) struct Search<'a> {
    places: &'a Places,
    text: &'a str,
    from: usize,
    cache: Cache,
    found: Captures,
}

impl Iterator for Search<'_> {
    /// The whole match first, then what each of the parentheses holds.
    type Item = Vec<Option<Part>>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.places.first.find_at(self.text, self.from)?.start();
        let input =
            Input::new(self.text).range(start..).anchored(Anchored::Yes).earliest(self.places.shortest);
        self.places.extent.search(&mut self.cache, &input, &mut self.found);
        let whole = self.found.get_match()?;
        // The next one begins where this one ends; where that is nowhere, behind the next character.
        let character = self.text[whole.end()..].chars().next().map_or(1, char::len_utf8);
        self.from = if whole.is_empty() { whole.end() + character } else { whole.end() };
        Some(self.found.iter().map(|part| part.map(|part| (part.start, part.end))).collect())
    }
}
