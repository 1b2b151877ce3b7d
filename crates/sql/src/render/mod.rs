//! A schema as PostgreSQL's SQL: every object as the statement that makes it, in an order in which
//! each finds what it depends on.

mod functions;
mod name;
mod object;
mod order;
mod partitions;
mod parts;
mod rights;
mod tables;

#[cfg(test)]
mod tests;

use truststream_services::database::{Introspection, Stage, TableKind, TableName, is_managed};

pub use functions::{PROCEDURE, routine, signature};
pub use name::{name, relation};
pub use object::{Kind, Object};
pub(crate) use order::mentions;
pub use rights::grant_text;
pub(crate) use tables::{column, column_type};

/// The objects of a schema in the order in which they are made.
pub fn objects(found: &Introspection) -> Vec<Object> {
    let catalog = &found.catalog;
    let mut objects = parts::schemas(catalog);
    objects.extend(parts::extensions(found));
    objects.extend(parts::enums(catalog));
    let mut types = parts::domains(catalog);
    types.extend(parts::composites(catalog));
    types.extend(parts::extras(found, Stage::Types));
    objects.extend(order::types(types));
    objects.extend(parts::sequences(catalog));
    objects.extend(order::sorted(catalog, functions::functions(catalog), tables::relations(catalog)));
    for (table, definition) in &catalog.tables {
        if definition.kind == TableKind::Table {
            objects.extend(tables::keys(catalog, table, definition));
        }
    }
    let each = |of: fn(&TableName, &truststream_services::database::Table) -> Vec<Object>| {
        catalog.tables.iter().flat_map(move |(table, definition)| of(table, definition)).collect::<Vec<_>>()
    };
    objects.extend(each(partitions::partitions));
    objects.extend(parts::extras(found, Stage::Constraints));
    objects.extend(each(tables::foreign_keys));
    objects.extend(each(tables::indexes));
    objects.extend(parts::owners(catalog));
    objects.extend(each(functions::triggers));
    objects.extend(parts::casts(found));
    objects.extend(parts::extras(found, Stage::Rules));
    objects.extend(each(rights::row_security));
    objects.extend(each(rights::policies));
    objects.extend(rights::grants(catalog));
    objects.extend(rights::comments(catalog));
    objects.extend(rights::defaults(catalog));
    objects.extend(parts::extras(found, Stage::Rights));
    objects.extend(parts::extras(found, Stage::Publications));
    for object in &mut objects {
        if let Some(exact) = found.definitions.get(&object.key) {
            object.say_exactly(exact);
        }
    }
    objects.retain(|object| {
        !is_managed(&object.schema) || matches!(object.kind, Kind::Policy | Kind::Trigger | Kind::Extension)
    });
    objects
}

/// A script that makes the objects of a schema in an empty database.
pub fn script(found: &Introspection) -> String {
    let statements = statements(&objects(found));
    statements.iter().map(|statement| format!("{statement};\n\n")).collect()
}

/// The statements that make objects. Keys and checks of a table that is among them are part of it.
pub fn statements(objects: &[Object]) -> Vec<String> {
    let made: Vec<&TableName> = objects
        .iter()
        .filter(|object| object.kind == Kind::Table)
        .filter_map(|one| one.table.as_ref())
        .collect();
    let inline = |object: &&Object| {
        object.inline.is_some() && object.table.as_ref().is_some_and(|t| made.contains(&t))
    };
    let mut statements = Vec::new();
    let mut deferred_bodies = false;
    for object in objects.iter().filter(|object| !inline(object)) {
        if object.kind == Kind::Function && !deferred_bodies {
            // What bodies name may come later.
            statements.push("set check_function_bodies = off".to_owned());
            deferred_bodies = true;
        }
        if object.kind == Kind::Table {
            let parts = objects.iter().filter(inline).filter(|part| part.table == object.table);
            let parts: Vec<_> = parts.filter_map(|part| part.inline.as_deref()).collect();
            statements.push(with_parts(&object.create, &parts));
        } else {
            statements.push(object.create.clone());
        }
    }
    statements
}

fn with_parts(create: &str, parts: &[&str]) -> String {
    let Some((open, end)) = create.rsplit_once("\n)").filter(|_| !parts.is_empty()) else {
        return create.to_owned();
    };
    let comma = if open.ends_with('(') { "" } else { "," };
    format!("{open}{comma}\n  {}\n){end}", parts.join(",\n  "))
}
