//! `do` blocks: their statements, where they are nothing but statements.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::split::{Piece, split};
use super::{Kind, Statement, statement, words};

/// The statements of a block; `None` if the text is none.
pub(super) fn read(piece: Piece<'_>) -> Option<Vec<Statement>> {
    if words(piece.text).split([' ', '$', '\'']).next() != Some("do") {
        return None;
    }
    let refused = |why: &str| {
        let kind = Kind::Unknown(format!("{why} runs on PostgreSQL only: write its statements one by one"));
        let text = piece.text.to_owned();
        vec![Statement { line: piece.line, text, kind, parsed: None, own: None, tolerates: Vec::new() }]
    };
    Some(statements(piece).unwrap_or_else(|why| refused(&why)))
}

fn statements(piece: Piece<'_>) -> Result<Vec<Statement>, String> {
    let body = body(piece.text).ok_or("this block of procedural code")?;
    // A block's body is cut as a script is, after the words that open it.
    let offset = piece.text.find(body.as_str()).unwrap_or_default();
    let line = piece.line + piece.text[..offset].matches('\n').count();
    let pieces = split(&body).map_err(|_| "a block that can't be read")?;
    let (mut found, mut tolerates, mut over) = (Vec::<Statement>::new(), Vec::new(), false);
    for (at, inner) in pieces.iter().enumerate() {
        let (mut text, mut start) = (inner.text, inner.line);
        if at == 0 {
            text = without(text, "begin").ok_or("a block that declares variables")?;
            start += inner.text[..inner.text.len() - text.len()].matches('\n').count();
        }
        if let Some(handler) = without(text, "exception") {
            tolerates = conditions(handler)?;
            over = true;
            continue;
        }
        let ends = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ") == "end if";
        if ends && found.last().is_some_and(|one| !one.tolerates.is_empty()) {
            continue;
        }
        if text.eq_ignore_ascii_case("end") || text.is_empty() || text.eq_ignore_ascii_case("null") {
            continue;
        }
        let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
        if over {
            if first != "when" {
                return Err("a handler that does something".into());
            }
            tolerates.extend(conditions(text)?);
            continue;
        }
        if let Some((text, skipped)) = if_missing(text) {
            let mut one = statement(Piece { line: line + start - 1 + skipped, text });
            one.tolerates = DUPLICATES.iter().map(|code| (*code).to_owned()).collect();
            found.push(one);
            continue;
        }
        if matches!(
            first.as_str(),
            "if" | "for" | "loop" | "while" | "execute" | "perform" | "raise" | "end" | "foreach"
        ) {
            return Err(format!("a block with \"{first}\""));
        }
        found.push(statement(Piece { line: line + start - 1, text }));
    }
    // What a handler meets undoes all of the block.
    if !tolerates.is_empty() && found.len() > 1 {
        return Err("a block of several statements with a handler".into());
    }
    for one in found.iter_mut().filter(|_| !tolerates.is_empty()) {
        if !matches!(one.kind, Kind::Schema) {
            return Err("a handler around what is no definition".into());
        }
        one.tolerates.clone_from(&tolerates);
    }
    Ok(found)
}

/// What something that is there already fails with.
const DUPLICATES: &[&str] = &["42710", "42P07", "42701", "42P06"];

/// `if not exists (…) then create …`, where PostgreSQL's own tables are asked for the very name that is
/// made: the statement, and how many lines are before it.
fn if_missing(text: &str) -> Option<(&str, usize)> {
    let lower = text.to_lowercase();
    let rest = lower.strip_prefix("if")?.trim_start().strip_prefix("not exists")?;
    let then = lower.find(") then")? + ") then".len();
    let condition = &lower[lower.len() - rest.len()..then];
    let asked = ["pg_type", "pg_class", "pg_tables", "pg_policies", "pg_constraint", "pg_namespace"];
    let asks =
        asked.iter().any(|table| condition.contains(table)) || condition.contains("information_schema.");
    let made = text[then..].trim_start();
    let words: Vec<String> =
        made.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase).collect();
    let named = condition.split('\'').skip(1).step_by(2).any(|name| words.iter().any(|word| word == name));
    let makes = matches!(words.first().map(String::as_str), Some("create" | "alter"));
    let skipped = text[..text.len() - made.len()].matches('\n').count();
    (asks && named && makes).then_some((made, skipped))
}

/// What stands between the quotes of a block.
fn body(text: &str) -> Option<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().ok()?;
    tokens.into_iter().find_map(|token| match token {
        Token::DollarQuotedString(body) => Some(body.value),
        Token::SingleQuotedString(body) => Some(body),
        _ => None,
    })
}

/// What follows a word at the beginning.
fn without<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let start = text.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    let rest = &text[start.len()..];
    rest.is_empty()
        .then_some(rest)
        .or_else(|| rest.starts_with(char::is_whitespace).then(|| rest.trim_start()))
}

/// The SQLSTATEs of `when a or b then null`.
fn conditions(text: &str) -> Result<Vec<String>, String> {
    let refused = || "a handler that does something".to_owned();
    let lower = text.to_lowercase();
    let inner = lower.trim().strip_prefix("when ").ok_or_else(refused)?;
    let (names, action) = inner.split_once(" then").ok_or_else(refused)?;
    if !matches!(action.trim(), "null" | "") {
        return Err(refused());
    }
    let code = |name: &str| match name.trim() {
        "duplicate_object" => Ok("42710"),
        "duplicate_table" => Ok("42P07"),
        "duplicate_column" => Ok("42701"),
        "duplicate_function" => Ok("42723"),
        "duplicate_schema" => Ok("42P06"),
        "invalid_table_definition" => Ok("42P16"),
        "undefined_object" => Ok("42704"),
        "undefined_table" => Ok("42P01"),
        "undefined_column" => Ok("42703"),
        "undefined_function" => Ok("42883"),
        "others" => Ok("others"),
        other => Err(format!("a handler of {other}")),
    };
    names.split(" or ").map(|name| code(name).map(str::to_owned)).collect()
}
