//! Views and policies follow tables and columns that are called otherwise.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Policy, TableKind, TableName};

use crate::quote::quote;

/// Lets what names a table name it anew.
///
/// # Errors
/// 0A000 with the view or policy whose text can't be told apart.
pub(super) fn table(catalog: &mut Catalog, old: &TableName, new: &TableName) -> Result<()> {
    texts(catalog, |catalog, _, text| table_in(catalog, text, old, new), &old.name)?;
    for function in &mut catalog.functions {
        if function.returns.table.as_ref() == Some(old) {
            function.returns.table = Some(new.clone());
            function.returns.type_name = super::shown(new);
        }
    }
    Ok(())
}

/// Lets what names a column of a table name it anew.
///
/// # Errors
/// Those of [`table`].
pub(super) fn column(catalog: &mut Catalog, table: &TableName, old: &str, new: &str) -> Result<()> {
    texts(catalog, |catalog, own, text| column_in(catalog, own, text, (table, old, new)), old)
}

/// Changes each text of a view, and of a policy with a query; it is given with the policy's table.
fn texts(
    catalog: &mut Catalog,
    change: impl Fn(&Catalog, Option<&TableName>, &str) -> Option<String>,
    name: &str,
) -> Result<()> {
    let known = catalog.clone();
    let refused = |what: String| {
        let text = format!("{what} uses \"{name}\" for more than one thing");
        Err(Error::unsupported(text).with_hint("drop it, change the name, and create it again"))
    };
    for (called, table) in &mut catalog.tables {
        if let TableKind::View { definition, .. } = &mut table.kind {
            match change(&known, None, definition) {
                Some(text) => *definition = text,
                None => return refused(format!("view {}", super::shown(called))),
            }
        }
        let mut lost = Vec::new();
        let mut all = |policies: &mut [Policy], of: &TableName| {
            for policy in policies {
                if !in_policy(policy, |text| change(&known, Some(called), text)) {
                    lost.push(format!("policy {} on table {}", policy.name, super::shown(of)));
                }
            }
        };
        all(&mut table.policies, called);
        if let Some(divided) = &mut table.partitioning {
            divided.each_mut(&mut |one| all(&mut one.policies, &one.name));
        }
        if let Some(first) = lost.into_iter().next() {
            return refused(first);
        }
    }
    Ok(())
}

/// Changes the queries within a policy; whether that could be done.
fn in_policy(policy: &mut Policy, change: impl Fn(&str) -> Option<String>) -> bool {
    let texts = policy.using.iter_mut().chain(&mut policy.check);
    let mut with_query = texts.filter(|text| words(text).iter().any(|word| word == "select"));
    with_query.all(|text| match change(text) {
        Some(changed) => {
            *text = changed;
            true
        }
        None => false,
    })
}

fn tokens(text: &str) -> Vec<Token> {
    let tokens =
        Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize().unwrap_or_default();
    tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect()
}

fn named(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

/// All names in a text.
fn words(text: &str) -> Vec<String> {
    let word = |token: Token| match token {
        Token::Word(word) => Some(named(&word)),
        _ => None,
    };
    tokens(text).into_iter().filter_map(word).collect()
}

/// The tables whose names are in a text.
fn tables<'c>(catalog: &'c Catalog, own: Option<&'c TableName>, text: &str) -> Vec<&'c TableName> {
    let words = words(text);
    let mut found: Vec<_> = catalog.tables.keys().filter(|table| words.contains(&table.name)).collect();
    found.extend(own.filter(|own| !words.contains(&own.name)));
    found
}

fn has(catalog: &Catalog, table: &TableName, column: &str) -> bool {
    catalog.table(table).is_some_and(|table| table.column(column).is_some())
}

/// A text with each name that `replaced` has another for.
fn rewritten(text: &str, replaced: impl Fn(&[Token], usize, &Word) -> Option<String>) -> String {
    let tokens = tokens(text);
    let mut parts: Vec<String> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let part = match token {
            Token::Word(word) => replaced(&tokens, at, word),
            _ => None,
        };
        parts.push(part.unwrap_or_else(|| token.to_string()));
    }
    parts.join(" ").replace(" . ", ".").replace(" (", "(").replace("( ", "(").replace(" )", ")")
}

fn table_in(catalog: &Catalog, text: &str, old: &TableName, new: &TableName) -> Option<String> {
    if !words(text).contains(&old.name) {
        return Some(text.to_owned());
    }
    if tables(catalog, None, text).into_iter().any(|table| has(catalog, table, &old.name)) {
        return None;
    }
    Some(rewritten(text, |tokens, at, word| {
        let dotted = at > 0 && tokens[at - 1] == Token::Period;
        let in_schema = match at.checked_sub(2).map(|at| &tokens[at]) {
            Some(Token::Word(schema)) if dotted => named(schema) == old.schema,
            _ => !dotted && old.schema == "public",
        };
        let called = tokens.get(at + 1) == Some(&Token::LParen);
        (named(word) == old.name && in_schema && !called).then(|| quote(&new.name))
    }))
}

fn column_in(
    catalog: &Catalog,
    own: Option<&TableName>,
    text: &str,
    (table, old, new): (&TableName, &str, &str),
) -> Option<String> {
    let named_here = tables(catalog, own, text);
    if !named_here.contains(&table) || !words(text).iter().any(|word| word == old) {
        return Some(text.to_owned());
    }
    let others = || named_here.iter().filter(|other| **other != table);
    if others().any(|other| has(catalog, other, old) || has(catalog, other, new)) {
        return None;
    }
    let tokens = tokens(text);
    let is = |token: &Token, name: &str| matches!(token, Token::Word(word) if named(word) == name);
    if tokens.windows(2).any(|pair| is(&pair[0], "as") && is(&pair[1], old)) {
        return None;
    }
    Some(rewritten(text, |tokens, at, word| {
        let other = matches!(tokens.get(at + 1), Some(Token::LParen | Token::Period))
            || at > 0 && tokens[at - 1] == Token::DoubleColon;
        (named(word) == old && !other).then(|| quote(new))
    }))
}
