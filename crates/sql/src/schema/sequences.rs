//! Sequences of numbers, and the columns that take theirs from them.

use truststream_kernel::{Result, Type};
use truststream_services::database::{Catalog, Column, Sequence, Table, TableName};

use super::names::{generated, relation_taken};
use super::own::{Own, Words, unreadable};
use super::{fault, identity};
use sqlparser::ast::SequenceOptions;

/// What `alter sequence` changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    start: Option<i64>,
    increment: Option<i64>,
    limit: Option<Option<i64>>,
    owner: Option<Option<(TableName, String)>>,
    rename: Option<String>,
    /// The next number from now on; the start if it is not said.
    restart: Option<Option<i64>>,
}

impl Change {
    /// The number that comes next, if the sequence begins anew.
    pub(crate) fn restarts(&self, sequence: &Sequence) -> Option<i64> {
        self.restart.map(|number| number.unwrap_or(sequence.start))
    }
}

pub(super) fn create(words: &mut Words<'_>) -> Result<Own, String> {
    let if_not_exists = words.skip(&["if", "not", "exists"]);
    let name = words.relation().ok_or_else(|| unreadable("sequence"))?;
    let change = options(words)?;
    let mut sequence = Sequence::default();
    amend(&mut sequence, &change);
    if change.start.is_none() && sequence.increment < 0 {
        sequence.start = -1;
    }
    Ok(Own::CreateSequence { name, if_not_exists, sequence })
}

pub(super) fn alter(words: &mut Words<'_>) -> Result<Own, String> {
    let if_exists = words.skip(&["if", "exists"]);
    let name = words.relation().ok_or_else(|| unreadable("sequence"))?;
    Ok(Own::AlterSequence { name, if_exists, change: options(words)? })
}

/// Options in any order, as PostgreSQL takes them.
pub(super) fn options(words: &mut Words<'_>) -> Result<Change, String> {
    let mut change = Change::default();
    let fault = || unreadable("option of a sequence");
    while words.peek().is_some() {
        match words.word().unwrap_or_default().as_str() {
            "as" | "set" | "sequence" => {
                // A type bounds numbers that no table reaches; a name and a schema are told elsewhere.
                words.take("name");
                words.name().ok_or_else(fault)?;
            }
            "increment" => {
                words.take("by");
                change.increment = Some(words.number().filter(|by| *by != 0).ok_or_else(fault)?);
            }
            "start" => {
                words.take("with");
                change.start = Some(words.number().ok_or_else(fault)?);
            }
            "restart" => {
                words.take("with");
                change.restart = Some(words.number());
            }
            "maxvalue" => change.limit = Some(Some(words.number().ok_or_else(fault)?)),
            "minvalue" | "cache" => {
                words.number().ok_or_else(fault)?;
            }
            "no" => {
                words.next();
            }
            "cycle" => {
                return Err("a sequence that begins again when it is used up runs on PostgreSQL only".into());
            }
            "owned" => {
                words.take("by");
                let mut parts = words.name().ok_or_else(fault)?;
                let column = parts.pop().unwrap_or_default();
                change.owner = Some(parts.pop().map(|table| {
                    (
                        TableName { schema: parts.pop().unwrap_or_else(|| "public".into()), name: table },
                        column,
                    )
                }));
            }
            "owner" => {
                words.rest();
            }
            "rename" => {
                words.take("to");
                change.rename = words.name().and_then(|mut name| name.pop());
            }
            _ => return Err(fault()),
        }
    }
    Ok(change)
}

fn amend(sequence: &mut Sequence, change: &Change) {
    sequence.start = change.start.unwrap_or(sequence.start);
    sequence.increment = change.increment.unwrap_or(sequence.increment);
    if let Some(limit) = change.limit {
        sequence.limit = limit;
    }
    if let Some(owner) = &change.owner {
        sequence.owner.clone_from(owner);
    }
}

pub(super) fn insert(
    catalog: &mut Catalog,
    name: &TableName,
    sequence: &Sequence,
    if_not_exists: bool,
) -> Result<()> {
    if catalog.sequences.contains_key(name) || relation_taken(catalog, &name.schema, &name.name) {
        if if_not_exists {
            return Ok(());
        }
        return Err(fault("42P07", format!("relation \"{}\" already exists", name.name)));
    }
    catalog.sequences.insert(name.clone(), sequence.clone());
    Ok(())
}

