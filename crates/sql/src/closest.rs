//! The name that was probably meant: a search by shared letter groups, ranked by edit distance.

use std::collections::HashMap;

use truststream_kernel::{Error, ErrorKind};
use truststream_services::database::{Catalog, TableName};

/// Names less alike than this are no suggestion.
const ALIKE: f64 = 0.33;
/// Names more alike than this differ by a slip: as much as PostgREST asks of tables and functions.
const MISSPELT: f64 = 0.75;
/// Candidates by letter groups whose edit distance is computed.
const RANKED: usize = 50;

/// The candidate most like `word`, if one is alike at all.
pub fn closest<'a>(candidates: impl IntoIterator<Item = &'a str>, word: &str) -> Option<&'a str> {
    ranked(candidates, word).into_iter().map(|(_, name)| name).next()
}

/// The candidate that `word` is most likely a misspelling of: most of its letters are there.
pub fn misspelt<'a>(candidates: impl IntoIterator<Item = &'a str>, word: &str) -> Option<&'a str> {
    ranked(candidates, word).into_iter().find(|(score, _)| *score >= MISSPELT).map(|(_, name)| name)
}

/// The candidate most like `word` but not equal to it.
pub fn closest_other<'a>(candidates: impl IntoIterator<Item = &'a str>, word: &str) -> Option<&'a str> {
    ranked(candidates, word).into_iter().find(|(score, _)| *score < 1.0).map(|(_, name)| name)
}

/// The error of a name that is no table's, with the one that was probably meant: PGRST205.
pub fn unknown_table(catalog: &Catalog, name: &TableName) -> Error {
    let message = format!("Could not find the table '{name}' in the schema cache");
    let error = Error::new(ErrorKind::NotFound, "PGRST205", message);
    let same = catalog.tables.keys().filter(|table| table.schema == name.schema);
    match misspelt(same.map(|table| table.name.as_str()), &name.name) {
        Some(near) => error.with_hint(format!("Perhaps you meant the table '{}.{near}'", name.schema)),
        None => error,
    }
}

/// Candidates that are alike, best first, each with its likeness between 0 and 1.
fn ranked<'a>(candidates: impl IntoIterator<Item = &'a str>, word: &str) -> Vec<(f64, &'a str)> {
    let names: Vec<&str> = candidates.into_iter().collect();
    let lower = word.to_lowercase();
    if let Some(name) = names.iter().find(|name| name.to_lowercase() == lower) {
        return vec![(1.0, *name)];
    }
    for size in [3, 2] {
        let found = by_groups(&names, &lower, size);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn by_groups<'a>(names: &[&'a str], word: &str, size: usize) -> Vec<(f64, &'a str)> {
    let wanted = groups(word, size);
    let mut scored: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (cosine(&wanted, &groups(&name.to_lowercase(), size)), *name))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(right.1)));
    scored.truncate(RANKED);
    for (score, name) in &mut scored {
        *score = likeness(&name.to_lowercase(), word);
    }
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    scored.retain(|(score, _)| *score >= ALIKE);
    scored
}

/// How often each group of `size` letters occurs in the word between two hyphens.
fn groups(word: &str, size: usize) -> HashMap<String, f64> {
    let letters: Vec<char> = std::iter::once('-').chain(word.chars()).chain(std::iter::once('-')).collect();
    let mut counts = HashMap::new();
    for group in letters.windows(size) {
        *counts.entry(group.iter().collect()).or_insert(0.0) += 1.0;
    }
    counts
}

fn cosine(left: &HashMap<String, f64>, right: &HashMap<String, f64>) -> f64 {
    let norm = |groups: &HashMap<String, f64>| groups.values().map(|count| count * count).sum::<f64>().sqrt();
    let dot: f64 = left.iter().filter_map(|(group, count)| Some(count * right.get(group)?)).sum();
    if dot == 0.0 { 0.0 } else { dot / (norm(left) * norm(right)) }
}

/// 1 minus the edit distance as a share of the longer word.
fn likeness(left: &str, right: &str) -> f64 {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    1.0 - row[right.len()] as f64 / left.len().max(right.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_and_nothing_far() {
        let names = ["films", "directors", "actors"];
        assert_eq!(closest(names, "film"), Some("films"));
        assert_eq!(closest(names, "actor"), Some("actors"));
        assert_eq!(closest(names, "noclosealternative"), None);
        assert_eq!(closest(["(x, y)"], "(a, b)"), Some("(x, y)"));
        assert_eq!(misspelt(["articles", "collision_test_table"], "non_existent_table"), None);
        assert_eq!(misspelt(["articles"], "artcles"), Some("articles"));
        assert_eq!(closest_other(["roles", "role"], "role"), None);
        assert_eq!(closest_other(["roles"], "role"), Some("roles"));
    }
}
