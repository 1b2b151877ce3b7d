//! Functions, tables and views, each after what it is made of.

use std::collections::HashSet;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_services::database::Catalog;

use super::{Kind, Object};

/// Sorts by what definitions name. Objects that name one another in a circle stay as they are.
pub(super) fn sorted(catalog: &Catalog, functions: Vec<Object>, mut relations: Vec<Object>) -> Vec<Object> {
    relations.sort_by_key(|object| object.kind);
    let mut names: Vec<String> = catalog.functions.iter().map(|one| one.name.name.clone()).collect();
    names.extend(
        relations.iter().map(|one| one.table.as_ref().map_or_else(String::new, |table| table.name.clone())),
    );
    let mut left: Vec<(String, HashSet<Word>, Object)> = functions
        .into_iter()
        .chain(relations)
        .zip(names)
        .map(|(object, name)| (name, words(object.head.as_deref().unwrap_or(&object.create)), object))
        .collect();
    let mut sorted = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready =
            (0..left.len()).find(|at| !left.iter().any(|(name, _, other)| needs(&left[*at], name, other)));
        sorted.push(left.remove(ready.unwrap_or_default()).2);
    }
    sorted
}

/// Sorts domains and composite types by what their statements name.
pub(super) fn types(objects: Vec<Object>) -> Vec<Object> {
    let mut left: Vec<(String, HashSet<Word>, Object)> =
        objects.into_iter().map(|object| (made(&object.create), words(&object.create), object)).collect();
    let mut sorted = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let names = |at: usize, name: &str| left[at].1.iter().any(|(word, _)| word == name);
        let waits = |at: usize| left.iter().any(|(name, ..)| *name != left[at].0 && names(at, name));
        let ready = (0..left.len()).find(|at| !waits(*at));
        sorted.push(left.remove(ready.unwrap_or_default()).2);
    }
    sorted
}

/// The name of what a statement makes (`create type shop.size as …`), without its schema.
fn made(create: &str) -> String {
    let head = create.split(" as ").next().unwrap_or_default().split('(').next().unwrap_or_default();
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, head).tokenize().unwrap_or_default();
    let name = tokens.into_iter().rev().find_map(|token| match token {
        Token::Word(word) => Some(word),
        _ => None,
    });
    name.map_or_else(String::new, |word| match word.quote_style {
        Some(_) => word.value,
        None => word.value.to_lowercase(),
    })
}

/// A word of a statement, and whether it is called.
type Word = (String, bool);

fn needs((own, words, object): &(String, HashSet<Word>, Object), name: &str, other: &Object) -> bool {
    if object.key == other.key || (own == name && object.kind == other.kind) {
        return false;
    }
    match (object.kind, other.kind) {
        (Kind::Table | Kind::View, Kind::Function) => words.contains(&(name.to_owned(), true)),
        // The bodies of functions are read when they are called; their signatures are read now.
        (Kind::Function | Kind::View, Kind::Table | Kind::View) => {
            words.contains(&(name.to_owned(), false)) || words.contains(&(name.to_owned(), true))
        }
        _ => false,
    }
}

fn words(text: &str) -> HashSet<Word> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().unwrap_or_default();
    let tokens: Vec<_> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let mut words = HashSet::new();
    for (at, token) in tokens.iter().enumerate() {
        if let Token::Word(word) = token {
            let name =
                if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
            words.insert((name, tokens.get(at + 1) == Some(&Token::LParen)));
        }
    }
    words
}

/// Whether a statement names a relation.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    words(text).iter().any(|(word, _)| word == name)
}