pub(super) fn change(
    catalog: &mut Catalog,
    name: &TableName,
    change: &Change,
    if_exists: bool,
) -> Result<()> {
    if !catalog.sequences.contains_key(name) {
        if !exists(catalog, name) {
            return if if_exists { Ok(()) } else { Err(missing(name)) };
        }
        catalog.sequences.insert(name.clone(), Sequence::default());
    }
    let mut sequence = catalog.sequences[name].clone();
    amend(&mut sequence, change);
    match &change.rename {
        None => catalog.sequences[name] = sequence,
        Some(new) => {
            let new = TableName::new(&name.schema, new);
            catalog.sequences.shift_remove(name);
            catalog.sequences.insert(new, sequence);
        }
    }
    Ok(())
}

pub(super) fn missing(name: &TableName) -> truststream_kernel::Error {
    fault("42P01", format!("relation \"{}\" does not exist", super::shown(name)))
}

/// Whether there is such a sequence, by its own name or with a column.
pub fn exists(catalog: &Catalog, name: &TableName) -> bool {
    catalog.sequences.contains_key(name) || column_of(catalog, name).is_some()
}

/// The column whose own sequence this is.
pub fn column_of<'c>(catalog: &'c Catalog, name: &TableName) -> Option<(&'c TableName, &'c Column)> {
    let tables = catalog.tables.iter().filter(|(table, _)| table.schema == name.schema);
    let mut columns =
        tables.flat_map(|(table, definition)| definition.columns.iter().map(move |one| (table, one)));
    columns.find(|(table, column)| column.identity.is_some() && named(table, column) == *name)
}

/// The sequence that a column's numbers come from, and how it counts.
pub fn of_column(catalog: &Catalog, table: &TableName, column: &Column) -> Option<(TableName, Sequence)> {
    let name = match (&column.identity, column.default.as_deref().and_then(called)) {
        (_, Some(name)) => name,
        (Some(_), None) => named(table, column),
        (None, None) => return None,
    };
    let sequence = catalog.sequences.get(&name).cloned().unwrap_or_default();
    Some((name, sequence))
}

/// The column whose numbers are given with the rows themselves: the primary key, if it alone counts
/// by ones.
pub fn row_number<'t>(catalog: &Catalog, name: &TableName, table: &'t Table) -> Option<&'t Column> {
    let [key] = table.primary_key.as_slice() else { return None };
    let column =
        table.column(key).filter(|column| matches!(column.ty, Type::Int2 | Type::Int4 | Type::Int8))?;
    match of_column(catalog, name, column) {
        Some(_) if column.identity.is_none() => None,
        Some((_, sequence)) if sequence.increment != 1 || sequence.limit.is_some() => None,
        None if column.default.is_some() => None,
        _ => Some(column),
    }
}

/// The name of a column's own sequence.
fn named(table: &TableName, column: &Column) -> TableName {
    let name = generated(&table.name, std::slice::from_ref(&column.name), "seq", |_| false);
    TableName::new(&table.schema, name)
}

/// The sequence of a default that is nothing but its next number.
pub(crate) fn called(default: &str) -> Option<TableName> {
    let text = default.to_lowercase().replace("pg_catalog.", "");
    let text = text.trim_start_matches('"').strip_prefix("nextval")?.trim_start_matches('"');
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (name, cast) = inner.trim().strip_prefix('\'')?.split_once('\'')?;
    let cast = cast.trim().replace('"', "");
    (cast.is_empty() || cast == "::regclass" || cast == "::text").then(|| sequence_name(name))
}

/// Whether a default takes numbers of a sequence.
pub(super) fn takes(default: &str, name: &TableName) -> bool {
    let mut quoted = default.split('\'').skip(1).step_by(2);
    default.to_lowercase().contains("nextval") && quoted.any(|text| sequence_name(text) == *name)
}

/// The sequence that a text names.
pub(crate) fn sequence_name(text: &str) -> TableName {
    let bare = text.replace('"', "");
    match bare.split_once('.') {
        Some((schema, name)) => TableName::new(schema, name),
        None => TableName::public(bare),
    }
}

/// Keeps how a column counts, where its options say so.
pub(super) fn keep_options(
    catalog: &mut Catalog,
    table: &TableName,
    column: &str,
    options: Option<&Vec<SequenceOptions>>,
) {
    let mut sequence = identity::counted(options.map_or(&[], Vec::as_slice));
    let known = catalog.table(table).and_then(|definition| definition.column(column));
    let Some(name) = known.map(|column| named(table, column)).filter(|_| sequence != Sequence::default())
    else {
        return;
    };
    sequence.owner = Some((table.clone(), column.to_owned()));
    catalog.sequences.insert(name, sequence);
}

/// Drops sequences that belong to what is there no longer.
pub(super) fn sweep(catalog: &mut Catalog) {
    let tables = &catalog.tables;
    catalog.sequences.retain(|_, sequence| match &sequence.owner {
        Some((table, column)) => tables.get(table).is_some_and(|table| table.column(column).is_some()),
        None => true,
    });
}
