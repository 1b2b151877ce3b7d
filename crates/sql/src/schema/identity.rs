//! Options of identity columns, in any order, as PostgreSQL takes them.

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::Statement;

/// A statement whose options of identities stand in the one order that the parser reads; `None` if
/// it has none. The sequence's name and what does not change its numbers is left out.
pub(super) fn reordered(text: &str) -> Option<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().ok()?;
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

/// The first option of an identity in a statement that gives other numbers than 1, 2, 3.
pub(crate) fn uncommon(statement: &Statement) -> Option<String> {
    use ast::{AlterColumnOperation, AlterTableOperation as Operation, ColumnOption, Statement as Parsed};
    let of_column = |column: &ast::ColumnDef| {
        column.options.iter().find_map(|option| match &option.option {
            ColumnOption::Generated { sequence_options: Some(options), .. } => first(options),
            _ => None,
        })
    };
    match statement.parsed.as_deref()? {
        Parsed::CreateTable(table) => table.columns.iter().find_map(of_column),
        Parsed::AlterTable(alter) => alter.operations.iter().find_map(|operation| match operation {
            Operation::AddColumn { column_def, .. } => of_column(column_def),
            Operation::AlterColumn {
                op: AlterColumnOperation::AddGenerated { sequence_options: Some(options), .. },
                ..
            } => first(options),
            _ => None,
        }),
        _ => None,
    }
}

fn first(options: &[ast::SequenceOptions]) -> Option<String> {
    let other = |option: &&ast::SequenceOptions| match option {
        ast::SequenceOptions::IncrementBy(by, _) => by.to_string() != "1",
        ast::SequenceOptions::StartWith(start, _) => start.to_string() != "1",
        _ => false,
    };
    options.iter().find(other).map(|option| option.to_string().trim().to_lowercase())
}
