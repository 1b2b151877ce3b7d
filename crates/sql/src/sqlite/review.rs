//! What of a set of migrations SQLite can't hold, found before any of them is applied.

use truststream_kernel::value::range;
use truststream_kernel::{Error, ErrorKind, Type};
use truststream_services::database::{
    AppliedMigration, Catalog, Partitioning, Problem, Table, TableKind, TableName, Trigger,
};

use crate::composite::Composite;
use crate::expression::{self, Scope, Unsupported, file_name};
use crate::rehearse::problems;
use crate::schema::{self, Kind, Statement};

/// Types that are carried as text and that the provider has the operators of, besides ranges.
const HELD: &[&str] = &["citext", "money", "tsvector", "tsquery"];

/// Applies migrations to a copy of a catalog and lists every statement that can't be held, with
/// file, line and reason.
pub fn review(catalog: &Catalog, migrations: &[AppliedMigration]) -> Vec<Problem> {
    let mut catalog = catalog.clone();
    problems(migrations, |statement, unchecked| problems_of(&mut catalog, statement, unchecked))
}

fn problems_of(catalog: &mut Catalog, statement: &Statement, unchecked: bool) -> Vec<String> {
    match &statement.kind {
        Kind::Noise => Vec::new(),
        Kind::Unknown(reason) => vec![reason.clone()],
        Kind::Data => match super::data(catalog, statement) {
            Err(error) => unheld(&error),
            Ok(_) => Vec::new(),
        },
        Kind::Schema => {
            if let Some(reason) = foreign(statement) {
                return vec![reason];
            }
            let before = catalog.clone();
            if let Err(error) = schema::apply(catalog, statement) {
                return unheld(&error);
            }
            let mut found = broken(&before, catalog);
            found.extend(of_routine(catalog, statement, unchecked));
            found.extend(of_views(&before, catalog));
            found.extend(expression::unheld_casts(&before, catalog));
            if !found.is_empty() {
                return found;
            }
            changed(&before, catalog).into_iter().flat_map(|name| of_table(&before, catalog, name)).collect()
        }
    }
}

/// A mistake that PostgreSQL would find too is told when the migration is applied.
fn unheld(error: &Error) -> Vec<String> {
    if error.kind() == ErrorKind::Unsupported { vec![error.message().to_owned()] } else { Vec::new() }
}

/// Statements that the catalog can keep but SQLite has nothing for.
fn foreign(statement: &Statement) -> Option<String> {
    match &statement.own {
        Some(schema::Own::Extension(name)) => schema::foreign_extension(name),
        _ => None,
    }
}

/// What of a new function can't be called here.
fn of_routine(catalog: &Catalog, statement: &Statement, unchecked: bool) -> Vec<String> {
    use sqlparser::ast::Statement as Parsed;
    let Some(Parsed::CreateFunction(_)) = statement.parsed.as_deref() else { return Vec::new() };
    let Some(function) = catalog.functions.last() else { return Vec::new() };
    let called = super::routine::check(function, &Scope::new(catalog));
    let later = |found: &Unsupported| matches!(found.code.as_deref(), Some("42P01" | "42883"));
    let told = |found: &Unsupported| !(unchecked && later(found));
    called.err().filter(told).map(|unsupported| unsupported.reason).into_iter().collect()
}

/// New triggers of views whose functions can't be run.
fn of_views(before: &Catalog, catalog: &Catalog) -> Vec<String> {
    let changed = changed(before, catalog).into_iter().filter_map(|name| Some((name, catalog.table(name)?)));
    let views = changed.filter(|(_, table)| table.kind != TableKind::Table);
    let row = |view: &Table| -> Vec<(String, Type)> {
        view.columns.iter().map(|column| (column.name.clone(), expression::compared_type(column))).collect()
    };
    let fault = |view: &Table, trigger: &Trigger| {
        let known = catalog.functions.iter().find(|function| function.name == trigger.function);
        let Some(function) = known else {
            return Some(format!("trigger {}: there is no function {}()", trigger.name, trigger.function));
        };
        let program = super::program::instead(function, &Scope::new(catalog), None, &row(view));
        program.err().map(|error| format!("trigger {}: {}", trigger.name, error.message()))
    };
    views.flat_map(|(_, view)| view.triggers.iter().filter_map(move |one| fault(view, one))).collect()
}

