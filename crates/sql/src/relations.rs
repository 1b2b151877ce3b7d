//! Which relationship an embed means: `clients(*)`, `client_id(*)`, `clients!constraint(*)`.
//!
//! The rules are PostgREST's: <https://docs.postgrest.org/en/v14/references/api/resource_embedding.html>.

mod embedded;
mod error;
mod find;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use truststream_kernel::Result;
use truststream_services::database::{Catalog, Link, Relationship, Table, TableKind, TableName};

/// All relationships of a catalog by the table they start from. Made once a catalog.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    by_origin: HashMap<TableName, Vec<Relation>>,
}

/// A relationship with what is needed to choose among several.
#[derive(Clone, Debug)]
struct Relation {
    relationship: Relationship,
    cardinality: Cardinality,
    to_view: bool,
}

/// In the order in which candidates are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cardinality {
    OneToMany,
    ManyToOne,
    OneToOne,
    ManyToMany,
    Computed,
}

impl Relations {
    /// The relationships that the foreign keys of a catalog make, both ways and through junction
    /// tables, and those the catalog lists besides.
    pub fn of(catalog: &Catalog) -> Self {
        let mut keys = foreign_keys(catalog);
        keys.extend(listed_keys(catalog));
        let mut all: Vec<Relation> = junctions(catalog, &keys);
        all.extend(keys.into_iter().flat_map(|key| [key.forward(catalog), key.backward(catalog)]));
        override_by_computed(catalog, &mut all);
        let mut by_origin: HashMap<TableName, Vec<Relation>> = HashMap::new();
        for relation in all {
            by_origin.entry(relation.relationship.from.clone()).or_default().push(relation);
        }
        for relations in by_origin.values_mut() {
            relations.sort_by_cached_key(Relation::rank);
        }
        Relations { by_origin }
    }

    /// The relationship that `relation` (a table, a foreign key, its column or a computed
    /// relationship), seen from table `from`, means.
    ///
    /// # Errors
    /// PGRST200 if there is none, PGRST201 if there are several.
    pub fn resolve(&self, from: &TableName, relation: &str, hint: Option<&str>) -> Result<&Relationship> {
        let found: Vec<&Relation> = self
            .by_origin
            .get(from)
            .into_iter()
            .flatten()
            .filter(|candidate| candidate.is_reachable() && candidate.is_meant(relation, hint))
            .collect();
        match found[..] {
            [one] => Ok(&one.relationship),
            [] => Err(self.not_found(from, relation, hint)),
            _ => Err(error::ambiguous(from, relation, &found)),
        }
    }
}

/// One foreign key, of a table or seen through views.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    from: TableName,
    to: TableName,
    constraint: String,
    columns: Vec<(String, String)>,
    unique: bool,
}

impl Key {
    fn forward(&self, catalog: &Catalog) -> Relation {
        let cardinality = if self.unique { Cardinality::OneToOne } else { Cardinality::ManyToOne };
        self.relation(catalog, (&self.from, &self.to), self.columns.clone(), cardinality)
    }

    fn backward(&self, catalog: &Catalog) -> Relation {
        let cardinality = if self.unique { Cardinality::OneToOne } else { Cardinality::OneToMany };
        self.relation(catalog, (&self.to, &self.from), swapped(&self.columns), cardinality)
    }

    fn relation(
        &self,
        catalog: &Catalog,
        (from, to): (&TableName, &TableName),
        columns: Vec<(String, String)>,
        cardinality: Cardinality,
    ) -> Relation {
        Relation {
            relationship: Relationship {
                from: from.clone(),
                to: to.clone(),
                link: Link::Key { constraint: self.constraint.clone(), columns },
                to_one: cardinality != Cardinality::OneToMany,
            },
            cardinality,
            to_view: is_view(catalog, to),
        }
    }
}

