//! Constraints, named as PostgreSQL names them.

use sqlparser::ast::{
    CheckConstraint, ColumnDef, ColumnOption, ConstraintCharacteristics, DeferrableInitial, Expr,
    ForeignKeyConstraint, Ident, IndexColumn, NullsDistinctOption, TableConstraint,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Check, ForeignKey, ReferentialAction, Table, TableName, UniqueKey,
};

use super::create::column_of;
use super::names::{generated, ident, idents, relation_taken, table_name};
use super::{fault, no_such_column, no_such_table, partition_checks, sequences, shown};

/// Adds the constraints written with a column.
pub(super) fn of_column(catalog: &mut Catalog, table: &TableName, definition: &ColumnDef) -> Result<()> {
    let column = vec![ident(&definition.name)];
    for option in &definition.options {
        let name = option.name.as_ref();
        match &option.option {
            ColumnOption::PrimaryKey(key) => {
                primary_key(catalog, table, name.or(key.name.as_ref()), column.clone())?;
            }
            ColumnOption::Unique(key) => {
                refuse_deferred(key.characteristics.as_ref())?;
                let together = key.nulls_distinct == NullsDistinctOption::NotDistinct;
                unique(catalog, table, name.or(key.name.as_ref()), column.clone(), together)?;
            }
            ColumnOption::ForeignKey(key) => {
                foreign_key(catalog, table, name.or(key.name.as_ref()), column.clone(), key)?;
            }
            ColumnOption::Generated { sequence_options, generation_expr: None, .. } => {
                sequences::keep_options(catalog, table, &column[0], sequence_options.as_ref());
            }
            ColumnOption::Check(rule) => check(catalog, table, name.or(rule.name.as_ref()), rule)?,
            _ => {}
        }
    }
    Ok(())
}

/// Adds a constraint of a table.
pub(super) fn add(catalog: &mut Catalog, table: &TableName, constraint: &TableConstraint) -> Result<()> {
    match constraint {
        TableConstraint::PrimaryKey(key) => {
            primary_key(catalog, table, key.name.as_ref(), plain_columns(&key.columns)?)
        }
        TableConstraint::Unique(key) => {
            refuse_deferred(key.characteristics.as_ref())?;
            let together = key.nulls_distinct == NullsDistinctOption::NotDistinct;
            unique(catalog, table, key.name.as_ref(), plain_columns(&key.columns)?, together)
        }
        TableConstraint::ForeignKey(key) => {
            foreign_key(catalog, table, key.name.as_ref(), idents(&key.columns), key)
        }
        TableConstraint::Check(rule) => check(catalog, table, rule.name.as_ref(), rule),
        TableConstraint::PrimaryKeyUsingIndex(key) => {
            let columns = take_index(catalog, table, &ident(&key.index_name))?;
            primary_key(catalog, table, key.name.as_ref().or(Some(&key.index_name)), columns)
        }
        TableConstraint::UniqueUsingIndex(key) => {
            let columns = take_index(catalog, table, &ident(&key.index_name))?;
            unique(catalog, table, key.name.as_ref().or(Some(&key.index_name)), columns, false)
        }
        other => Err(Error::unsupported(format!("constraint \"{other}\" can't be kept in the catalog"))),
    }
}

/// A unique key is checked with each row.
fn refuse_deferred(rule: Option<&ConstraintCharacteristics>) -> Result<()> {
    if rule.is_some_and(|rule| rule.deferrable == Some(true) || rule.initially.is_some()) {
        let text = "a unique key that is checked later than its rows runs on PostgreSQL only";
        return Err(Error::unsupported(text).with_hint("leave \"deferrable\" away"));
    }
    Ok(())
}

fn plain_columns(terms: &[IndexColumn]) -> Result<Vec<String>> {
    let plain = |term| column_of(term).ok_or_else(|| fault("42601", "a key is made of columns".into()));
    terms.iter().map(plain).collect()
}

/// The columns of a unique index that becomes a constraint; the index is no index any more.
fn take_index(catalog: &mut Catalog, table: &TableName, index: &str) -> Result<Vec<String>> {
    let known = definition(catalog, table)?;
    let place = known.indexes.iter().position(|candidate| candidate.name == index && candidate.unique);
    let place = place.ok_or_else(|| fault("42704", format!("index \"{index}\" does not exist")))?;
    let terms = known.indexes.remove(place).terms;
    Ok(terms.iter().map(|term| term.trim_matches('"').to_owned()).collect())
}

fn definition<'a>(catalog: &'a mut Catalog, table: &TableName) -> Result<&'a mut Table> {
    catalog.tables.get_mut(table).ok_or_else(|| no_such_table(table))
}

fn require(table: &TableName, definition: &Table, columns: &[String]) -> Result<()> {
    match columns.iter().find(|column| definition.column(column).is_none()) {
        Some(column) => Err(no_such_column(column, table)),
        None => Ok(()),
    }
}

fn refuse_taken(table: &TableName, definition: &Table, name: &str) -> Result<()> {
    if !is_taken(definition, name) {
        return Ok(());
    }
    let text = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
    Err(fault("42710", text))
}

fn is_taken(definition: &Table, name: &str) -> bool {
    definition.primary_key_name.as_deref() == Some(name)
        || definition.checks.iter().any(|check| check.name == name)
        || definition.foreign_keys.iter().any(|key| key.name == name)
        || definition.unique_keys.iter().any(|key| key.name == name)
}

