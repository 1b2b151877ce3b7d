//! Domains: types with rules of their own. A column of a domain has its rules.

use sqlparser::ast::{CreateDomain, DataType, TableConstraint};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Check, Column, Domain, Table, TableName};

use super::fault;
use super::names::{ident, table_name};
use super::{enum_name, enum_table};
use crate::quote::quote;

pub(super) fn create(catalog: &mut Catalog, create: &CreateDomain, not_null: bool) -> Result<()> {
    let name = table_name(&create.name);
    if catalog.domains.contains_key(&name) || catalog.enums.contains_key(&name) {
        return Err(fault("42710", format!("type \"{}\" already exists", name.name)));
    }
    let mut domain = Domain {
        base: create.data_type.to_string(),
        not_null,
        default: create.default.as_ref().map(ToString::to_string),
        checks: Vec::new(),
    };
    for constraint in &create.constraints {
        let TableConstraint::Check(rule) = constraint else {
            return Err(Error::unsupported(format!("constraint \"{constraint}\" of a domain can't be kept")));
        };
        let number = domain.checks.len();
        let made_up = || match number {
            0 => format!("{}_check", name.name),
            more => format!("{}_check{more}", name.name),
        };
        let called = rule.name.as_ref().map_or_else(made_up, ident);
        domain.checks.push(Check { name: called, expression: rule.expr.to_string(), partition: None });
    }
    catalog.domains.insert(name, domain);
    Ok(())
}

/// The domain that a type is.
pub(super) fn of<'c>(catalog: &'c Catalog, data_type: &DataType) -> Option<&'c Domain> {
    catalog.domains.get(&named(catalog, data_type)?)
}

/// The name of the domain that a type is.
pub(super) fn named(catalog: &Catalog, data_type: &DataType) -> Option<TableName> {
    match data_type {
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            Some(table_name(name)).filter(|name| catalog.domains.contains_key(name))
        }
        _ => None,
    }
}

/// Gives a column the rules of its domain, and its table the domain's checks.
pub(super) fn rule(domain: &Domain, table: &mut Table, column: &mut Column) {
    column.nullable &= !domain.not_null;
    if column.default.is_none() {
        column.default.clone_from(&domain.default);
    }
    table.checks.extend(checks(domain, &column.name));
}

/// The checks that a domain gives the table of a column.
fn checks(domain: &Domain, column: &str) -> impl Iterator<Item = Check> {
    domain.checks.iter().map(move |check| Check {
        name: check.name.clone(),
        expression: with_column(&check.expression, column),
        partition: None,
    })
}

/// The checks that a table has from the domains of its columns.
pub(crate) fn of_table(catalog: &Catalog, table: &Table) -> Vec<Check> {
    let of_column = |column: &Column| {
        let domain = catalog.domains.get(&enum_table(&column.type_name))?;
        Some(checks(domain, &column.name).collect::<Vec<_>>())
    };
    table.columns.iter().filter_map(of_column).flatten().collect()
}

/// What is said of a value that breaks a check of a domain.
pub fn breach(domain: &TableName, check: &str) -> String {
    format!("value for domain {} violates check constraint \"{check}\"", enum_name(domain))
}

/// The error of a row that breaks a check which its table has from the domain of a column; none for a check of
/// the table's own.
pub fn domain_violated(catalog: &Catalog, table: &Table, check: &str) -> Option<Error> {
    let broken = table.checks.iter().find(|known| known.name == check)?;
    let gives = |column: &Column| {
        let (name, domain) = catalog.domains.get_key_value(&enum_table(&column.type_name))?;
        checks(domain, &column.name).any(|one| one == *broken).then_some(name)
    };
    let domain = table.columns.iter().find_map(gives)?;
    Some(Error::new(ErrorKind::Constraint, "23514", breach(domain, check)))
}

/// A domain's condition on a column.
pub(crate) fn with_column(expression: &str, column: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, expression).with_unescape(false).tokenize() else {
        return expression.to_owned();
    };
    let one = |token: &Token| match token {
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("value") => {
            quote(column)
        }
        other => other.to_string(),
    };
    tokens.iter().map(one).collect()
}

/// Drops a domain that no column has.
pub(super) fn drop(catalog: &mut Catalog, name: &TableName) -> Result<bool> {
    let shown = super::shown(name);
    let used = |column: &Column| column.type_name == shown || column.type_name == name.to_string();
    if catalog.tables.values().flat_map(|table| &table.columns).any(used) {
        return Err(fault("2BP01", format!("cannot drop type {shown} because other objects depend on it")));
    }
    Ok(catalog.domains.shift_remove(name).is_some())
}
