//! `alter function` and `alter view`: rights, names and settings.

use sqlparser::tokenizer::Token;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, TableKind, TableName};

use super::own::{Own, Words, unreadable};
use super::{dependents, fault, no_such_column, no_such_table, shown};

/// What is changed of a function or view.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Whose rights it runs with: those of its owner.
    Definer(bool),
    /// Another name in the same schema.
    Rename(String),
    /// What a column of a view is in rows that are inserted without it; none of the view's own.
    Default { column: String, default: Option<String> },
    /// Nothing that is kept: owner, settings.
    Nothing,
}

pub(super) fn function(words: &mut Words<'_>) -> Result<Own, String> {
    let name = words.relation().ok_or_else(|| unreadable("function"))?;
    let mut types = None;
    if words.take_token(&Token::LParen) {
        let (mut depth, mut given) = (1_usize, 0_usize);
        while depth > 0 {
            match words.next().ok_or_else(|| unreadable("function"))? {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::Comma if depth == 1 => given += 1,
                _ if given == 0 => given = 1,
                _ => {}
            }
        }
        types = Some(given);
    }
    let change = match words.word().unwrap_or_default().as_str() {
        "owner" | "set" | "reset" | "stable" | "volatile" | "immutable" | "cost" | "rows" | "parallel" => {
            Change::Nothing
        }
        "security" => Change::Definer(words.take("definer")),
        "rename" => {
            words.take("to");
            Change::Rename(words.name().and_then(|mut name| name.pop()).ok_or_else(|| unreadable("name"))?)
        }
        other => return Err(format!("\"alter function … {other}\" runs on PostgreSQL only: create it anew")),
    };
    Ok(Own::AlterFunction { name, parameters: types, change })
}

pub(super) fn view(words: &mut Words<'_>) -> Result<Own, String> {
    let if_exists = words.skip(&["if", "exists"]);
    let name = words.relation().ok_or_else(|| unreadable("view"))?;
    let change = match words.word().unwrap_or_default().as_str() {
        "owner" => Change::Nothing,
        "set" if words.take_token(&Token::LParen) && words.take("security_invoker") => {
            let on = !words.take_token(&Token::Eq)
                || matches!(
                    words.rest().trim_matches([' ', ')', '\'']).to_lowercase().as_str(),
                    "true" | "on" | "1" | "yes"
                );
            Change::Definer(!on)
        }
        "reset" if words.take_token(&Token::LParen) && words.take("security_invoker") => {
            Change::Definer(true)
        }
        "rename" if words.take("to") => {
            Change::Rename(words.name().and_then(|mut name| name.pop()).ok_or_else(|| unreadable("name"))?)
        }
        "alter" => {
            words.skip(&["column"]);
            let column = words.name().and_then(|mut name| name.pop()).ok_or_else(|| unreadable("name"))?;
            match (words.skip(&["set", "default"]), words.skip(&["drop", "default"])) {
                (true, _) => Change::Default { column, default: Some(words.rest()) },
                (_, true) => Change::Default { column, default: None },
                _ => return Err(unreadable("change of a column")),
            }
        }
        _ => return Err("this change of a view runs on PostgreSQL only: create it anew".into()),
    };
    Ok(Own::AlterView { name, if_exists, change })
}

/// Changes the functions of a name: those with so many parameters, if that is said.
pub(super) fn alter_function(
    catalog: &mut Catalog,
    name: &TableName,
    parameters: Option<usize>,
    change: &Change,
) -> Result<()> {
    let meant = |function: &&mut truststream_services::database::Function| {
        function.name == *name && parameters.is_none_or(|given| function.parameters.len() == given)
    };
    let before = catalog.clone();
    let mut found = false;
    for function in catalog.functions.iter_mut().filter(meant) {
        found = true;
        match change {
            Change::Definer(definer) => function.security_definer = *definer,
            Change::Rename(new) => function.name.name.clone_from(new),
            Change::Nothing | Change::Default { .. } => {}
        }
    }
    if !found {
        return Err(fault("42883", format!("function {}() does not exist", name.name)));
    }
    if let Change::Rename(new) = change {
        for trigger in catalog.tables.values_mut().flat_map(|table| &mut table.triggers) {
            if trigger.function == *name {
                trigger.function.name.clone_from(new);
            }
        }
        super::casts::rename_function(catalog, name, new);
        let used = dependents::settle(&before, catalog, &format!("function {}()", name.name), false);
        return used.map_err(|error| {
            let details = error.details().and_then(|text| text.as_str()).unwrap_or_default().to_owned();
            Error::unsupported(format!("{details}: drop it, change the name, and create it again"))
        });
    }
    Ok(())
}

pub(super) fn alter_view(
    catalog: &mut Catalog,
    name: &TableName,
    if_exists: bool,
    change: &Change,
) -> Result<()> {
    let Some(view) = catalog.tables.get_mut(name) else {
        return if if_exists { Ok(()) } else { Err(no_such_table(name)) };
    };
    match (&mut view.kind, change) {
        (TableKind::View { invoker, .. }, Change::Definer(definer)) => *invoker = !definer,
        (TableKind::View { .. }, Change::Rename(new)) => {
            return super::alter::rename_table(catalog, name, new);
        }
        (TableKind::View { .. }, Change::Default { column, default }) => {
            let found = view.columns.iter_mut().find(|one| one.name == *column);
            found.ok_or_else(|| no_such_column(column, name))?.default.clone_from(default);
        }
        (TableKind::View { .. }, Change::Nothing) => {}
        (TableKind::Table, _) => return Err(fault("42809", format!("\"{}\" is not a view", shown(name)))),
    }
    Ok(())
}
