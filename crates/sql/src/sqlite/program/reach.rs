//! What a write may change besides the rows it names, and what a text may read.

use std::collections::BTreeSet;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_services::database::{Catalog, Partitioning, PolicyCommand, TableKind, TableName};

/// The tables whose rows a write to one of them may change: through foreign keys, and by triggers.
pub(super) fn reached(catalog: &Catalog, table: &TableName, command: PolicyCommand) -> BTreeSet<TableName> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![(table.clone(), command != PolicyCommand::Insert)];
    while let Some((name, cascades)) = waiting.pop() {
        if !found.insert(name.clone()) {
            continue;
        }
        for (child, other) in catalog.tables.iter().filter(|_| cascades) {
            if other.foreign_keys.iter().any(|key| key.references == name) {
                waiting.push((child.clone(), true));
            }
        }
        let triggers = catalog.table(&name).into_iter().flat_map(|table| &table.triggers);
        let bodies = triggers.filter_map(|trigger| {
            let functions = &catalog.functions;
            functions.iter().find(|one| one.name == trigger.function)?.body.as_deref()
        });
        waiting.extend(mentioned(catalog, bodies).into_iter().map(|table| (table, true)));
    }
    found
}

/// The tables that texts name, themselves or through functions and views.
pub(super) fn mentioned<'t>(catalog: &Catalog, texts: impl Iterator<Item = &'t str>) -> BTreeSet<TableName> {
    let mut found = BTreeSet::new();
    let mut through = BTreeSet::new();
    let mut waiting: Vec<BTreeSet<String>> = texts.map(words).collect();
    while let Some(words) = waiting.pop() {
        for (name, table) in &catalog.tables {
            if words.contains(&name.name.to_lowercase())
                && found.insert(name.clone())
                && let TableKind::View { definition, .. } = &table.kind
            {
                waiting.push(self::words(definition));
            }
        }
        let parts = catalog.tables.iter().filter(|(_, table)| {
            let mut partitions = table.partitioning.iter().flat_map(Partitioning::all);
            partitions.any(|(_, one)| words.contains(&one.name.name.to_lowercase()))
        });
        found.extend(parts.map(|(name, _)| name.clone()));
        for function in &catalog.functions {
            if words.contains(&function.name.name.to_lowercase()) && through.insert(&function.name) {
                waiting.extend(function.body.as_deref().map(self::words));
            }
        }
    }
    found
}

/// The words of a text in lower case, those within its strings as well.
fn words(text: &str) -> BTreeSet<String> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() else {
        return split(text).collect();
    };
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            Token::Word(word) => found.extend([word.value.to_lowercase()]),
            Token::SingleQuotedString(text) => found.extend(split(&text)),
            _ => {}
        }
    }
    found
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase)
}