fn foreign_keys(catalog: &Catalog) -> Vec<Key> {
    let keys = catalog.tables.iter().flat_map(|(name, table)| {
        table.foreign_keys.iter().map(|key| Key {
            from: name.clone(),
            to: key.references.clone(),
            constraint: key.name.clone(),
            columns: key.columns.iter().cloned().zip(key.referenced_columns.iter().cloned()).collect(),
            unique: is_unique(table, &key.columns),
        })
    });
    keys.collect()
}

/// Keys seen through views: the catalog lists them in the direction of the foreign key, and in the
/// other one too where that is to one row as well.
fn listed_keys(catalog: &Catalog) -> Vec<Key> {
    let listed: Vec<Key> = catalog
        .relationships
        .iter()
        .filter(|relationship| relationship.to_one)
        .filter_map(|relationship| match &relationship.link {
            Link::Key { constraint, columns } => Some(Key {
                from: relationship.from.clone(),
                to: relationship.to.clone(),
                constraint: constraint.clone(),
                columns: columns.clone(),
                unique: false,
            }),
            _ => None,
        })
        .collect();
    let known: HashSet<&Key> = listed.iter().collect();
    let mut keys: Vec<Key> = Vec::with_capacity(listed.len());
    for key in &listed {
        let inverse =
            Key { from: key.to.clone(), to: key.from.clone(), columns: swapped(&key.columns), ..key.clone() };
        let unique = known.contains(&inverse);
        let seen = keys.contains(&Key { unique, ..inverse });
        if !seen {
            keys.push(Key { unique, ..key.clone() });
        }
    }
    keys
}

/// Many-to-many relationships: two foreign keys of a third table whose columns are all part of its
/// primary key.
fn junctions(catalog: &Catalog, keys: &[Key]) -> Vec<Relation> {
    let mut by_table: HashMap<&TableName, Vec<&Key>> = HashMap::new();
    for key in keys.iter().filter(|key| !key.unique) {
        by_table.entry(&key.from).or_default().push(key);
    }
    let mut found = Vec::new();
    for (junction, keys) in by_table {
        let Some(table) = catalog.table(junction) else { continue };
        let primary: HashSet<&String> = table.primary_key.iter().collect();
        let within = |key: &Key| key.columns.iter().all(|(column, _)| primary.contains(column));
        let usable: Vec<&&Key> = keys.iter().filter(|key| within(key)).collect();
        for source in &usable {
            for target in usable.iter().filter(|target| target.constraint != source.constraint) {
                found.push(Relation {
                    relationship: Relationship {
                        from: source.to.clone(),
                        to: target.to.clone(),
                        link: Link::Junction {
                            table: junction.clone(),
                            source: (source.constraint.clone(), swapped(&source.columns)),
                            target: (target.constraint.clone(), target.columns.clone()),
                        },
                        to_one: false,
                    },
                    cardinality: Cardinality::ManyToMany,
                    to_view: is_view(catalog, &target.to),
                });
            }
        }
    }
    found
}

/// A computed relationship stands in for those found that lead to a table of the function's name.
fn override_by_computed(catalog: &Catalog, all: &mut Vec<Relation>) {
    for relationship in &catalog.relationships {
        let Link::Computed { function } = &relationship.link else { continue };
        all.retain(|relation| {
            relation.cardinality == Cardinality::Computed
                || relation.relationship.from != relationship.from
                || relation.relationship.to != *function
        });
        all.push(Relation {
            relationship: relationship.clone(),
            cardinality: Cardinality::Computed,
            to_view: is_view(catalog, &relationship.to),
        });
    }
}

fn is_unique(table: &Table, columns: &[String]) -> bool {
    let columns: BTreeSet<&String> = columns.iter().collect();
    let same = |key: &[String]| !key.is_empty() && key.iter().collect::<BTreeSet<_>>() == columns;
    same(&table.primary_key) || table.unique_keys.iter().any(|key| same(&key.columns))
}

fn is_view(catalog: &Catalog, name: &TableName) -> bool {
    catalog.table(name).is_some_and(|table| matches!(table.kind, TableKind::View { .. }))
}

fn swapped(columns: &[(String, String)]) -> Vec<(String, String)> {
    columns.iter().map(|(left, right)| (right.clone(), left.clone())).collect()
}
