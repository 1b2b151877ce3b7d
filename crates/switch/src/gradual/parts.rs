//! The parts of a database: closed sets of tables, which can change their owner one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use truststream_services::database::{
    AppliedMigration, Catalog, Function, Link, Table, TableKind, TableName,
};

use super::words::{Words, statements};
use crate::machine::{MOST_PARTS, Part};

/// Schemas whose tables are the state of other services, or of the database itself.
const OF_SERVICES: &[&str] = &[
    "auth",
    "storage",
    "realtime",
    "truststream",
    "supabase_functions",
    "supabase_migrations",
    "vault",
    "extensions",
    "graphql",
    "cron",
    "net",
    "pgsodium",
    "pgmq",
];

/// Languages whose functions can be read.
const READABLE: &[&str] = &["sql", "plpgsql"];

/// Languages of the engine itself and its extensions, whose functions have no tables of their own.
const OF_THE_ENGINE: &[&str] = &["c", "internal"];

/// A set of things that hold state, by number; 0 is the rest.
type Set = BTreeSet<usize>;

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
        let part = parts.entry(first).or_insert_with(|| Part {
            name: name_of(name),
            tables: Vec::new(),
            views: Vec::new(),
            functions: Vec::new(),
            moved: false,
            fenced: false,
            verified: false,
        });
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

/// What texts may name, and what holds state of what is named.
struct Known<'c> {
    catalog: &'c Catalog,
    /// Tables and sequences, from 1.
    states: HashMap<&'c TableName, usize>,
    /// What functions, views and domains touch, by themselves and through others.
    touches: HashMap<&'c TableName, Set>,
}

impl<'c> Known<'c> {
    fn of(catalog: &'c Catalog) -> Self {
        let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
        let names = tables.map(|(name, _)| name).chain(catalog.sequences.keys());
        let states = names.enumerate().map(|(index, name)| (name, index + 1)).collect();
        let mut known = Known { catalog, states, touches: HashMap::new() };
        known.close();
        known
    }

    /// Finds what everything touches that has a text, until nothing more is found.
    fn close(&mut self) {
        let catalog = self.catalog;
        let functions = catalog.functions.iter().map(|function| (&function.name, of_function(function)));
        let views = catalog.tables.iter().filter_map(|(name, table)| match &table.kind {
            TableKind::View { definition, .. } => Some((name, Text::read(definition))),
            TableKind::Table => None,
        });
        let domains = catalog.domains.iter().map(|(name, domain)| {
            let checks = domain.checks.iter().map(|check| check.expression.as_str());
            (name, Text::read(&checks.chain(domain.default.as_deref()).collect::<Vec<_>>().join(" ")))
        });
        let texts: Vec<_> = functions.chain(views).chain(domains).collect();
        loop {
            let mut grew = false;
            for (name, text) in &texts {
                let found = self.named(text);
                let touched = self.touches.entry(name).or_default();
                let before = touched.len();
                touched.extend(found);
                grew |= touched.len() > before;
            }
            if !grew {
                return;
            }
        }
    }

    /// What a text may touch, as far as that is known.
    fn named(&self, text: &Text) -> Set {
        let mut set = Set::new();
        if text.is_hidden {
            set.insert(0);
        }
        for (name, state) in &self.states {
            if text.words.have(&name.name) {
                set.insert(*state);
            }
        }
        for (name, touched) in &self.touches {
            if text.words.have(&name.name) {
                set.extend(touched);
            }
        }
        set
    }

    fn state(&self, name: &TableName) -> Set {
        self.states.get(name).copied().into_iter().collect()
    }

    fn view(&self, name: &TableName) -> Set {
        self.touches.get(name).cloned().unwrap_or_default()
    }

    /// Overloads have one name: what any of them touches.
    fn function(&self, name: &TableName) -> Set {
        self.view(name)
    }

