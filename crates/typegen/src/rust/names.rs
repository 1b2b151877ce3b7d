//! Names of the schema as names of Rust.

use std::collections::HashSet;

/// Words that can't be names, with or without `r#`.
const RESERVED: &[&str] = &["Self", "_", "crate", "self", "super"];

/// Words that can be names as `r#word`.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that are taken in one place.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// The name, or with a number if it is taken.
    pub(super) fn take(&mut self, name: String) -> String {
        let mut numbers = 2..;
        let mut free = name.clone();
        while !self.0.insert(free.clone()) {
            let number = numbers.next().unwrap_or(i32::MAX);
            free = format!("{}_{number}", name.trim_start_matches("r#"));
        }
        free
    }
}

/// `album_kind` as `AlbumKind`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::new();
    for word in words(name) {
        let mut letters = word.chars();
        out.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        out.extend(letters);
    }
    legal(out)
}

/// `Release date` as `release_date`.
pub(super) fn snake(name: &str) -> String {
    legal(words(name).join("_").to_lowercase())
}

fn words(name: &str) -> Vec<String> {
    let split = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    split.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn legal(name: String) -> String {
    if name.is_empty() {
        return "unnamed".to_owned();
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("_{name}");
    }
    match name.as_str() {
        reserved if RESERVED.contains(&reserved) => format!("{name}_"),
        keyword if KEYWORDS.contains(&keyword) => format!("r#{name}"),
        _ => name,
    }
}
