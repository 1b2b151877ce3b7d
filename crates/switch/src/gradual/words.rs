//! Names in texts of SQL, found without understanding the text: too many are found rather than too few.

use std::collections::HashSet;

/// The words of a text: whatever could be a name, in lower case.
pub(super) struct Words {
    words: HashSet<String>,
    text: String,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        let words = text.split(|letter| !is_part(letter)).filter(|word| !word.is_empty());
        Words { words: words.map(str::to_owned).collect(), text }
    }

    /// Whether a name may be in it. One that is no plain word is looked for anywhere.
    pub(super) fn have(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let is_plain = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$');
        if is_plain { self.words.contains(&name) } else { self.text.contains(&name) }
    }

    /// Whether it may name things in ways that are not seen here: in statements that are built while
    /// it runs, or with letters written as numbers.
    pub(super) fn hide_names(&self) -> bool {
        let builds = |word: &String| {
            matches!(word.as_str(), "execute" | "dblink")
                || word.starts_with("dblink_")
                || word.contains("to_xml")
        };
        self.words.iter().any(builds) || self.text.contains("u&\"") || self.text.contains("\"\"")
    }
}

/// Statements of a script, cut at every semicolon.
pub(super) fn statements(script: &str) -> impl Iterator<Item = &str> {
    script.split(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let words = Words::of("select nextval('public.Notes_seq'::regclass), \"my table\".x from a.notes$1");
        for name in ["notes_seq", "Notes_Seq", "my table", "notes$1", "public"] {
            assert!(words.have(name), "{name}");
        }
        assert!(!words.have("notes") && !words.have("seq"));
        assert!(!words.hide_names());
        assert!(Words::of("begin execute 'upd' || 'ate x'; end").hide_names());
        assert!(Words::of("select U&\"\\0061\"").hide_names());
    }
}
