//! Grants: what holds in the end, role by role.

use std::collections::BTreeMap;

use truststream_services::database::{Grant, Introspection};

use super::{Change, Keyed};
use crate::render::{Kind, Object, grant_text, relation, routine};

const OF_TABLES: &[&str] = &["select", "insert", "update", "delete", "truncate", "references", "trigger"];

/// Role, columns and privilege, to whether it is revoked.
type Standing = BTreeMap<(String, Vec<String>, String), bool>;

pub(super) fn altered(from: &Introspection, to: &Introspection, after: &Object) -> Vec<Change> {
    let Some((on, all, new)) = found(to, after) else { return Vec::new() };
    let old = found(from, after).map(|(_, _, grants)| grants).unwrap_or_default();
    between(&on, &standing(old, all), &standing(new, all))
}

/// What is said of an object that `to` says nothing of.
pub(super) fn gone(before: &[Object], new: &Keyed<'_>) -> Vec<Change> {
    let stays = |one: &&Object| match &one.table {
        Some(table) => new.values().any(|kept| kept.kind <= Kind::View && kept.table.as_ref() == Some(table)),
        None => new.contains_key(one.key.trim_start_matches("grants on ")),
    };
    let gone = before.iter().filter(|one| one.kind == Kind::Grants && !new.contains_key(one.key.as_str()));
    let opposite = |line: &str| match line.strip_prefix("grant ") {
        Some(rest) => {
            let (rest, role) = rest.rsplit_once(" to ")?;
            Some(Change::new(format!("revoke {rest} from {role}")))
        }
        None => None,
    };
    gone.filter(stays)
        .flat_map(|one| one.create.split(";\n").filter_map(opposite).collect::<Vec<_>>())
        .collect()
}

/// What an object of grants is on, all the privileges there are on it, and the grants.
fn found<'i>(
    schema: &'i Introspection,
    object: &Object,
) -> Option<(String, &'static [&'static str], &'i [Grant])> {
    if let Some(table) = &object.table {
        return Some((relation(table), OF_TABLES, &schema.catalog.table(table)?.grants));
    }
    let function = schema
        .catalog
        .functions
        .iter()
        .find(|function| object.key == format!("grants on {}", routine(function)))?;
    Some((routine(function), &["execute"], &function.grants))
}

fn standing(grants: &[Grant], all: &[&str]) -> Standing {
    let mut standing = Standing::new();
    for grant in grants {
        let every = grant.privileges.iter().any(|one| one == "all");
        let privileges: Vec<String> =
            if every { all.iter().map(|one| (*one).to_owned()).collect() } else { grant.privileges.clone() };
        for privilege in privileges {
            standing.insert((grant.role.clone(), grant.columns.clone(), privilege), grant.revoke);
        }
    }
    standing
}

fn between(on: &str, old: &Standing, new: &Standing) -> Vec<Change> {
    let mut wanted: BTreeMap<(String, Vec<String>, bool), Vec<String>> = BTreeMap::new();
    for ((role, columns, privilege), revoke) in new {
        let key = (role.clone(), columns.clone(), privilege.clone());
        if old.get(&key) != Some(revoke) {
            wanted.entry((role.clone(), columns.clone(), *revoke)).or_default().push(privilege.clone());
        }
    }
    for ((role, columns, privilege), revoke) in old {
        if !revoke && !new.contains_key(&(role.clone(), columns.clone(), privilege.clone())) {
            wanted.entry((role.clone(), columns.clone(), true)).or_default().push(privilege.clone());
        }
    }
    let statement = |((role, columns, revoke), privileges): ((String, Vec<String>, bool), Vec<String>)| {
        Change::new(grant_text(on, &Grant { role, privileges, columns, revoke }))
    };
    wanted.into_iter().map(statement).collect()
}
