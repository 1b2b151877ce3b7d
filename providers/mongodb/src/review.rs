//! What of a set of migrations this database can't hold, found before any of them is applied.

use truststream_kernel::{Context, Error, ErrorKind, Type};
use truststream_services::database::{
    AppliedMigration, Catalog, Partition, Problem, Table, TableKind, TableName,
};
use truststream_sql::rehearse::problems;
use truststream_sql::schema::{self, Kind, Statement};

use crate::data;
use crate::divide::gone;
use crate::invoke;
use crate::money::is_money;
use crate::partial;
use crate::partition::{only, partitions, told};
use crate::plan::{Place, Planner};
use crate::program;
use crate::record::{is_key, is_record};
use crate::represent;
use crate::schema::Schema;
use crate::span;
use crate::sql::Translator;
use crate::storage::is_document;
use crate::term::Want;

/// Applies migrations to a copy of a catalog and lists every statement that can't be held.
pub(crate) fn review(catalog: &Catalog, migrations: &[AppliedMigration]) -> Vec<Problem> {
    let mut catalog = catalog.clone();
    problems(migrations, |statement, unchecked| problems_of(&mut catalog, statement, unchecked))
}

fn problems_of(catalog: &mut Catalog, statement: &Statement, unchecked: bool) -> Vec<String> {
    match &statement.kind {
        Kind::Noise => Vec::new(),
        Kind::Unknown(reason) => vec![reason.clone()],
        Kind::Data => match data::read(&Schema::new(catalog.clone(), false), statement) {
            Err(error) => unheld(&error),
            Ok(_) => Vec::new(),
        },
        Kind::Schema => {
            // Statements that the catalog can keep but this database has nothing for.
            let extension = schema::created_extension(&statement.text);
            if let Some(reason) = extension.and_then(|name| schema::foreign_extension(&name)) {
                return vec![reason];
            }
            let before = catalog.clone();
            if let Err(error) = schema::apply(catalog, statement) {
                return unheld(&error);
            }
            changed(&before, catalog, unchecked)
        }
    }
}

/// A mistake that PostgreSQL would find too is told when the migration is applied.
fn unheld(error: &Error) -> Vec<String> {
    if error.kind() == ErrorKind::Unsupported { vec![error.message().to_owned()] } else { Vec::new() }
}

/// What of the tables that changed can't be held; what was there before is not told again.
fn changed(before: &Catalog, after: &Catalog, unchecked: bool) -> Vec<String> {
    let appeared = after.tables.keys().any(|name| before.table(name).is_none());
    let gone = before.tables.keys().any(|name| after.table(name).is_none());
    if appeared && gone {
        return vec!["this database does not rename tables".into()];
    }
    if after.sequences != before.sequences {
        return vec![
            "this database has no sequences but those of identity columns that count 1, 2, 3".into(),
        ];
    }
    let (old, new) = (Schema::new(before.clone(), false), Schema::new(after.clone(), false));
    let mut found = Vec::new();
    for function in after.functions.iter().filter(|function| !before.functions.contains(function)) {
        if let Err(error) = invoke::check(&new, function)
            && !(unchecked && error.kind() == ErrorKind::NotFound)
            && !represent::is_computed(after, function, unchecked)
        {
            found.push(format!("function {}: {}", function.name, error.message()));
        }
    }
    found.extend(represent::faults(before, after));
    let views = after.tables.iter().filter(|(_, table)| table.kind != TableKind::Table);
    for (name, view) in views.filter(|(name, view)| before.table(name) != Some(*view)) {
        if let Err(error) = Planner::new(&new, &Context::system()).view(name, true) {
            found.push(format!("view {name}: {}", error.message()));
        }
        if view.is_materialized() {
            found.push(format!(
                "view {name}: this database keeps no rows of views: leave out \"materialized\""
            ));
        }
        if let Err(error) = program::check_triggers(&new, name, view) {
            found.push(error.message().to_owned());
        }
    }
    for (name, table) in &after.tables {
        let was = before.table(name);
        if was == Some(table) || table.kind != TableKind::Table {
            continue;
        }
        if was.is_some_and(|was| was.primary_key != table.primary_key && !was.primary_key.is_empty()) {
            found.push(format!("the primary key of {name} can't be changed on this database"));
        }
        found.extend(was.into_iter().flat_map(|was| parted(before, name, (was, table))));
        let known = was.map(|was| faults(&old, name, was)).unwrap_or_default();
        found.extend(faults(&new, name, table).into_iter().filter(|fault| !known.contains(fault)));
    }
    found
}

