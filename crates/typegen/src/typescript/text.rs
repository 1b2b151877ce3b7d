//! Writing TypeScript: indentation, names that need quotes.

/// A text that grows by lines.
#[derive(Default)]
pub(super) struct Out {
    text: String,
    depth: usize,
}

impl Out {
    /// Lines as they are.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A line that the following ones are within.
    pub(super) fn open(&mut self, line: &str) {
        self.line(line);
        self.depth += 1;
    }

    pub(super) fn close(&mut self, line: &str) {
        self.depth -= 1;
        self.line(line);
    }

    /// Ends what [`Out::open`] began, without a line.
    pub(super) fn dedent(&mut self) {
        self.depth -= 1;
    }

    /// An object type without members, which takes no key at all.
    pub(super) fn empty(&mut self, name: &str) {
        self.open(&format!("{name}: {{"));
        self.line("[_ in never]: never");
        self.close("}");
    }

    /// An object type with members.
    pub(super) fn members(&mut self, name: &str, is_empty: bool, write: impl FnOnce(&mut Self)) {
        if is_empty {
            return self.empty(name);
        }
        self.open(&format!("{name}: {{"));
        write(self);
        self.close("}");
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    // A JSON string is a string literal of TypeScript.
    serde_json::Value::from(text).to_string()
}

/// A key of an object type.
pub(super) fn key(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    let starts = name.starts_with(|first: char| !first.is_ascii_digit());
    if starts && name.chars().all(plain) { name.to_owned() } else { quoted(name) }
}

/// One of several types; `never` of none.
pub(super) fn union(types: impl Iterator<Item = String>) -> String {
    let types: Vec<_> = types.collect();
    if types.is_empty() { "never".to_owned() } else { types.join(" | ") }
}
