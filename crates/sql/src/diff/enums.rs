//! Labels of enums.

use truststream_kernel::Type;
use truststream_services::database::{Catalog, TableName};

use super::Change;
use crate::quote::literal;
use crate::render::{Object, name, relation};
use crate::schema::enum_name;

pub(super) fn altered(from: &Catalog, to: &Catalog, before: &Object, after: &Object) -> Vec<Change> {
    let Some((ty, labels)) = to.enums.iter().find(|(ty, _)| format!("type {ty}") == after.key) else {
        return Vec::new();
    };
    let Some(known) = from.enums.get(ty).filter(|_| before.create != after.create) else { return Vec::new() };
    let kept: Vec<_> = labels.iter().filter(|label| known.contains(label)).collect();
    if kept.len() < known.len() || !kept.iter().copied().eq(known.iter()) {
        return remade(to, ty, after);
    }
    let mut changes = Vec::new();
    for (at, label) in labels.iter().enumerate().filter(|(_, label)| !known.contains(label)) {
        let place = match at.checked_sub(1).and_then(|at| labels.get(at)) {
            Some(previous) => format!("after {}", literal(previous)),
            None => known.first().map(|first| format!("before {}", literal(first))).unwrap_or_default(),
        };
        changes.push(Change::new(format!(
            "alter type {} add value {} {place}",
            relation(ty),
            literal(label)
        )));
    }
    changes
}

/// No label can be taken from an enum: it is made anew, and its columns are brought over.
fn remade(to: &Catalog, ty: &TableName, after: &Object) -> Vec<Change> {
    let old = TableName::new(&ty.schema, format!("{}_before", ty.name));
    let mut changes = vec![
        Change::new(format!("alter type {} rename to {}", relation(ty), name(&old.name))),
        Change::new(after.create.clone()),
    ];
    let ty_of = Type::Enum(enum_name(ty));
    for (table, definition) in &to.tables {
        for column in definition.columns.iter().filter(|column| column.ty == ty_of) {
            let alter = |what: String| {
                format!("alter table {} alter column {} {what}", relation(table), name(&column.name))
            };
            if column.default.is_some() {
                changes.push(Change::new(alter("drop default".into())));
            }
            let using = format!("type {0} using {1}::text::{0}", relation(ty), name(&column.name));
            let lost = format!("rows of {table} whose {} is a label that goes: it fails", column.name);
            changes.push(Change::destroying(alter(using), lost));
            if let Some(default) = &column.default {
                changes.push(Change::new(alter(format!("set default {default}"))));
            }
        }
    }
    changes.push(Change::new(format!("drop type {}", relation(&old))));
    changes
}
