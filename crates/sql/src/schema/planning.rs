//! What functions tell PostgreSQL's planner: how many rows to expect, and at what cost.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A function's text without these clauses, which mean nothing to what it does; `None` if it has none.
pub(super) fn without(text: &str) -> Option<String> {
    let tokens = tokens(text)?;
    let (mut result, mut found) = (String::with_capacity(text.len()), false);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match clause(&tokens[at..]) {
            Some((_, length)) => {
                found = true;
                at += length;
            }
            None => {
                result.push_str(&token.to_string());
                at += 1;
            }
        }
    }
    found.then_some(result)
}

/// Whether a function says that the set it returns is of one row.
pub(super) fn one_row(text: &str) -> bool {
    let Some(tokens) = tokens(text) else { return false };
    (0..tokens.len()).any(|at| matches!(clause(&tokens[at..]), Some((Some("1"), _))))
}

/// The tokens of a function's definition.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().ok()?;
    let mut words = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    let create = is(words.next()?, "create");
    let function = |token: &Token| is(token, "function");
    (create && (words.next().is_some_and(function) || words.nth(1).is_some_and(function))).then_some(tokens)
}

/// The rows that the clause at the beginning of these tokens tells of, if it does, and its length.
fn clause(tokens: &[Token]) -> Option<(Option<&str>, usize)> {
    match tokens {
        [word, Token::Whitespace(_), Token::Number(number, _), ..] if is(word, "rows") => {
            Some((Some(number), 3))
        }
        [word, Token::Whitespace(_), Token::Number(..), ..] if is(word, "cost") => Some((None, 3)),
        [not, Token::Whitespace(_), word, ..] if is(not, "not") && is(word, "leakproof") => Some((None, 3)),
        [word, ..] if is(word, "leakproof") => Some((None, 1)),
        _ => None,
    }
}

fn is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_planner_is_told_is_left_out() {
        let text = "create or replace function f() returns setof t language sql not leakproof cost 5 rows 1 \
                    as $$ select * from t limit 2 $$";
        let rest = without(text).unwrap();
        assert!(!rest.contains("rows") && !rest.contains("cost") && !rest.contains("leakproof"), "{rest}");
        assert!(rest.contains("$$ select * from t limit 2 $$"));
        assert!(one_row(text));
        assert!(!one_row("create function f() returns setof t rows 10 as $$ select $$"));
        assert!(without("create table f (cost int)").is_none());
    }
}
