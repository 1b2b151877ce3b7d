//! Views: kept with their text; their columns and relationships follow from the query.

use std::collections::{HashMap, HashSet};

use sqlparser::ast::{CreateTableOptions, CreateView, Query, SqlOption, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Link, Relationship, Table, TableKind, TableName,
};

use super::fault;
use super::names::{ident, table_name};
use super::type_names::enum_name;
use super::view_columns::{self, Shown, of_table};
use crate::expression::{Rights, Scope, Translator, Unsupported, is_caseless, known};
use crate::quote::quote;

pub(super) fn create(catalog: &mut Catalog, view: &CreateView) -> Result<()> {
    let name = table_name(&view.name);
    if view.temporary {
        return Err(Error::unsupported("temporary views run on PostgreSQL only"));
    }
    let before = catalog.table(&name);
    if before.is_some() && view.if_not_exists {
        return Ok(());
    }
    match before.map(|table| &table.kind) {
        Some(TableKind::Table) => {
            return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
        }
        Some(_) if !view.or_replace => {
            return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
        }
        _ => {}
    }
    let mut columns = columns(catalog, &view.query)?;
    for (column, given) in columns.iter_mut().zip(&view.columns) {
        column.name = ident(&given.name);
    }
    let kind = TableKind::View {
        definition: view.query.to_string(),
        insertable: false,
        updatable: false,
        deletable: false,
        invoker: is_invoker(&view.options),
        materialized: view.materialized,
    };
    let grants = super::defaults::of_table(catalog, &name);
    let mut table = Table { kind, columns, grants, ..Table::default() };
    if let Some(before) = before {
        table.grants.clone_from(&before.grants);
        table.comment.clone_from(&before.comment);
        table.triggers.clone_from(&before.triggers);
    }
    catalog.schemas.entry(name.schema.clone()).or_default();
    catalog.tables.insert(name.clone(), table);
    let key = inherited_key(catalog, &name);
    catalog.tables[&name].primary_key = key;
    super::triggers::writable(catalog, &name);
    Ok(())
}

/// A materialized view's text without what says whether it begins with rows: here it does in any case.
/// `None` for other texts.
pub(super) fn without_data(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let ["create", "materialized", ..] = words.as_slice() else { return None };
    let clause = ["with no data", "with data"]
        .into_iter()
        .find(|clause| words.ends_with(&clause.split(' ').collect::<Vec<_>>()))?;
    let start = lower.rfind(clause.split(' ').next()?)?;
    Some(text[..start].to_owned())
}

fn is_invoker(options: &CreateTableOptions) -> bool {
    let CreateTableOptions::With(options) = options else { return false };
    options.iter().any(|option| match option {
        SqlOption::KeyValue { key, value } if ident(key) == "security_invoker" => {
            let value = value.to_string().trim_matches('\'').to_lowercase();
            matches!(value.as_str(), "true" | "on" | "1" | "yes")
        }
        _ => false,
    })
}

pub(super) fn columns(catalog: &Catalog, query: &Query) -> Result<Vec<Column>> {
    let (_, found) = Translator::new(&Scope::new(catalog)).query(query)?;
    let shown = view_columns::of_query(catalog, query);
    let column = |(at, (name, ty)): (usize, (String, truststream_kernel::Type))| {
        let shown = shown.get(at);
        let origin = shown.and_then(|shown| shown.origin.as_ref());
        let base = origin.and_then(|(table, column)| catalog.table(table)?.column(column));
        let type_name = match (base, shown.and_then(|shown| shown.domain.as_ref())) {
            (Some(base), _) => base.type_name.clone(),
            (None, Some(domain)) => enum_name(domain),
            (None, None) => ty.sql_name(),
        };
        Column {
            ty: if is_caseless(&ty) { truststream_kernel::Type::Text } else { ty },
            type_name,
            name,
            nullable: true,
            default: None,
            identity: None,
            generated: None,
            comment: base.and_then(|base| base.comment.clone()),
        }
    };
    Ok(known(found)?.into_iter().enumerate().map(column).collect())
}

