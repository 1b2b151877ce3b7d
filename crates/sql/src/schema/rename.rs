//! Names within expressions, when what they name is called otherwise.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_services::database::{Partition, Partitioning, Policy, Table};

use crate::quote::quote;

/// An expression over one table with a column's new name.
pub(super) fn column_in(expression: &str, old: &str, new: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, expression).with_unescape(false).tokenize() else {
        return expression.to_owned();
    };
    let mut renamed = String::with_capacity(expression.len());
    for (at, token) in tokens.iter().enumerate() {
        let is_type = at > 0 && tokens[at - 1] == Token::DoubleColon;
        let is_call = tokens.get(at + 1) == Some(&Token::LParen);
        match token {
            Token::Word(word) if !is_type && !is_call && names(word, old) => renamed.push_str(&quote(new)),
            other => renamed.push_str(&other.to_string()),
        }
    }
    renamed
}

fn names(word: &sqlparser::tokenizer::Word, column: &str) -> bool {
    if word.quote_style.is_some() { word.value == column } else { word.value.to_lowercase() == column }
}

/// Gives a column its new name among those that decide on partitions.
fn decides_as(partitioning: &mut Partitioning, old: &str, new: &str) {
    partitioning.columns.iter_mut().filter(|name| *name == old).for_each(|name| *name = new.to_owned());
    let within = partitioning.partitions.iter_mut().filter_map(|one| one.partitioning.as_mut());
    within.for_each(|known| decides_as(known, old, new));
}

/// Gives a column its new name wherever its own table names it.
pub(super) fn column_of(table: &mut Table, old: &str, new: &str) {
    let own = table.primary_key.iter_mut();
    let unique = table.unique_keys.iter_mut().flat_map(|key| &mut key.columns);
    let foreign = table.foreign_keys.iter_mut().flat_map(|key| &mut key.columns);
    for name in own.chain(unique).chain(foreign).filter(|name| *name == old) {
        *name = new.to_owned();
    }
    table.partitioning.iter_mut().for_each(|known| decides_as(known, old, new));
    for grant in &mut table.grants {
        grant.columns.iter_mut().filter(|name| *name == old).for_each(|name| *name = new.to_owned());
    }
    let mut texts: Vec<&mut String> = Vec::new();
    for index in &mut table.indexes {
        for term in &mut index.terms {
            if *term == old { *term = new.to_owned() } else { texts.push(term) }
        }
        texts.extend(&mut index.predicate);
    }
    texts.extend(table.checks.iter_mut().map(|check| &mut check.expression));
    texts.extend(table.policies.iter_mut().flat_map(conditions));
    for column in &mut table.columns {
        texts.extend(&mut column.generated);
        if column.name == old {
            column.name = new.to_owned();
        }
    }
    for text in texts {
        *text = column_in(text, old, new);
    }
    let mut of_partition = |partition: &mut Partition| {
        for text in partition.policies.iter_mut().flat_map(conditions) {
            *text = column_in(text, old, new);
        }
    };
    table.partitioning.iter_mut().for_each(|known| known.each_mut(&mut of_partition));
}

/// The conditions of a policy, but for those with a query, which have names of their own.
fn conditions(policy: &mut Policy) -> impl Iterator<Item = &mut String> {
    let parts = policy.using.iter_mut().chain(&mut policy.check);
    parts.filter(|text| !text.to_lowercase().contains("select"))
}
