//! The parts of a database: closed sets of tables, which can change their owner one after the other.

use std::collections::BTreeMap;

use truststream_services::database::{AppliedMigration, Catalog, TableKind, TableName};

use super::known::{Known, Set};
use crate::machine::{MOST_PARTS, Part};

/// The parts of a database, in the order of its tables.
pub(super) fn parts(catalog: &Catalog, migrations: &[AppliedMigration]) -> Vec<Part> {
    let known = Known::of(catalog);
    let mut groups = Groups::of(known.states.len() + 1);
    for set in known.tables().chain(known.others()).chain(known.beside(migrations)) {
        groups.join(&set);
    }
    let rest = groups.root(0);
    let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
    for (name, table) in &catalog.tables {
        let set = if table.kind == TableKind::Table { known.state(name) } else { known.view(name) };
        let Some(first) = set.iter().next().map(|state| groups.root(*state)).filter(|root| *root != rest)
        else {
            continue;
        };
        let part = parts.entry(first).or_insert_with(|| Part { name: name_of(name), ..Part::default() });
        if table.kind == TableKind::Table { &mut part.tables } else { &mut part.views }.push(name.clone());
    }
    for function in &catalog.functions {
        let set = known.function(&function.name);
        let part = set.iter().next().and_then(|state| parts.get_mut(&groups.root(*state)));
        if let Some(part) = part.filter(|part| !part.functions.contains(&function.name)) {
            part.functions.push(function.name.clone());
        }
    }
    let place = |part: &Part| part.tables.first().and_then(|table| catalog.tables.get_index_of(table));
    let mut parts: Vec<_> = parts.into_values().filter(|part| !part.tables.is_empty()).collect();
    parts.sort_by_key(place);
    parts.truncate(MOST_PARTS);
    parts
}

/// The same parts, those in one that were touched together; what was touched together with the
/// rest (`None`) belongs to that.
pub(super) fn merged(parts: &[Part], together: &[Vec<Option<usize>>]) -> Vec<Part> {
    let mut groups = Groups::of(parts.len() + 1);
    for places in together {
        groups.join(&places.iter().map(|place| place.map_or(0, |place| place + 1)).collect());
    }
    let rest = groups.root(0);
    let mut merged: Vec<(usize, Part)> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let root = groups.root(place + 1);
        if root == rest {
            continue;
        }
        match merged.iter_mut().find(|(other, _)| *other == root) {
            None => merged.push((root, part.clone())),
            Some((_, one)) => {
                one.tables.extend(part.tables.iter().cloned());
                one.views.extend(part.views.iter().cloned());
                one.functions.extend(part.functions.iter().cloned());
            }
        }
    }
    merged.into_iter().map(|(_, part)| part).collect()
}

fn name_of(table: &TableName) -> String {
    if table.schema == "public" { table.name.clone() } else { table.to_string() }
}

/// Sets that grow together.
pub(super) struct Groups(Vec<usize>);

impl Groups {
    pub(super) fn of(count: usize) -> Self {
        Groups((0..count).collect())
    }

    pub(super) fn root(&self, mut one: usize) -> usize {
        while self.0[one] != one {
            one = self.0[one];
        }
        one
    }

    pub(super) fn join(&mut self, set: &Set) {
        // The smallest stands for all, so that whatever is in one set with the rest is of the rest.
        let Some(root) = set.iter().map(|one| self.root(*one)).min() else { return };
        for one in set {
            let joined = self.root(*one);
            self.0[joined] = root;
        }
    }
}

#[cfg(test)]
mod tests {
    use truststream_services::database::{
        ForeignKey, Function, Policy, PolicyCommand, ReferentialAction, Returns, Table,
    };

    use super::*;

    fn name(text: &str) -> TableName {
        match text.split_once('.') {
            Some((schema, name)) => TableName::new(schema, name),
            None => TableName::public(text),
        }
    }

    fn catalog(tables: &[&str]) -> Catalog {
        let tables = tables.iter().map(|table| (name(table), Table::default())).collect();
        Catalog { tables, ..Catalog::default() }
    }

