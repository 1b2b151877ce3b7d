//! Statements that the parser of SQL does not read, or not whole.

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::Result;
use truststream_services::database::{Catalog, Sequence, TableName};

use super::{altered, casts, comments, defaults, sequences};
use crate::quote::qualified;

/// Such a statement.
#[derive(Clone, Debug)]
pub(crate) enum Own {
    /// `alter default privileges …`
    Defaults(defaults::Change),
    /// `create extension …`
    Extension(String),
    /// `create sequence …`
    CreateSequence { name: TableName, if_not_exists: bool, sequence: Sequence },
    /// `alter sequence …`
    AlterSequence { name: TableName, if_exists: bool, change: sequences::Change },
    /// `alter function …`
    AlterFunction { name: TableName, parameters: Option<usize>, change: altered::Change },
    /// `alter view …`
    AlterView { name: TableName, if_exists: bool, change: altered::Change },
    /// `comment on function …`
    Comment { function: TableName, text: Option<String> },
    /// `create table … (like …)`
    Like { name: TableName, if_not_exists: bool, source: TableName, including: super::copy::Including },
    /// `refresh materialized view …`
    Refresh(TableName),
    /// `alter table … attach partition …`
    Attach { parent: TableName, name: TableName, values: ast::ForValues },
    /// `alter table … detach partition …`
    Detach { parent: TableName, name: TableName },
    /// `alter index … attach partition …`
    AttachIndex,
    /// `create cast …`
    CreateCast(casts::Written),
    /// `drop cast …`
    DropCast(casts::Dropped),
    /// `create domain …`
    Domain { domain: Box<ast::CreateDomain>, not_null: bool },
}

/// The statement that a text is, if it is one of them; the reason if it can't be held anywhere.
pub(super) fn read(text: &str) -> Option<Result<Own, String>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize().ok()?;
    let mut words = Words::new(&tokens);
    let verb = words.word()?;
    let refused = |what: &str| Some(Err(format!("{what} can't be kept in the catalog")));
    match (verb.as_str(), words.word()?.as_str()) {
        ("alter", "default") => Some(defaults::read(&mut words).map(Own::Defaults)),
        ("create", "extension") => {
            words.skip(&["if", "not", "exists"]);
            words.name().map(|mut name| Ok(Own::Extension(name.pop().unwrap_or_default().to_lowercase())))
        }
        ("create", "temporary" | "temp") if words.take("sequence") => refused("a temporary sequence"),
        ("create", "sequence") => Some(sequences::create(&mut words)),
        ("alter", "function") => Some(altered::function(&mut words)),
        ("alter", "view") => Some(altered::view(&mut words)),
        ("alter", "sequence") => Some(sequences::alter(&mut words)),
        ("alter", "table") => super::partitions::read(&mut words, false),
        ("alter", "index") => super::partitions::read(&mut words, true),
        ("create", "table") => super::copy::read(&mut words),
        ("create", "cast") => Some(casts::create(&mut words)),
        ("drop", "cast") => Some(casts::remove(&mut words)),
        ("create", "domain") => domain(&mut words).map(Ok),
        ("refresh", "materialized") => refreshed(&mut words).map(Ok),
        ("comment", "on") => comments::read(&mut words).map(Ok),
        _ => None,
    }
}

/// What a refreshed view shows is new in any case: there is none without rows here.
fn refreshed(words: &mut Words<'_>) -> Option<Own> {
    if !words.take("view") {
        return None;
    }
    words.take("concurrently");
    words.relation().map(Own::Refresh)
}

/// A domain: the parser wants the word `as`, and knows no `not null`.
fn domain(words: &mut Words<'_>) -> Option<Own> {
    let name = words.relation()?;
    words.take("as");
    let (mut text, mut depth, mut not_null) =
        (format!("create domain {} as", qualified(&name)), 0_usize, false);
    while let Some(token) = words.peek() {
        if depth == 0 && words.skip(&["not", "null"]) {
            not_null = true;
            continue;
        }
        depth += usize::from(*token == Token::LParen);
        depth -= usize::from(*token == Token::RParen && depth > 0);
        text.push_str(&format!(" {token}"));
        words.next();
    }
    match super::parse_one(&text).ok()? {
        ast::Statement::CreateDomain(domain) => Some(Own::Domain { domain: Box::new(domain), not_null }),
        _ => None,
    }
}

