//! What a project has, each thing with the line of the migration that makes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use truststream_kernel::{Result, Type};
use truststream_services::database::{Catalog, TableKind};
use truststream_sql::schema;

use super::{Kind, Place, is_own};
use crate::ProjectFiles;
use crate::project_schema::own_catalog;

/// What a project has.
pub(super) struct Project {
    pub(super) catalog: Arc<Catalog>,
    /// Its things by kind and name.
    pub(super) things: BTreeMap<(Kind, String), Thing>,
}

/// One thing of a project.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thing {
    pub(super) place: Option<Place>,
    /// The type of a column.
    pub(super) ty: Option<Type>,
}

/// Reads the migrations and notes where each thing is made.
pub(super) fn read(files: &ProjectFiles) -> Result<Project> {
    let own = own_catalog()?;
    let mut catalog = files.read()?.catalog;
    let last = things(&catalog, &own);
    let mut places: BTreeMap<(Kind, String), Place> = BTreeMap::new();
    let mut growing = own.clone();
    let mut publications = BTreeMap::new();
    for file in &files.migrations {
        for statement in schema::parse(&file.sql)? {
            let before = things(&growing, &own);
            // What can't be kept is told by the engines.
            if schema::apply(&mut growing, &statement).is_err() {
                continue;
            }
            let place = || Place { file: file.path.display().to_string(), line: statement.line };
            if is_publication(&statement) {
                let thing = Thing { place: Some(place()), ty: None };
                publications.insert((Kind::Statement, statement.excerpt()), thing);
            }
            for key in things(&growing, &own).into_keys().filter(|key| !before.contains_key(key)) {
                places.insert(key, place());
            }
        }
    }
    let placed = |(key, ty): ((Kind, String), Option<Type>)| {
        let place = places.get(&key).cloned();
        (key, Thing { place, ty })
    };
    catalog.tables.retain(|name, _| !is_own(&own, &name.schema));
    let things = last.into_iter().map(placed).chain(publications).collect();
    Ok(Project { catalog: Arc::new(catalog), things })
}

/// Whether a statement is about what PostgreSQL tells replicas of, which is no part of a schema.
fn is_publication(statement: &schema::Statement) -> bool {
    let second = statement.text.split_whitespace().nth(1);
    statement.kind == schema::Kind::Noise
        && second.is_some_and(|word| word.eq_ignore_ascii_case("publication"))
}

fn things(catalog: &Catalog, own: &Catalog) -> BTreeMap<(Kind, String), Option<Type>> {
    let mut found = BTreeMap::new();
    for (name, table) in &catalog.tables {
        let known = own.table(name);
        let mut add = |kind, name: String, ty| found.insert((kind, name), ty);
        if known.is_none() {
            let kind = if table.kind == TableKind::Table { Kind::Table } else { Kind::View };
            add(kind, name.to_string(), None);
            for column in table.columns.iter().filter(|_| kind == Kind::Table) {
                add(Kind::Column, format!("{name}.{}", column.name), Some(column.ty.clone()));
            }
        }
        for policy in &table.policies {
            if known.is_none_or(|known| !known.policies.contains(policy)) {
                add(Kind::Policy, format!("\"{}\" on {name}", policy.name), None);
            }
        }
        for trigger in &table.triggers {
            if known.is_none_or(|known| !known.triggers.contains(trigger)) {
                add(Kind::Trigger, format!("{} on {name}", trigger.name), None);
            }
        }
    }
    for name in catalog.enums.keys().chain(catalog.domains.keys()) {
        found.insert((Kind::Type, name.to_string()), None);
    }
    for function in catalog.functions.iter().filter(|function| !own.functions.contains(function)) {
        let types = function.parameters.iter().map(|parameter| parameter.type_name.as_str());
        let types = types.collect::<Vec<_>>().join(", ");
        found.insert((Kind::Function, format!("{}({types})", function.name)), None);
    }
    found
}