/// Views that read what is there no longer, or is called otherwise now.
fn broken(before: &Catalog, catalog: &Catalog) -> Vec<String> {
    let views = catalog.tables.iter().filter(|(_, table)| table.kind != TableKind::Table);
    let lost = |(name, view): (&TableName, &Table)| {
        let error = schema::view_query(&Scope::new(catalog), view).err()?;
        let known = before.table(name) == Some(view);
        if known && schema::view_query(&Scope::new(before), view).is_err() {
            return None;
        }
        let what = if known { "drop it before and create it again after" } else { "this view can't be held" };
        Some(format!("view {name}: {error}: {what}"))
    };
    views.filter_map(lost).collect()
}

fn changed<'c>(before: &Catalog, after: &'c Catalog) -> Vec<&'c TableName> {
    after
        .tables
        .iter()
        .filter(|(name, table)| before.table(name) != Some(table))
        .map(|(name, _)| name)
        .collect()
}

/// What of a changed table can't be held; what was there before is not told again.
fn of_table(before: &Catalog, catalog: &Catalog, name: &TableName) -> Vec<String> {
    let Some(table) = catalog.table(name).filter(|table| table.kind == TableKind::Table) else {
        return Vec::new();
    };
    let known = before.table(name).map(|table| faults(before, name, table)).unwrap_or_default();
    let mut found = faults(catalog, name, table);
    found.retain(|fault| !known.contains(fault));
    found
}

fn faults(catalog: &Catalog, name: &TableName, table: &Table) -> Vec<String> {
    let scope = Scope::of_table(catalog, name);
    let mut results: Vec<Result<String, Unsupported>> = Vec::new();
    let mut faults = Vec::new();
    for column in &table.columns {
        if let Some(other) = foreign_type(catalog, &column.ty) {
            faults.push(format!("column \"{}\": type {other} lives on PostgreSQL only", column.name));
        }
        results.push(super::numbers::default(catalog, (name, table), column).map(Option::unwrap_or_default));
        if let Some(generated) = &column.generated {
            results.push(expression::value(generated, &column.ty, &scope));
        }
    }
    faults.extend(loose_keys(catalog, table));
    for check in &table.checks {
        faults.extend(super::check(catalog, name, check).err().map(|error| error.message().to_owned()));
    }
    let file = file_name(name);
    let rows = Scope { alias: Some(&file), ..scope };
    let parts = table.partitioning.iter().flat_map(Partitioning::all);
    let own = parts.flat_map(|(_, one)| &one.policies);
    for policy in table.policies.iter().chain(own) {
        let conditions = [&policy.using, &policy.check].into_iter().flatten();
        results.extend(conditions.map(|text| expression::condition(text, &rows)));
    }
    for index in table.indexes.iter().filter(|index| index.unique || index.method == "btree") {
        results.push(expression::index_terms(index, &scope).map(|terms| terms.join(", ")));
        results.extend(index.predicate.iter().map(|text| expression::condition(text, &scope)));
    }
    if let Err(error) = crate::partitions::within(catalog, name, table) {
        faults.push(error.message().to_owned());
    }
    if let Err(error) = super::trigger::check(catalog, name, table) {
        faults.push(error.message().to_owned());
    }
    faults.extend(results.into_iter().filter_map(Result::err).map(|unsupported| unsupported.to_string()));
    faults
}

/// Keys of composite values that are equal in more than one text.
fn loose_keys(catalog: &Catalog, table: &Table) -> Vec<String> {
    let loose = |name: &&String| {
        let ty = table.column(name).map(|column| &column.ty);
        ty.and_then(|ty| Composite::of(catalog, ty)).is_some_and(|composite| !composite.is_told_by_text())
    };
    let unique = table.unique_keys.iter().map(|key| &key.columns);
    let indexes = table.indexes.iter().filter(|index| index.unique).map(|index| &index.terms);
    let keys = std::iter::once(&table.primary_key).chain(unique).chain(indexes);
    let column = |name: &String| format!("column \"{name}\": a key of this composite type");
    keys.flatten().filter(loose).map(column).collect()
}

/// Whether the provider has the operators of a type that is told apart by name only.
pub(crate) fn is_held(ty: &Type) -> bool {
    matches!(ty, Type::Other(name) if HELD.contains(&name.as_str())) || range::element(ty).is_some()
}

/// The name of a type that can't be held, if a type is one or an array of one.
pub fn foreign_type<'t>(catalog: &Catalog, ty: &'t Type) -> Option<&'t str> {
    match ty {
        Type::Other(_) if is_held(ty) || Composite::of(catalog, ty).is_some() => None,
        Type::Other(name) => Some(name),
        // What is within an array is never looked up in the catalog again.
        Type::Array(element) if Composite::of(catalog, element).is_some() => Some("array of records"),
        Type::Array(element) => foreign_type(catalog, element),
        _ => None,
    }
}
