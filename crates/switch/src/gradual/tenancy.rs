//! Whether tenants can move one by one: which tables hold their rows, and what may reach all of them.
//!
//! A tenant's rows must be its own: no key may make two tenants' rows collide, no foreign key lead
//! from one's row to another's, and nothing but a request write to them. What can't be judged is of the
//! rest.

use std::collections::{BTreeMap, HashMap};

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{AppliedMigration, Catalog, ForeignKey, Table, TableKind, TableName};

use super::TenantOptions;
use super::known::{Known, Set, is_of_a_service};
use super::parts::Groups;
use super::pinned::is_pinned;
use crate::machine::{Tenancy, TenantKind};

/// What tells the tenants of a database apart.
///
/// # Errors
/// `BACKEND_011` saying why when no table can move tenant by tenant, or policies let callers see more
/// than their claim's tenant.
pub(super) fn tenancy(
    catalog: &Catalog,
    migrations: &[AppliedMigration],
    options: &TenantOptions,
) -> Result<Tenancy> {
    let known = Known::of(catalog);
    let columns = columns(catalog, &options.column);
    let judge = Judge { catalog, known: &known, columns: &columns, column: &options.column };
    let (tables, reasons) = judge.tables(migrations);
    let Some(kind) = tables.first().and_then(|(name, column)| judge.kind(name, column)) else {
        return Err(none(&options.column, &reasons));
    };
    if let Some(claim) = &options.claim {
        for (name, column) in &tables {
            if !catalog.table(name).is_some_and(|table| is_pinned(name, table, column, claim)) {
                return Err(not_pinned(name, column, claim));
            }
        }
    }
    let of_tenants = states(catalog, &known, &tables);
    let (across, within) = reaching(catalog, &known, &of_tenants);
    let is_tenants = |name: &TableName| tables.iter().any(|(table, _)| table == name);
    let embeds = !catalog.relationships.iter().any(|related| is_tenants(&related.from));
    Ok(Tenancy { tables, kind, claim: options.claim.clone(), across, within, embeds })
}

/// Tables with a column that names the tenant. The table of the tenants themselves has their key.
fn columns<'c>(catalog: &'c Catalog, column: &str) -> HashMap<&'c TableName, String> {
    let own = |(name, table): &(&TableName, &Table)| {
        table.kind == TableKind::Table && !is_of_a_service(name) && table.column(column).is_some()
    };
    let having: Vec<_> = catalog.tables.iter().filter(own).collect();
    let mut columns: HashMap<_, _> = having.iter().map(|(name, _)| (*name, column.to_owned())).collect();
    for key in having.iter().flat_map(|(_, table)| &table.foreign_keys).filter(|key| key.columns == [column])
    {
        if let Some((name, _)) = catalog.tables.get_key_value(&key.references)
            && let [referenced] = &key.referenced_columns[..]
            && !is_of_a_service(name)
        {
            columns.entry(name).or_insert_with(|| referenced.clone());
        }
    }
    columns
}

struct Judge<'c> {
    catalog: &'c Catalog,
    known: &'c Known<'c>,
    columns: &'c HashMap<&'c TableName, String>,
    column: &'c str,
}