fn primary_key(
    catalog: &mut Catalog,
    table: &TableName,
    name: Option<&Ident>,
    columns: Vec<String>,
) -> Result<()> {
    let name = name.map(ident).filter(|name| *name != format!("{}_pkey", table.name));
    if let Some(name) = name.as_ref().filter(|name| relation_taken(catalog, &table.schema, name)) {
        return Err(fault("42P07", format!("relation \"{name}\" already exists")));
    }
    let known = definition(catalog, table)?;
    require(table, known, &columns)?;
    if !known.primary_key.is_empty() {
        let text = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
        return Err(fault("42P16", text));
    }
    for column in known.columns.iter_mut().filter(|column| columns.contains(&column.name)) {
        column.nullable = false;
    }
    known.primary_key = columns;
    known.primary_key_name = name;
    super::views::inherit_keys(catalog, table);
    Ok(())
}

fn unique(
    catalog: &mut Catalog,
    table: &TableName,
    name: Option<&Ident>,
    columns: Vec<String>,
    nulls_not_distinct: bool,
) -> Result<()> {
    require(table, definition(catalog, table)?, &columns)?;
    let taken = |name: &str| relation_taken(catalog, &table.schema, name);
    let name = match name.map(ident) {
        Some(name) if taken(&name) => {
            return Err(fault("42P07", format!("relation \"{name}\" already exists")));
        }
        Some(name) => name,
        None => generated(&table.name, &columns, "key", taken),
    };
    definition(catalog, table)?.unique_keys.push(UniqueKey { name, columns, nulls_not_distinct });
    Ok(())
}

fn foreign_key(
    catalog: &mut Catalog,
    table: &TableName,
    name: Option<&Ident>,
    columns: Vec<String>,
    key: &ForeignKeyConstraint,
) -> Result<()> {
    let references = table_name(&key.foreign_table);
    let target = catalog.table(&references).ok_or_else(|| no_such_table(&references))?;
    let referenced_columns = match idents(&key.referred_columns) {
        given if !given.is_empty() => given,
        _ if target.primary_key.is_empty() => {
            let text = format!("there is no primary key for referenced table \"{}\"", references.name);
            return Err(fault("42704", text));
        }
        _ => target.primary_key.clone(),
    };
    require(&references, target, &referenced_columns)?;
    require_key(&references, target, &referenced_columns)?;
    let known = definition(catalog, table)?;
    require(table, known, &columns)?;
    if columns.len() != referenced_columns.len() {
        let text = "number of referencing and referenced columns for foreign key disagree";
        return Err(fault("42830", text.into()));
    }
    let name = match name.map(ident) {
        Some(name) => name,
        None => generated(&table.name, &columns, "fkey", |name| is_taken(known, name)),
    };
    refuse_taken(table, known, &name)?;
    let initially = key.characteristics.as_ref().and_then(|rule| rule.initially);
    known.foreign_keys.push(ForeignKey {
        name,
        columns,
        references,
        referenced_columns,
        on_delete: action(key.on_delete),
        on_update: action(key.on_update),
        deferred: initially == Some(DeferrableInitial::Deferred),
    });
    Ok(())
}

fn require_key(name: &TableName, table: &Table, columns: &[String]) -> Result<()> {
    let same = |key: &[String]| key.len() == columns.len() && key.iter().all(|part| columns.contains(part));
    let index = |index: &truststream_services::database::Index| {
        let terms: Vec<_> = index.terms.iter().map(|term| term.trim_matches('"').to_owned()).collect();
        index.unique && index.predicate.is_none() && same(&terms)
    };
    if same(&table.primary_key)
        || table.unique_keys.iter().any(|key| same(&key.columns))
        || table.indexes.iter().any(index)
    {
        return Ok(());
    }
    let text =
        format!("there is no unique constraint matching given keys for referenced table \"{}\"", shown(name));
    Err(fault("42830", text))
}

fn action(action: Option<sqlparser::ast::ReferentialAction>) -> ReferentialAction {
    use sqlparser::ast::ReferentialAction as Written;
    match action {
        None | Some(Written::NoAction) => ReferentialAction::NoAction,
        Some(Written::Restrict) => ReferentialAction::Restrict,
        Some(Written::Cascade) => ReferentialAction::Cascade,
        Some(Written::SetNull) => ReferentialAction::SetNull,
        Some(Written::SetDefault) => ReferentialAction::SetDefault,
    }
}

fn check(
    catalog: &mut Catalog,
    table: &TableName,
    name: Option<&Ident>,
    rule: &CheckConstraint,
) -> Result<()> {
    let known = definition(catalog, table)?;
    let used = columns_in(&rule.expr, known);
    let name = match name.map(ident) {
        Some(name) => name,
        None => {
            let only = if used.len() == 1 { used } else { Vec::new() };
            generated(&table.name, &only, "check", |name| is_taken(known, name))
        }
    };
    let expression = rule.expr.to_string();
    partition_checks::merge(known, &name, &expression)?;
    refuse_taken(table, known, &name)?;
    known.checks.push(Check { name, expression, partition: None });
    Ok(())
}

/// The columns of a table that an expression names.
pub(super) fn columns_in(expression: &Expr, table: &Table) -> Vec<String> {
    let text = expression.to_string();
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &text).tokenize().unwrap_or_default();
    let tokens: Vec<_> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let mut columns = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let called = tokens.get(at + 1) == Some(&Token::LParen);
        let a_type = at > 0 && tokens[at - 1] == Token::DoubleColon;
        let name = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
        if !called && !a_type && table.column(&name).is_some() && !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns
}
