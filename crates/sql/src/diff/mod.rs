//! What brings one schema to another. Nothing is guessed to be renamed: what is gone is dropped, and
//! what is new is made.

mod columns;
mod enums;
mod grants;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use truststream_services::database::Introspection;

use crate::render::{self, Kind, Object};

/// One statement on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The statement.
    pub sql: String,
    /// What is lost by it, in words, if anything is.
    pub destroys: Option<String>,
}

impl Change {
    fn new(sql: impl Into<String>) -> Self {
        Change { sql: sql.into(), destroys: None }
    }

    fn destroying(sql: impl Into<String>, what: impl Into<String>) -> Self {
        Change { sql: sql.into(), destroys: Some(what.into()) }
    }
}

/// Objects by their keys.
type Keyed<'o> = HashMap<&'o str, &'o Object>;

/// The statements that bring `from` to `to`, in order; none if they are alike.
pub fn diff(from: &Introspection, to: &Introspection) -> Vec<Change> {
    let (before, after) = (render::objects(from), render::objects(to));
    let old: Keyed<'_> = before.iter().map(|one| (one.key.as_str(), one)).collect();
    let new: Keyed<'_> = after.iter().map(|one| (one.key.as_str(), one)).collect();
    let remade = remade(from, to, &before, &new);
    let mut changes: Vec<_> =
        before.iter().rev().filter_map(|one| dropped(one, &before, &new, &remade)).collect();
    let mut made: Vec<Object> = Vec::new();
    let mut written = HashSet::new();
    for object in &after {
        match old.get(object.key.as_str()) {
            Some(before) if !remade.contains(object.key.as_str()) => {
                let altered = altered(from, to, before, object);
                if !altered.is_empty() {
                    flush(&mut changes, &mut made, &after, &mut written);
                    changes.extend(altered);
                }
            }
            _ if written.contains(&object.key) => {}
            _ => made.push(object.clone()),
        }
    }
    flush(&mut changes, &mut made, &after, &mut written);
    changes.extend(grants::gone(&before, &new));
    changes
}

/// Writes what has been gathered to be made; the keys and checks of new tables go with them.
fn flush(changes: &mut Vec<Change>, made: &mut Vec<Object>, after: &[Object], written: &mut HashSet<String>) {
    let tables: HashSet<_> =
        made.iter().filter(|one| one.kind == Kind::Table).filter_map(|one| one.table.clone()).collect();
    let known: HashSet<_> = made.iter().map(|one| one.key.clone()).collect();
    let of_new_table = |one: &&Object| {
        one.inline.is_some()
            && !known.contains(&one.key)
            && one.table.as_ref().is_some_and(|t| tables.contains(t))
    };
    made.extend(after.iter().filter(of_new_table).cloned().collect::<Vec<_>>());
    let statements = render::statements(made);
    changes.extend(statements.into_iter().map(Change::new));
    written.extend(made.drain(..).map(|one| one.key));
}

/// Keys of objects that are in both and have to be made anew.
fn remade(from: &Introspection, to: &Introspection, before: &[Object], new: &Keyed<'_>) -> HashSet<String> {
    let mut remade: HashSet<String> = HashSet::new();
    let mut touched = columns::touched(&from.catalog, &to.catalog);
    for object in before {
        let Some(after) = new.get(object.key.as_str()) else { continue };
        let replaced = match object.kind {
            Kind::Table | Kind::Enum | Kind::Grants | Kind::Comment => false,
            Kind::Function => object.head != after.head && object.create != after.create,
            _ => object.create != after.create,
        };
        if replaced {
            remade.insert(object.key.clone());
            touched.extend(object.table.clone().filter(|_| object.kind == Kind::View));
        }
    }
    // Views stand on tables and views, foreign keys on the keys of their tables.
    loop {
        let more: Vec<&Object> = before
            .iter()
            .filter(|one| one.kind == Kind::View && !remade.contains(&one.key))
            .filter(|one| new.contains_key(one.key.as_str()))
            .filter(|one| touched.iter().any(|table| render::mentions(&one.create, &table.name)))
            .collect();
        if more.is_empty() {
            break;
        }
        remade.extend(more.iter().map(|one| one.key.clone()));
        touched.extend(more.iter().filter_map(|one| one.table.clone()));
    }
    let views: HashSet<_> = before
        .iter()
        .filter(|one| one.kind == Kind::View && remade.contains(&one.key))
        .filter_map(|one| one.table.clone())
        .collect();
    let keys: HashSet<_> = before
        .iter()
        .filter(|one| one.kind == Kind::Key)
        .filter(|one| remade.contains(&one.key) || !new.contains_key(one.key.as_str()))
        .filter_map(|one| one.table.clone())
        .collect();
    let goes_along = |one: &&Object| {
        new.contains_key(one.key.as_str())
            && (one.table.as_ref().is_some_and(|table| views.contains(table))
                || one.refers.as_ref().is_some_and(|table| keys.contains(table)))
    };
    remade.extend(before.iter().filter(goes_along).map(|one| one.key.clone()));
    // A partition comes before what goes with it.
    for object in before.iter().filter(|one| new.contains_key(one.key.as_str())) {
        let partition = object.refers.as_ref().map(|name| format!("partition {name}"));
        if partition.is_some_and(|key| remade.contains(&key)) {
            remade.insert(object.key.clone());
        }
    }
    remade
}

/// The statement that takes an object away, if it has to go and does not go with something else.
fn dropped(object: &Object, before: &[Object], new: &Keyed<'_>, remade: &HashSet<String>) -> Option<Change> {
    let leaves = |one: &Object| remade.contains(&one.key) || !new.contains_key(one.key.as_str());
    if !leaves(object) || object.drop.is_empty() {
        return None;
    }
    let is_relation = |one: &&Object| matches!(one.kind, Kind::Table | Kind::View);
    let relation_goes =
        |table| before.iter().filter(is_relation).any(|one| one.table.as_ref() == Some(table) && leaves(one));
    let is_part = !matches!(object.kind, Kind::Table | Kind::View);
    if is_part && object.table.as_ref().is_some_and(relation_goes) {
        // Tables that refer to one another can be dropped only without what binds them.
        let bound = object
            .refers
            .as_ref()
            .is_some_and(|other| object.table.as_ref() != Some(other) && relation_goes(other));
        return bound.then(|| Change::new(object.drop.clone()));
    }
    Some(match object.kind {
        Kind::Table => {
            let table = object.table.as_ref().map(ToString::to_string).unwrap_or_default();
            Change::destroying(object.drop.clone(), format!("all rows of {table}"))
        }
        Kind::Partition => {
            let partition = object.key.strip_prefix("partition ").unwrap_or(&object.key);
            Change::destroying(object.drop.clone(), format!("all rows of {partition}"))
        }
        Kind::Sequence if !new.contains_key(object.key.as_str()) => {
            Change::destroying(object.drop.clone(), "where the sequence stands")
        }
        _ => Change::new(object.drop.clone()),
    })
}

/// What makes an object that stays what it is in `to`.
fn altered(from: &Introspection, to: &Introspection, before: &Object, after: &Object) -> Vec<Change> {
    match after.kind {
        Kind::Table => match &after.table {
            Some(table) => columns::altered(&from.catalog, &to.catalog, table),
            None => Vec::new(),
        },
        Kind::Enum => enums::altered(&from.catalog, &to.catalog, before, after),
        Kind::Grants if before.create != after.create => grants::altered(from, to, after),
        _ if before.create != after.create => vec![Change::new(after.create.clone())],
        _ => Vec::new(),
    }
}
