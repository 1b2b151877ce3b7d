//! What depends on what is dropped: views, policies, triggers, defaults and casts.

use truststream_kernel::Result;
use truststream_services::database::{Cast, Catalog, Partitioning, TableKind, TableName};

use super::{casts, fault, policies, sequences, views};
use crate::expression::{self, Scope};

/// Something that can't be without something else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dependent {
    View(TableName),
    Policy(TableName, String),
    Trigger(TableName, String),
    /// The default of a column, which takes numbers of a sequence.
    Default(TableName, String),
    Cast(Cast),
}

impl std::fmt::Display for Dependent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dependent::View(name) => write!(f, "view {}", super::shown(name)),
            Dependent::Policy(table, name) => write!(f, "policy {name} on table {}", super::shown(table)),
            Dependent::Trigger(table, name) => write!(f, "trigger {name} on table {}", super::shown(table)),
            Dependent::Default(table, column) => {
                write!(f, "default value for column {column} of table {}", super::shown(table))
            }
            Dependent::Cast(cast) => {
                let (from, to) = casts::ends(cast, super::shown);
                write!(f, "cast from {from} to {to}")
            }
        }
    }
}

/// Drops what depended on something that `before` had, or refuses to if that was not asked for.
///
/// # Errors
/// 2BP01 with the dependents.
pub(super) fn settle(before: &Catalog, catalog: &mut Catalog, what: &str, cascade: bool) -> Result<()> {
    loop {
        let lost: Vec<_> = broken(catalog).into_iter().filter(|one| !broken(before).contains(one)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        if !cascade {
            let text = format!("cannot drop {what} because other objects depend on it");
            let told: Vec<_> = lost.iter().map(|one| format!("{one} depends on {what}")).collect();
            return Err(fault("2BP01", text)
                .with_details(told.join("\n"))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        for one in lost {
            drop(catalog, &one);
        }
    }
}

fn drop(catalog: &mut Catalog, dependent: &Dependent) {
    match dependent {
        Dependent::View(name) => {
            catalog.tables.shift_remove(name);
        }
        Dependent::Policy(table, name) => {
            if let Ok(policies) = policies::of(catalog, table) {
                policies.retain(|policy| policy.name != *name);
            }
        }
        Dependent::Trigger(table, name) => {
            catalog.tables[table].triggers.retain(|trigger| trigger.name != *name)
        }
        Dependent::Default(table, name) => {
            let columns = catalog.tables[table].columns.iter_mut();
            columns.filter(|column| column.name == *name).for_each(|column| column.default = None);
        }
        Dependent::Cast(cast) => catalog.casts.retain(|one| one != cast),
    }
}

fn broken(catalog: &Catalog) -> Vec<Dependent> {
    let broken = catalog.casts.iter().filter(|cast| casts::is_broken(catalog, cast));
    let mut found: Vec<_> = broken.cloned().map(Dependent::Cast).collect();
    for (name, table) in &catalog.tables {
        if table.kind != TableKind::Table {
            if views::view_query(&Scope::new(catalog), table).is_err() {
                found.push(Dependent::View(name.clone()));
            }
            continue;
        }
        let file = expression::file_name(name);
        let scope = Scope { alias: Some(&file), ..Scope::of_table(catalog, name) };
        let parts = table.partitioning.iter().flat_map(Partitioning::all);
        let own = parts.map(|(_, one)| (&one.name, &one.policies));
        for (of, policy) in [(name, &table.policies)]
            .into_iter()
            .chain(own)
            .flat_map(|(of, policies)| policies.iter().map(move |policy| (of, policy)))
        {
            let texts = [&policy.using, &policy.check];
            if texts.into_iter().flatten().any(|text| expression::condition(text, &scope).is_err()) {
                found.push(Dependent::Policy(of.clone(), policy.name.clone()));
            }
        }
        for column in table.columns.iter().filter(|column| column.identity.is_none()) {
            let sequence = column.default.as_deref().and_then(sequences::called);
            if sequence.is_some_and(|name| !sequences::exists(catalog, &name)) {
                found.push(Dependent::Default(name.clone(), column.name.clone()));
            }
        }
        for trigger in &table.triggers {
            let own = trigger.function.name == "moddatetime";
            if !own && !catalog.functions.iter().any(|function| function.name == trigger.function) {
                found.push(Dependent::Trigger(name.clone(), trigger.name.clone()));
            }
        }
    }
    found
}
