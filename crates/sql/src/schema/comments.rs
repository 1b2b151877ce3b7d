//! `comment on function`, with the types of its parameters or without.

use sqlparser::tokenizer::Token;
use truststream_kernel::Result;
use truststream_services::database::{Catalog, TableName};

use super::fault;
use super::own::{Own, Words};

/// `comment on function …`; `None` for what has its comment elsewhere or nowhere.
pub(super) fn read(words: &mut Words<'_>) -> Option<Own> {
    if !words.take("function") {
        return None;
    }
    let function = words.relation()?;
    loop {
        if words.take("is") {
            break;
        }
        words.next()?;
    }
    let text = match words.next()? {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Some(text.replace("''", "'")),
        Token::DollarQuotedString(text) => Some(text.value.clone()),
        _ => None,
    };
    Some(Own::Comment { function, text })
}

pub(super) fn apply(catalog: &mut Catalog, name: &TableName, text: Option<&String>) -> Result<()> {
    let mut found = false;
    for function in catalog.functions.iter_mut().filter(|function| function.name == *name) {
        function.comment = text.cloned();
        found = true;
    }
    if found {
        return Ok(());
    }
    Err(fault("42883", format!("function {} does not exist", name.name)))
}