pub(super) fn apply(catalog: &mut Catalog, own: &Own) -> Result<()> {
    match own {
        Own::Defaults(change) => defaults::apply(catalog, change),
        Own::Extension(_) => Ok(()),
        Own::CreateSequence { name, if_not_exists, sequence } => {
            sequences::insert(catalog, name, sequence, *if_not_exists)
        }
        Own::AlterSequence { name, if_exists, change } => {
            sequences::change(catalog, name, change, *if_exists)
        }
        Own::AlterFunction { name, parameters, change } => {
            altered::alter_function(catalog, name, *parameters, change)
        }
        Own::AlterView { name, if_exists, change } => altered::alter_view(catalog, name, *if_exists, change),
        Own::Comment { function, text } => comments::apply(catalog, function, text.as_ref()),
        Own::Like { name, if_not_exists, source, including } => {
            super::copy::like(catalog, name, *if_not_exists, source, *including)
        }
        Own::CreateCast(cast) => casts::apply(catalog, cast),
        Own::DropCast(cast) => casts::drop(catalog, cast),
        Own::Domain { domain, not_null } => super::domains::create(catalog, domain, *not_null),
        Own::Attach { parent, name, values } => super::attach::attach(catalog, parent, name, values),
        Own::Detach { parent, name } => super::attach::detach(catalog, parent, name),
        // The one reads and writes rows, the other follows from the tables.
        Own::Refresh(_) | Own::AttachIndex => Ok(()),
    }
}

/// The words of a statement, one after another.
pub(super) struct Words<'t> {
    tokens: Vec<&'t Token>,
    at: usize,
}

impl<'t> Words<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        let tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
        Words { tokens, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<&'t Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).copied()
    }

    /// The next word in lower case.
    pub(super) fn word(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(one)) if one.quote_style.is_none() && one.value.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    /// Passes over these words if they come; whether they did.
    pub(super) fn skip(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        let all = words.iter().all(|word| self.take(word));
        if !all {
            self.at = before;
        }
        all
    }

    /// The parts of a dotted name.
    pub(super) fn name(&mut self) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        loop {
            let Some(Token::Word(word)) = self.next() else { return None };
            parts.push(if word.quote_style.is_some() {
                word.value.clone()
            } else {
                word.value.to_lowercase()
            });
            if !self.take_token(&Token::Period) {
                return Some(parts);
            }
        }
    }

    /// The name of a relation.
    pub(super) fn relation(&mut self) -> Option<TableName> {
        let mut parts = self.name()?;
        let name = parts.pop()?;
        Some(TableName { schema: parts.pop().unwrap_or_else(|| "public".into()), name })
    }

    /// Names with commas between them.
    pub(super) fn names(&mut self) -> Option<Vec<String>> {
        let mut names = vec![self.name()?.join(".")];
        while self.take_token(&Token::Comma) {
            names.push(self.name()?.join("."));
        }
        Some(names)
    }

    /// A whole number with its sign.
    pub(super) fn number(&mut self) -> Option<i64> {
        let sign = if self.take_token(&Token::Minus) { -1 } else { 1 };
        match self.next()? {
            Token::Number(digits, _) => digits.parse::<i64>().ok().map(|number| sign * number),
            _ => None,
        }
    }

    /// All that is left as text.
    pub(super) fn rest(&mut self) -> String {
        let rest: Vec<_> =
            self.tokens[self.at.min(self.tokens.len())..].iter().map(ToString::to_string).collect();
        self.at = self.tokens.len();
        rest.join(" ")
    }
}

pub(super) fn unreadable(what: &str) -> String {
    format!("this {what} can't be read")
}