/// A view's query as SQLite's, with the view's columns. `scope` says what it reads from.
///
/// # Errors
/// What can't be translated, such as a column that there is no longer.
pub fn view_query(scope: &Scope<'_>, view: &Table) -> Result<String, Unsupported> {
    let TableKind::View { definition, invoker, .. } = &view.kind else {
        return Err(Unsupported::new("", "this is no view"));
    };
    let query = parsed(definition).ok_or_else(|| Unsupported::new(definition, "this is no query"))?;
    let rights = if *invoker { Rights::Caller } else { Rights::View };
    let (sql, found) = Translator::new(scope).with_rights(rights).query(&query)?;
    // Columns that its tables were given later are not the view's.
    let names = (0..found.len()).map(|at| match view.columns.get(at) {
        Some(column) => quote(&column.name),
        None => quote(&format!("c{at}")),
    });
    let names: Vec<_> = names.collect();
    let shown: Vec<_> = view.columns.iter().map(|column| quote(&column.name)).collect();
    Ok(format!("WITH q({}) AS ({sql}) SELECT {} FROM q", names.join(", "), shown.join(", ")))
}

pub(super) fn parsed(definition: &str) -> Option<Query> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, definition).ok()?;
    match statements.into_iter().next() {
        Some(Statement::Query(query)) => Some(*query),
        _ => None,
    }
}

/// Gives the views over a table the key that it has now: dumps make keys after views.
pub(super) fn inherit_keys(catalog: &mut Catalog, table: &TableName) {
    let mut changed = vec![table.clone()];
    let mut at = 0;
    while let Some(below) = changed.get(at).map(|below| below.name.clone()) {
        at += 1;
        let over = |(_, one): &(&TableName, &Table)| match &one.kind {
            TableKind::View { definition, .. } => definition.contains(&below),
            TableKind::Table => false,
        };
        let found = catalog.tables.iter().filter(over).map(|(name, _)| name.clone());
        let found: Vec<_> = found.filter(|name| !changed.contains(name)).collect();
        for view in found {
            let key = inherited_key(catalog, &view);
            catalog.tables[&view].primary_key = key;
            changed.push(view);
        }
    }
}

/// The view's columns that are primary keys of its tables, as PostgREST takes them for its key.
fn inherited_key(catalog: &Catalog, view: &TableName) -> Vec<String> {
    let columns = of_table(catalog, view);
    let tables = columns.iter().filter_map(|column| column.origin.as_ref().map(|(table, _)| table));
    let mut once = HashSet::new();
    let tables = tables.filter(|table| once.insert(*table));
    tables.filter_map(|table| seen(&columns, table, &catalog.table(table)?.primary_key)).flatten().collect()
}

/// The names under which columns of a table are seen; `None` if one is not, or there are none.
fn seen(shown: &[Shown], table: &TableName, columns: &[String]) -> Option<Vec<String>> {
    let name = |column: &String| {
        let same = |origin: &Option<_>| matches!(origin, Some((t, c)) if t == table && c == column);
        shown.iter().find(|shown| same(&shown.origin)).map(|shown| shown.name.clone())
    };
    if columns.is_empty() { None } else { columns.iter().map(name).collect() }
}

/// The relationships that views have by the foreign keys of their tables.
pub fn view_relationships(catalog: &Catalog) -> Vec<Relationship> {
    let views = catalog.tables.iter().filter(|(_, table)| table.kind != TableKind::Table);
    let shown: HashMap<&TableName, _> = views.map(|(name, _)| (name, of_table(catalog, name))).collect();
    let mut found = Vec::new();
    for (name, table) in &catalog.tables {
        for key in &table.foreign_keys {
            let ends = |base: &TableName, columns: &[String]| {
                let views = shown
                    .iter()
                    .filter_map(|(view, shown)| Some(((*view).clone(), seen(shown, base, columns)?)));
                std::iter::once((base.clone(), columns.to_vec())).chain(views).collect::<Vec<_>>()
            };
            for from in ends(name, &key.columns) {
                for to in ends(&key.references, &key.referenced_columns) {
                    if from.0 != *name || to.0 != key.references {
                        found.extend(related(table, key, &from, &to));
                    }
                }
            }
        }
    }
    found.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
    found
}

type End = (TableName, Vec<String>);

/// A foreign key between two ends; both ways where each row has at most one partner.
fn related(table: &Table, key: &ForeignKey, from: &End, to: &End) -> Vec<Relationship> {
    let same = |columns: &[String]| {
        columns.len() == key.columns.len() && columns.iter().all(|column| key.columns.contains(column))
    };
    let unique = same(&table.primary_key) || table.unique_keys.iter().any(|unique| same(&unique.columns));
    let one = |from: &End, to: &End| Relationship {
        from: from.0.clone(),
        to: to.0.clone(),
        link: Link::Key {
            constraint: key.name.clone(),
            columns: from.1.iter().cloned().zip(to.1.iter().cloned()).collect(),
        },
        to_one: true,
    };
    let mut both = vec![one(from, to)];
    both.extend(unique.then(|| one(to, from)));
    both
}
