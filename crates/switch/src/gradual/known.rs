//! What a catalog says of who touches what: keys, and names in the texts of everything that runs.

use std::collections::{BTreeSet, HashMap};

use truststream_services::database::{
    AppliedMigration, Catalog, Function, Link, Table, TableKind, TableName, is_managed,
};

use super::words::{Words, statements};

/// The schema of what every backend keeps of the requests that it answered.
const OF_REQUESTS: &str = "truststream_requests";

/// Whether a table is the state of another service.
pub(super) fn is_of_a_service(table: &TableName) -> bool {
    is_managed(&table.schema)
}

/// Whether both sides write to a table while they serve different parts, never to the same row.
pub(super) fn is_of_requests(table: &TableName) -> bool {
    table.schema == OF_REQUESTS
}

/// Languages whose functions can be read.
const READABLE: &[&str] = &["sql", "plpgsql"];

/// Languages of the engine itself and its extensions, whose functions have no tables of their own.
const OF_THE_ENGINE: &[&str] = &["c", "internal"];

/// A set of things that hold state, by number; 0 is the rest.
pub(super) type Set = BTreeSet<usize>;

/// What texts may name, and what holds state of what is named.
pub(super) struct Known<'c> {
    catalog: &'c Catalog,
    /// Tables and sequences, from 1.
    pub(super) states: HashMap<&'c TableName, usize>,
    /// What functions, views and domains touch, by themselves and through others.
    touches: HashMap<&'c TableName, Set>,
}

impl<'c> Known<'c> {
    pub(super) fn of(catalog: &'c Catalog) -> Self {
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

    pub(super) fn state(&self, name: &TableName) -> Set {
        self.states.get(name).copied().into_iter().collect()
    }

    pub(super) fn view(&self, name: &TableName) -> Set {
        self.touches.get(name).cloned().unwrap_or_default()
    }

    /// Overloads have one name: what any of them touches.
    pub(super) fn function(&self, name: &TableName) -> Set {
        self.view(name)
    }

    /// Each table with all that belongs to it.
    pub(super) fn tables(&self) -> impl Iterator<Item = Set> {
        let tables = self.catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
        tables.map(|(name, table)| {
            let mut set = self.state(name);
            if is_of_a_service(name) {
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

    /// What the texts of a table name: its policies, defaults, checks and indexes.
    pub(super) fn texts(&self, table: &Table) -> Set {
        self.named(&of_table(table))
    }

    /// What views and functions touch at once, what sequences belong to, what is embedded.
    pub(super) fn others(&self) -> impl Iterator<Item = Set> {
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
    pub(super) fn beside(&self, migrations: &[AppliedMigration]) -> impl Iterator<Item = Set> {
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