impl Judge<'_> {
    /// Tables whose rows are a tenant's, and why others are not.
    fn tables(
        &self,
        migrations: &[AppliedMigration],
    ) -> (Vec<(TableName, String)>, BTreeMap<String, String>) {
        let mut reasons = BTreeMap::new();
        let mut groups = Groups::of(self.known.states.len() + 1);
        let is_table = |(_, table): &(&TableName, &Table)| table.kind == TableKind::Table;
        let all: Vec<_> = self.catalog.tables.iter().filter(is_table).collect();
        for ((name, table), set) in all.iter().zip(self.known.tables()) {
            let Some(fault) = self.fault(name, table) else {
                groups.join(&set);
                continue;
            };
            groups.join(&of_the_rest(set));
            if self.columns.contains_key(name) {
                reasons.insert(name.to_string(), fault);
            }
        }
        for set in self.known.beside(migrations).chain(self.of_rows()) {
            groups.join(&of_the_rest(set));
        }
        let rest = groups.root(0);
        let mut tables = Vec::new();
        for (name, _) in all {
            let Some(column) = self.columns.get(name) else { continue };
            if self.known.state(name).iter().any(|state| groups.root(*state) != rest) {
                tables.push((name.clone(), column.clone()));
            } else {
                let tied = || "it is tied to tables that tenants share".to_owned();
                reasons.entry(name.to_string()).or_insert_with(tied);
            }
        }
        (tables, reasons)
    }

    fn kind(&self, name: &TableName, column: &str) -> Option<TenantKind> {
        TenantKind::of(&self.catalog.table(name)?.column(column)?.ty)
    }

    /// The kind of all columns of this name: that of the first.
    fn common_kind(&self) -> Option<TenantKind> {
        let mut having = self.catalog.tables.keys().filter(|name| self.columns.contains_key(name));
        having.find_map(|name| self.kind(name, &self.columns[name]))
    }

    /// What makes the rows of a table more than one tenant's.
    fn fault(&self, name: &TableName, table: &Table) -> Option<String> {
        let Some(column) = self.columns.get(name) else { return Some(format!("it has no {}", self.column)) };
        let has = |columns: &[String]| columns.contains(column);
        let kind = self.kind(name, column);
        if kind.is_none() || kind != self.common_kind() {
            return Some(format!(
                "{column} is no text, uuid or whole number, or of another type than elsewhere"
            ));
        }
        if table.column(column).is_some_and(|column| column.generated.is_some()) {
            return Some(format!("{column} is computed"));
        }
        if !has(&table.primary_key) {
            return Some(format!("its primary key lacks {column}"));
        }
        if let Some(key) = table.unique_keys.iter().find(|key| !has(&key.columns)) {
            return Some(format!("its unique key {} lacks {column}", key.name));
        }
        let is_term = |term: &String| term.trim().trim_matches('"') == column;
        if let Some(index) =
            table.indexes.iter().find(|index| index.unique && !index.terms.iter().any(is_term))
        {
            return Some(format!("its unique index {} lacks {column}", index.name));
        }
        if !table.triggers.is_empty() {
            return Some("it has triggers".to_owned());
        }
        if let Some(key) = table.foreign_keys.iter().find(|key| !self.stays(key, column)) {
            return Some(format!("its foreign key {} may lead to another tenant's row", key.name));
        }
        let own = self.own(name);
        let names_others = self.known.texts(table).iter().any(|state| !own.contains(state));
        names_others.then(|| "its policies, defaults or checks name other tables".to_owned())
    }

    /// Whether a foreign key leads from a row to one of the same tenant.
    fn stays(&self, key: &ForeignKey, column: &str) -> bool {
        let Some(referenced) = self.columns.get(&key.references) else { return false };
        let mut pairs = key.columns.iter().zip(&key.referenced_columns);
        pairs.any(|(from, to)| from == column && to == referenced)
    }

    /// A table and its own sequences.
    fn own(&self, name: &TableName) -> Set {
        let sequences = self.catalog.sequences.iter();
        let owned = sequences.filter(|(_, one)| one.owner.as_ref().is_some_and(|(table, _)| table == name));
        owned.flat_map(|(sequence, _)| self.known.state(sequence)).chain(self.known.state(name)).collect()
    }

    /// What functions touch that take a row: they are read as columns, or as what is embedded.
    fn of_rows(&self) -> impl Iterator<Item = Set> {
        let is_row = move |ty: &str| {
            let name = ty.rsplit('.').next().unwrap_or(ty).trim_matches('"').to_lowercase();
            self.catalog.tables.keys().any(|table| table.name.to_lowercase() == name)
        };
        let takes_rows = self.catalog.functions.iter().filter(move |function| {
            function.parameters.iter().any(|parameter| is_row(parameter.type_name.trim()))
        });
        takes_rows.map(move |function| self.known.function(&function.name))
    }
}

fn of_the_rest(mut set: Set) -> Set {
    set.insert(0);
    set
}

/// Tenants' tables and their sequences.
fn states(catalog: &Catalog, known: &Known, tables: &[(TableName, String)]) -> Set {
    let is_tenants = |name: &TableName| tables.iter().any(|(table, _)| table == name);
    let sequences = catalog.sequences.iter();
    let owned = sequences.filter(|(_, one)| one.owner.as_ref().is_some_and(|(table, _)| is_tenants(table)));
    let names = owned.map(|(name, _)| name).chain(tables.iter().map(|(name, _)| name));
    names.flat_map(|name| known.state(name)).collect()
}

/// Views and functions that may reach all tenants' rows, and those that reach what their callers may.
fn reaching(catalog: &Catalog, known: &Known, tenants: &Set) -> (Vec<TableName>, Vec<TableName>) {
    let functions = catalog.functions.iter().map(|function| (&function.name, function.security_definer));
    let views = catalog.tables.iter().filter_map(|(name, table)| match &table.kind {
        TableKind::View { invoker, .. } => Some((name, !invoker)),
        TableKind::Table => None,
    });
    let reaching: Vec<_> = functions
        .chain(views)
        .map(|(name, definer)| (name, definer, known.view(name)))
        .filter(|(_, _, set)| set.contains(&0) || set.intersection(tenants).next().is_some())
        .collect();
    // What runs with its caller's rights may call what does not.
    let none_is_raised = reaching.iter().all(|(_, definer, _)| !definer);
    let (within, across): (Vec<_>, Vec<_>) =
        reaching.into_iter().partition(|(_, _, set)| none_is_raised && set.is_subset(tenants));
    let names = |all: Vec<(&TableName, bool, Set)>| {
        let mut names: Vec<_> = all.into_iter().map(|(name, ..)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    (names(across), names(within))
}

fn none(column: &str, reasons: &BTreeMap<String, String>) -> Error {
    let message = if reasons.is_empty() {
        format!("no table has a column {column}")
    } else {
        let shown: Vec<_> = reasons.iter().map(|(table, reason)| format!("{table}: {reason}")).collect();
        format!("no table can move tenant by tenant: {}", shown.join("; "))
    };
    Error::new(ErrorKind::InvalidInput, "BACKEND_011", message).with_hint(format!(
        "have {column} in the primary key, in every unique key and in the foreign keys between these tables; or \
         switch without --tenants"
    ))
}

fn not_pinned(table: &TableName, column: &str, claim: &str) -> Error {
    let message =
        format!("policies of {table} do not keep everybody to rows whose {column} is the claim {claim}");
    Error::new(ErrorKind::InvalidInput, "BACKEND_011", message).with_hint(
        "without --tenant-claim, requests are moved by the tenant that their filters and rows name",
    )
}
