//! `old` and `new` where a body compares them whole.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::Type;
use truststream_services::database::Table;

use crate::quote::quote;

/// A body in which the comparison of whole rows is spelled out column by column, and the JSON of a row
/// that the event does not have is null.
pub fn spelled_out(body: &str, table: &Table, event: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, body).with_unescape(false).tokenize() else {
        return body.to_owned();
    };
    let mut text = String::with_capacity(body.len());
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        match compared(rest, table).or_else(|| no_json(rest, event)) {
            Some((sql, after)) => {
                // Lines are counted by whoever reads the body.
                let lines = rest[..rest.len() - after.len()]
                    .iter()
                    .map(|token| token.to_string().matches('\n').count());
                text.push_str(&sql);
                text.push_str(&"\n".repeat(lines.sum()));
                rest = after;
            }
            None => {
                text.push_str(&rest[0].to_string());
                rest = &rest[1..];
            }
        }
    }
    text
}

/// What follows the blanks.
fn trimmed(tokens: &[Token]) -> &[Token] {
    let blanks = tokens.iter().take_while(|token| matches!(token, Token::Whitespace(_))).count();
    &tokens[blanks..]
}

fn word(tokens: &[Token]) -> Option<(String, &[Token])> {
    match trimmed(tokens).split_first()? {
        (Token::Word(word), rest) if word.quote_style.is_none() => Some((word.value.to_lowercase(), rest)),
        _ => None,
    }
}

fn take<'t>(tokens: &'t [Token], token: &Token) -> Option<&'t [Token]> {
    trimmed(tokens).split_first().filter(|(first, _)| *first == token).map(|(_, rest)| rest)
}

/// `new`, `new.*` or `row(new.*)`; not a column of it.
fn whole(tokens: &[Token]) -> Option<(String, &[Token])> {
    let (name, rest) = word(tokens)?;
    if name == "row" {
        let (name, rest) = whole(take(rest, &Token::LParen)?)?;
        return Some((name, take(rest, &Token::RParen)?));
    }
    if name != "old" && name != "new" {
        return None;
    }
    match rest {
        [Token::Period, Token::Mul, rest @ ..] => Some((name, rest)),
        [Token::Period, ..] => None,
        _ => Some((name, rest)),
    }
}

/// `new is [not] distinct from old`
fn compared<'t>(tokens: &'t [Token], table: &Table) -> Option<(String, &'t [Token])> {
    if matches!(tokens.first(), Some(Token::Whitespace(_))) {
        return None;
    }
    let (left, rest) = whole(tokens)?;
    let (is, rest) = word(rest).filter(|(word, _)| word == "is")?;
    let (mut next, mut rest) = word(rest)?;
    let negated = next == "not";
    if negated {
        (next, rest) = word(rest)?;
    }
    let (from, rest) = word(rest)?;
    if is != "is" || next != "distinct" || from != "from" {
        return None;
    }
    let (right, rest) = whole(rest)?;
    let columns = table.columns.iter().map(|column| {
        // JSON is kept in one form, so that it is the same where its text is.
        let cast = if matches!(column.ty, Type::Json | Type::Jsonb) { "::text" } else { "" };
        let column = quote(&column.name);
        format!("{left}.{column}{cast} is distinct from {right}.{column}{cast}")
    });
    let differ = columns.collect::<Vec<_>>().join(" or ");
    Some((if negated { format!("(not ({differ}))") } else { format!("({differ})") }, rest))
}

/// `to_jsonb(old)` of what is inserted, `to_jsonb(new)` of what is deleted
fn no_json<'t>(tokens: &'t [Token], event: &str) -> Option<(String, &'t [Token])> {
    if matches!(tokens.first(), Some(Token::Whitespace(_))) {
        return None;
    }
    let (function, rest) = word(tokens)?;
    let ty = match function.as_str() {
        "to_jsonb" => "jsonb",
        "to_json" | "row_to_json" => "json",
        _ => return None,
    };
    let (row, rest) = whole(take(rest, &Token::LParen)?)?;
    let rest = take(rest, &Token::RParen)?;
    let missing = matches!((event, row.as_str()), ("insert", "old") | ("delete", "new"));
    missing.then(|| (format!("null::{ty}"), rest))
}

#[cfg(test)]
mod tests {
    use truststream_services::database::Column;

    use super::*;

    #[test]
    fn rows_are_spelled_out() {
        let column = |name: &str| Column {
            name: name.into(),
            ty: Type::Int4,
            type_name: "integer".into(),
            nullable: true,
            default: None,
            identity: None,
            generated: None,
            comment: None,
        };
        let table = Table { columns: vec![column("a"), column("B")], ..Table::default() };
        let spelled = |text: &str| spelled_out(text, &table, "insert");
        assert_eq!(spelled("x(to_jsonb(OLD), to_jsonb(new))"), "x(null::jsonb, to_jsonb(new))");
        let differ = "(new.\"a\" is distinct from old.\"a\" or new.\"B\" is distinct from old.\"B\")";
        assert_eq!(spelled("if NEW IS DISTINCT FROM OLD then"), format!("if {differ} then"));
        assert_eq!(spelled("if row(new.*) is not distinct from row(old.*)"), format!("if (not {differ})"));
        assert_eq!(spelled("new.a is distinct from old.a"), "new.a is distinct from old.a");
    }
}
