//! What tables and views refer to, as descriptions of a schema tell it.

use std::collections::BTreeSet;

use super::{Catalog, Link, Table, TableKind, TableName};

/// A way from one table or view to another of its schema, as a foreign key makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The foreign key's constraint.
    pub constraint: String,
    /// The table or view that is referred to, by its name within the schema.
    pub to: String,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The columns that they refer to, pairwise.
    pub referenced: Vec<String>,
    /// Whether no two rows refer to the same.
    pub to_one: bool,
}

impl Catalog {
    /// What a table or view refers to within its schema, also through views, sorted.
    pub fn references(&self, from: &TableName) -> Vec<Reference> {
        let Some(table) = self.table(from) else { return Vec::new() };
        let near = |to: &TableName| to.schema == from.schema && self.table(to).is_some();
        let own = table.foreign_keys.iter().filter(|key| near(&key.references)).map(|key| Reference {
            constraint: key.name.clone(),
            to: key.references.name.clone(),
            columns: key.columns.clone(),
            referenced: key.referenced_columns.clone(),
            to_one: table.is_unique(&key.columns),
        });
        let listed = self.relationships.iter().filter(|one| one.from == *from && near(&one.to));
        let listed = listed.filter_map(|one| match &one.link {
            Link::Key { constraint, columns } => {
                let (columns, referenced): (Vec<_>, Vec<_>) = columns.iter().cloned().unzip();
                let to_one = table.is_unique(&columns);
                let (constraint, to) = (constraint.clone(), one.to.name.clone());
                Some(Reference { constraint, to, columns, referenced, to_one })
            }
            Link::Junction { .. } | Link::Computed { .. } => None,
        });
        // What is listed goes both ways; a key is named where it refers, not where it is referred to.
        let forward = listed.filter(|reference| self.refers(from, reference));
        own.chain(forward).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the constraint of a way belongs to the table it starts from, or to the one that a view it
    /// starts from reads.
    fn refers(&self, from: &TableName, way: &Reference) -> bool {
        let has_key = |table: &TableName| {
            let table = self.table(table);
            table.is_some_and(|table| table.foreign_keys.iter().any(|key| key.name == way.constraint))
        };
        let to = TableName::new(&from.schema, &way.to);
        if self.table(from).is_some_and(|table| table.kind == TableKind::Table) {
            return has_key(from);
        }
        // A view has no keys: the way back starts from the key's own table.
        !has_key(&to) || self.relationships.iter().any(|one| one.from == to && one.to == *from && one.to_one)
    }
}

impl Table {
    /// Whether these columns, in any order, are a key of it.
    fn is_unique(&self, columns: &[String]) -> bool {
        let same = |key: &[String]| {
            !key.is_empty() && key.len() == columns.len() && key.iter().all(|column| columns.contains(column))
        };
        same(&self.primary_key) || self.unique_keys.iter().any(|key| same(&key.columns))
    }
}
