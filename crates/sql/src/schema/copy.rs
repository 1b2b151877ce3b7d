//! Tables made of others: `create table … as` and `create table … (like …)`.

use sqlparser::ast::{CreateTable, Query, Statement as Parsed};
use sqlparser::tokenizer::Token;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Identity, Index, Table, TableName, UniqueKey};

use super::names::{generated, ident, relation_taken};
use super::own::{Own, Words, unreadable};
use super::{Kind, Statement, defaults, fault, no_such_table, views};
use crate::quote::qualified;

/// What is taken over besides names, types and what is not null.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Including {
    defaults: bool,
    constraints: bool,
    identity: bool,
    generated: bool,
    indexes: bool,
    comments: bool,
}

/// `create table … (like …)`; `None` if it is another.
pub(super) fn read(words: &mut Words<'_>) -> Option<Result<Own, String>> {
    let if_not_exists = words.skip(&["if", "not", "exists"]);
    let name = words.relation()?;
    if !words.take_token(&Token::LParen) || !words.take("like") {
        return None;
    }
    let source = words.relation()?;
    let mut including = Including::default();
    while !words.take_token(&Token::RParen) {
        if words.take_token(&Token::Comma) {
            let reason = "a table like another one with more columns: add them to it with \"alter table\"";
            return Some(Err(reason.into()));
        }
        let set = match words.word().as_deref() {
            Some("including") => true,
            Some("excluding") => false,
            _ => return Some(Err(unreadable("\"like\""))),
        };
        match words.word().as_deref() {
            Some("all") => {
                including = Including {
                    defaults: set,
                    constraints: set,
                    identity: set,
                    generated: set,
                    indexes: set,
                    comments: set,
                }
            }
            Some("defaults") => including.defaults = set,
            Some("constraints") => including.constraints = set,
            Some("identity") => including.identity = set,
            Some("generated") => including.generated = set,
            Some("indexes") => including.indexes = set,
            Some("comments") => including.comments = set,
            // How rows are stored and planned with.
            _ => {}
        }
    }
    Some(Ok(Own::Like { name, if_not_exists, source, including }))
}

pub(super) fn like(
    catalog: &mut Catalog,
    name: &TableName,
    if_not_exists: bool,
    source: &TableName,
    including: Including,
) -> Result<()> {
    if catalog.tables.contains_key(name) {
        let error = || fault("42P07", format!("relation \"{}\" already exists", name.name));
        return if if_not_exists { Ok(()) } else { Err(error()) };
    }
    let from = catalog.table(source).ok_or_else(|| no_such_table(source))?;
    let mut table = Table { columns: from.columns.clone(), ..Table::default() };
    for column in &mut table.columns {
        if including.defaults && column.identity == Some(Identity::Serial) {
            return Err(Error::unsupported(format!(
                "a table like {source}, whose column {} shares its numbers with it then: exclude defaults, or make \
                 it an identity",
                column.name
            )));
        }
        let keeps_identity = including.identity && column.identity != Some(Identity::Serial);
        column.identity = column.identity.filter(|_| keeps_identity);
        column.default = column.default.take().filter(|_| including.defaults);
        column.generated = column.generated.take().filter(|_| including.generated);
        column.comment = column.comment.take().filter(|_| including.comments);
    }
    if including.constraints {
        table.checks = from.checks.iter().filter(|check| check.partition.is_none()).cloned().collect();
    }
    if including.comments {
        table.comment.clone_from(&from.comment);
    }
    if including.indexes {
        keys(catalog, from, name, &mut table);
    }
    table.grants = defaults::of_table(catalog, name);
    catalog.schemas.entry(name.schema.clone()).or_default();
    catalog.tables.insert(name.clone(), table);
    Ok(())
}

/// Gives a new table the keys and indexes of another, under names of its own.
pub(super) fn keys(catalog: &Catalog, from: &Table, name: &TableName, table: &mut Table) {
    table.primary_key.clone_from(&from.primary_key);
    let taken = |table: &Table, called: &str| {
        let own = table.unique_keys.iter().any(|key| key.name == called)
            || table.indexes.iter().any(|index| index.name == called);
        own || relation_taken(catalog, &name.schema, called)
    };
    for key in &from.unique_keys {
        let called = generated(&name.name, &key.columns, "key", |called| taken(table, called));
        table.unique_keys.push(UniqueKey { name: called, ..key.clone() });
    }
    for index in &from.indexes {
        let plain =
            |term: &String| from.column(term.trim_matches('"')).map_or("expr".into(), |c| c.name.clone());
        let columns: Vec<String> = index.terms.iter().map(plain).collect();
        let called = generated(&name.name, &columns, "idx", |called| taken(table, called));
        table.indexes.push(Index { name: called, ..index.clone() });
    }
}

/// The table that holds what a query finds.
pub(super) fn of_query(catalog: &Catalog, create: &CreateTable, query: &Query) -> Result<Table> {
    let mut columns = views::columns(catalog, query)?;
    for (column, given) in columns.iter_mut().zip(&create.columns) {
        column.name = ident(&given.name);
    }
    for column in &mut columns {
        column.comment = None;
    }
    Ok(Table { columns, ..Table::default() })
}

/// A statement, and the one that fills the table it makes of a query.
pub(super) fn filled(statement: Statement) -> Vec<Statement> {
    let query = match statement.parsed.as_deref() {
        Some(Parsed::CreateTable(create)) if statement.kind == Kind::Schema => create
            .query
            .as_ref()
            .map(|query| (super::table_name(&create.name), query.to_string(), create.if_not_exists)),
        _ => None,
    };
    let Some((name, query, if_not_exists)) = query else { return vec![statement] };
    if if_not_exists {
        let reason = "a table made of a query only if it is not there runs on PostgreSQL only: leave \"if not \
                      exists\" away";
        return vec![Statement { kind: Kind::Unknown(reason.into()), parsed: None, ..statement }];
    }
    let text = format!("insert into {} {query}", qualified(&name));
    let filling = Statement {
        parsed: super::parse_one(&text).ok().map(Box::new),
        kind: Kind::Data,
        text,
        ..statement.clone()
    };
    vec![statement, filling]
}