    fn refer(catalog: &mut Catalog, from: &str, to: &str) {
        let (on_delete, on_update) = (ReferentialAction::NoAction, ReferentialAction::NoAction);
        let (columns, referenced_columns) = (vec!["of".into()], vec!["id".into()]);
        let (name_of, references) = ("fk".into(), name(to));
        catalog.tables[&name(from)].foreign_keys.push(ForeignKey {
            name: name_of,
            columns,
            references,
            referenced_columns,
            on_delete,
            on_update,
            deferred: false,
        });
    }

    fn allow(catalog: &mut Catalog, table: &str, using: &str) {
        catalog.tables[&name(table)].policies.push(Policy {
            name: "own".into(),
            permissive: true,
            command: PolicyCommand::All,
            roles: Vec::new(),
            using: Some(using.into()),
            check: None,
        });
    }

    fn function(catalog: &mut Catalog, called: &str, language: &str, body: &str) {
        catalog.functions.push(Function {
            name: name(called),
            returns: Returns { type_name: "void".into(), void: true, ..Returns::default() },
            language: language.into(),
            body: Some(body.into()),
            ..Function::default()
        });
    }

    fn tables(catalog: &Catalog) -> Vec<Vec<String>> {
        let of = |part: Part| part.tables.iter().map(|table| table.name.clone()).collect();
        parts(catalog, &[]).into_iter().map(of).collect()
    }

    #[test]
    fn tables_stand_alone_until_something_ties_them() {
        let mut catalog = catalog(&["a", "b", "c", "d", "e", "auth.users"]);
        assert_eq!(tables(&catalog), [["a"], ["b"], ["c"], ["d"], ["e"]]);
        refer(&mut catalog, "a", "c");
        allow(&mut catalog, "b", "exists (select 1 from D where d.id = b.id)");
        assert_eq!(tables(&catalog), [vec!["a", "c"], vec!["b", "d"], vec!["e"]]);
        refer(&mut catalog, "e", "auth.users");
        assert_eq!(tables(&catalog), [["a", "c"], ["b", "d"]], "what refers to users goes with them");
    }

    #[test]
    fn functions_tie_what_they_name_through_others_too() {
        let mut catalog = catalog(&["a", "b", "c", "d"]);
        function(&mut catalog, "uid", "sql", "select current_setting('claims')");
        function(&mut catalog, "inner_one", "plpgsql", "begin insert into b values (1); end");
        function(&mut catalog, "outer_one", "sql", "select inner_one(); delete from a");
        allow(&mut catalog, "c", "owner = uid()");
        allow(&mut catalog, "d", "owner = uid()");
        assert_eq!(
            tables(&catalog),
            [vec!["a", "b"], vec!["c"], vec!["d"]],
            "a function without tables ties none"
        );
        let named = parts(&catalog, &[]);
        assert_eq!(named[0].functions, [name("inner_one"), name("outer_one")]);
        function(&mut catalog, "build", "plpgsql", "begin execute 'delete from ' || c; end");
        assert_eq!(
            tables(&catalog),
            [vec!["a", "b"], vec!["d"]],
            "what is built while it runs is of the rest"
        );
        function(&mut catalog, "far", "plpython3u", "d");
        assert_eq!(tables(&catalog), [["a", "b"]]);
    }

    #[test]
    fn views_and_migrations_tie_too() {
        let mut catalog = catalog(&["a", "b", "c", "d"]);
        let kind = TableKind::View {
            definition: "select * from a join b using (id)".into(),
            insertable: false,
            updatable: false,
            deletable: false,
            invoker: false,
            materialized: false,
        };
        catalog.tables.insert(name("both"), Table { kind, ..Table::default() });
        let sql = "create table d partition of c for values in (1); create table a (id int)";
        let migration = AppliedMigration { name: "1".into(), sql: sql.into() };
        let parts = parts(&catalog, &[migration]);
        let tables: Vec<_> = parts.iter().map(|part| (part.tables.len(), part.views.clone())).collect();
        assert_eq!(tables, [(2, vec![name("both")]), (2, Vec::new())]);
    }

    #[test]
    fn what_was_written_together_is_one_part() {
        let parts = parts(&catalog(&["a", "b", "c", "d"]), &[]);
        let merged = merged(&parts, &[vec![Some(0), Some(2)], vec![None, Some(1)]]);
        let tables: Vec<_> = merged.iter().map(|part| (part.name.as_str(), part.tables.len())).collect();
        assert_eq!(tables, [("a", 2), ("d", 1)]);
    }
}