/// Partitions that can't be dropped or become tables.
fn parted(before: &Catalog, name: &TableName, (was, table): (&Table, &Table)) -> Vec<String> {
    let mut others = before.tables.values().flat_map(|table| &table.foreign_keys);
    let referred = others.any(|key| key.references == *name);
    let fault = |partition: &Partition| match only(before, name, partition) {
        Ok(_) if referred => {
            Some(format!("taking partition {} from a table that others refer to", partition.name))
        }
        Ok(_) => None,
        Err(error) => Some(error.message().to_owned()),
    };
    gone(was, table).filter_map(fault).collect()
}

fn faults(schema: &Schema, name: &TableName, table: &Table) -> Vec<String> {
    let cx = Context::system();
    let mut planner = Planner::new(schema, &cx);
    let mut faults = Vec::new();
    for column in &table.columns {
        if let Some(other) = foreign_type(&schema.catalog, &column.ty) {
            faults.push(format!("column \"{}\": this database has no type {other}", column.name));
        } else if column.type_name.trim_start_matches("extensions.") == "citext" {
            faults.push(format!("column \"{}\": this database has no type citext", column.name));
        }
        let default = column.default.as_ref().filter(|_| column.identity.is_none());
        for (text, of) in [(default, None), (column.generated.as_ref(), Some(&Place::of(name)))] {
            if let Some(text) = text
                && let Err(error) = Translator::value_of(&mut planner, of, text, &column.ty)
            {
                faults.push(error.message().to_owned());
            }
        }
    }
    let checks = table.checks.iter().map(|check| &check.expression);
    let own = partitions(table).flat_map(|(_, one)| &one.policies);
    let policies = table.policies.iter().chain(own);
    let policies = policies.flat_map(|policy| policy.using.iter().chain(&policy.check));
    let conditions = checks.map(|text| (text, true)).chain(policies.map(|text| (text, false)));
    for (text, checked) in conditions {
        // Both outcomes are needed: a condition may be negated.
        for want in [Want::True, Want::False] {
            planner.asked = checked.then(Vec::new);
            if let Err(error) = Translator::condition(&mut planner, &Place::of(name), text, want) {
                faults.push(error.message().to_owned());
            }
        }
    }
    for partition in table.checks.iter().filter_map(|check| check.partition.as_ref()) {
        faults.extend(told(table, partition).err().map(|error| error.message().to_owned()));
    }
    faults.extend(key_faults(&schema.catalog, table));
    if let Err(error) = program::check_triggers(schema, name, table) {
        faults.push(error.message().to_owned());
    }
    faults.dedup();
    faults
}

/// Keys that the engine would understand otherwise.
fn key_faults(catalog: &Catalog, table: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    let many = |columns: &[String]| {
        let columns = columns.iter().filter_map(|name| table.column(name));
        columns.into_iter().any(|column| matches!(column.ty, Type::Array(_)))
    };
    for index in table.indexes.iter().filter(|index| index.unique) {
        let plain = index.terms.iter().all(|term| table.column(term).is_some());
        if !plain || many(&index.terms) {
            faults.push(format!("unique index \"{}\": only columns are unique on this database", index.name));
        }
        if index.predicate.as_ref().is_some_and(|text| partial::filter(catalog, table, text).is_none()) {
            faults.push(format!(
                "unique index \"{}\": of conditions this database takes null, truth and equality",
                index.name
            ));
        }
    }
    faults.extend(record_faults(catalog, table));
    if many(&table.primary_key) || table.unique_keys.iter().any(|key| many(&key.columns)) {
        faults.push("arrays can't be keys on this database".to_owned());
    }
    faults
}

/// Keys of records that are equal in more than one text.
fn record_faults(catalog: &Catalog, table: &Table) -> Vec<String> {
    let refused = |name: &String| {
        let column = table.column(name).filter(|column| is_record(catalog, &column.ty));
        let refused = column.is_some_and(|column| !is_key(catalog, &column.ty));
        refused.then(|| format!("column \"{name}\": a key of this composite type"))
    };
    let unique = table.unique_keys.iter().map(|key| &key.columns);
    let unique = unique.chain(table.indexes.iter().filter(|one| one.unique).map(|index| &index.terms));
    let referring = table.foreign_keys.iter().map(|key| &key.columns);
    unique.chain(referring).chain([&table.primary_key]).flatten().filter_map(refused).collect()
}

/// A type that there are no values of here.
pub(crate) fn foreign_type<'t>(catalog: &Catalog, ty: &'t Type) -> Option<&'t str> {
    match ty {
        ty if span::is_range(ty) || is_money(ty) || is_document(ty) || is_record(catalog, ty) => None,
        Type::Other(name) => Some(name),
        Type::Array(element) if is_money(element) => Some("array of money"),
        Type::Array(element) if is_record(catalog, element) => Some("array of records"),
        Type::Array(element) => foreign_type(catalog, element),
        _ => None,
    }
}
