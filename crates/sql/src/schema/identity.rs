//! Options of identity columns, in any order, as PostgreSQL takes them.

use sqlparser::ast::{Expr, SequenceOptions};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_services::database::Sequence;

/// A statement whose options of identities stand in the one order that the parser reads; `None` if
/// it has none. The sequence's name and what does not change its numbers is left out.
pub(super) fn reordered(text: &str) -> Option<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize().ok()?;
    let (mut result, mut found) = (String::with_capacity(text.len()), false);
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        result.push_str(&token.to_string());
        rest = after;
        if !is(token, "identity") {
            continue;
        }
        let blanks = rest.iter().take_while(|token| matches!(token, Token::Whitespace(_))).count();
        let Some((Token::LParen, inside)) = rest[blanks..].split_first() else { continue };
        let end = inside.iter().position(|token| *token == Token::RParen)?;
        result.push_str(&options(&inside[..end]));
        rest = &inside[end + 1..];
        found = true;
    }
    found.then_some(result)
}

fn is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn options(tokens: &[Token]) -> String {
    let number_after = |word: &str| {
        let at = tokens.iter().position(|token| is(token, word))?;
        let mut sign = "";
        for token in &tokens[at + 1..] {
            match token {
                Token::Minus => sign = "-",
                Token::Number(number, _) => return Some(format!("{sign}{number}")),
                Token::Whitespace(_) => {}
                word if is(word, "with") || is(word, "by") => {}
                _ => return None,
            }
        }
        None
    };
    let increment = number_after("increment").map(|number| format!("INCREMENT BY {number}"));
    let start = number_after("start").map(|number| format!("START WITH {number}"));
    let all: Vec<String> = increment.into_iter().chain(start).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(" ")) }
}

/// How an identity column's options let it count.
pub(super) fn counted(options: &[SequenceOptions]) -> Sequence {
    let number = |expr: &Expr| expr.to_string().replace(' ', "").parse::<i64>().ok();
    let mut sequence = Sequence::default();
    for option in options {
        match option {
            SequenceOptions::IncrementBy(by, _) => sequence.increment = number(by).unwrap_or(1),
            SequenceOptions::StartWith(start, _) => sequence.start = number(start).unwrap_or(1),
            _ => {}
        }
    }
    sequence
}