    /// Each table with all that belongs to it.
    fn tables(&self) -> impl Iterator<Item = Set> {
        let tables = self.catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
        tables.map(|(name, table)| {
            let mut set = self.state(name);
            if OF_SERVICES.contains(&name.schema.as_str()) {
                set.insert(0);
            }
            for key in &table.foreign_keys {
                set.extend(self.state(&key.references));
            }
            for trigger in &table.triggers {
                set.extend(self.function(&trigger.function));
            }
            set.extend(self.named(&of_table(table)));
            set
        })
    }

    /// What views and functions touch at once, what sequences belong to, what is embedded.
    fn others(&self) -> impl Iterator<Item = Set> {
        let views = self.touches.values().cloned();
        let sequences = self.catalog.sequences.iter().map(|(name, sequence)| {
            let owner = sequence.owner.iter().flat_map(|(table, _)| self.state(table));
            self.state(name).into_iter().chain(owner).collect()
        });
        let embedded = self.catalog.relationships.iter().map(|related| {
            let third = match &related.link {
                Link::Junction { table, .. } => Some(table),
                _ => None,
            };
            let names = [&related.from, &related.to].into_iter().chain(third);
            names.flat_map(|name| self.state(name).into_iter().chain(self.view(name))).collect()
        });
        views.chain(sequences).chain(embedded)
    }

    /// What the catalog does not say: partitions, inheritance and rules, of which migrations tell.
    fn beside(&self, migrations: &[AppliedMigration]) -> impl Iterator<Item = Set> {
        let scripts = migrations.iter().flat_map(|migration| statements(&migration.sql));
        scripts.filter_map(|statement| {
            let text = Text::read(statement);
            let ties =
                ["partition", "inherits", "inherit", "rule"].into_iter().any(|word| text.words.have(word));
            ties.then(|| self.named(&text))
        })
    }
}

/// A text that was read.
struct Text {
    words: Words,
    is_hidden: bool,
}

impl Text {
    fn read(text: &str) -> Self {
        let words = Words::of(text);
        let is_hidden = words.hide_names();
        Text { words, is_hidden }
    }
}

fn of_function(function: &Function) -> Text {
    let parameters = function
        .parameters
        .iter()
        .flat_map(|parameter| [Some(parameter.type_name.as_str()), parameter.default.as_deref()]);
    let returned = function.returns.table.as_ref().map(|table| table.name.as_str());
    let texts = [Some(function.returns.type_name.as_str()), returned, function.body.as_deref()];
    let text = Text::read(&texts.into_iter().chain(parameters).flatten().collect::<Vec<_>>().join(" "));
    let language = function.language.to_lowercase();
    let is_readable = READABLE.contains(&language.as_str()) && function.body.is_some();
    let is_known = is_readable || OF_THE_ENGINE.contains(&language.as_str());
    Text { is_hidden: text.is_hidden || !is_known, ..text }
}

fn of_table(table: &Table) -> Text {
    let policies =
        table.policies.iter().flat_map(|policy| [policy.using.as_deref(), policy.check.as_deref()]);
    let columns = table.columns.iter().flat_map(|column| {
        [Some(column.type_name.as_str()), column.default.as_deref(), column.generated.as_deref()]
    });
    let checks = table.checks.iter().map(|check| Some(check.expression.as_str()));
    let indexes = table.indexes.iter().flat_map(|index| {
        index.terms.iter().map(|term| Some(term.as_str())).chain([index.predicate.as_deref()])
    });
    let triggers = table.triggers.iter().map(|trigger| trigger.condition.as_deref());
    let texts = policies.chain(columns).chain(checks).chain(indexes).chain(triggers);
    Text::read(&texts.flatten().collect::<Vec<_>>().join(" "))
}

/// Sets that grow together.
struct Groups(Vec<usize>);

impl Groups {
    fn of(count: usize) -> Self {
        Groups((0..count).collect())
    }

    fn root(&self, mut one: usize) -> usize {
        while self.0[one] != one {
            one = self.0[one];
        }
        one
    }

    fn join(&mut self, set: &Set) {
        // The smallest stands for all, so that whatever is in one set with the rest is of the rest.
        let Some(root) = set.iter().map(|one| self.root(*one)).min() else { return };
        for one in set {
            let joined = self.root(*one);
            self.0[joined] = root;
        }
    }
}
