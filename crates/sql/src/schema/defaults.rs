//! `alter default privileges`: what tables and functions are granted when they are made.

use sqlparser::ast::{Grant, Grantee, Privileges, Revoke, Statement};
use truststream_kernel::Result;
use truststream_services::database::{Catalog, DefaultGrant, Function, Grant as Entry, TableName};

use super::grants;
use super::own::{Words, unreadable};

/// Who makes what migrations make.
const MAKER: &str = "postgres";

/// A change of default privileges.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Schemas it is for; every schema if empty.
    schemas: Vec<String>,
    functions: bool,
    revoke: bool,
    privileges: Privileges,
    grantees: Vec<Grantee>,
    /// Whether it is for objects that migrations make.
    concerns: bool,
}

pub(super) fn read(words: &mut Words<'_>) -> Result<Change, String> {
    let fault = || unreadable("change of default privileges");
    words.take("privileges");
    let mut concerns = true;
    if words.take("for") {
        words.next();
        let roles = words.names().ok_or_else(fault)?;
        concerns = roles.iter().any(|role| role == MAKER || role == "current_user" || role == "session_user");
    }
    let schemas = if words.skip(&["in", "schema"]) { words.names().ok_or_else(fault)? } else { Vec::new() };
    // The rest is a grant on a kind of objects where one on objects would name them.
    let text = words.rest().to_lowercase();
    let (before, after) = text.split_once(" on ").ok_or_else(fault)?;
    let (kind, after) = after.split_once(' ').ok_or_else(fault)?;
    if !matches!(kind, "tables" | "functions" | "routines" | "sequences" | "types" | "schemas") {
        return Err(fault());
    }
    let parsed =
        super::parse_one(&format!("{before} on table \"of this kind\" {after}")).map_err(|_| fault())?;
    let (revoke, privileges, grantees) = match parsed {
        Statement::Grant(Grant { privileges, grantees, .. }) => (false, privileges, grantees),
        Statement::Revoke(Revoke { privileges, grantees, .. }) => (true, privileges, grantees),
        _ => return Err(fault()),
    };
    let functions = matches!(kind, "functions" | "routines");
    // Numbers are given to whoever may insert, and types are open to all.
    concerns &= functions || kind == "tables";
    Ok(Change { schemas, functions, revoke, privileges, grantees, concerns })
}

pub(super) fn apply(catalog: &mut Catalog, change: &Change) -> Result<()> {
    if !change.concerns {
        return Ok(());
    }
    let schemas: Vec<Option<&String>> = match change.schemas.is_empty() {
        true => vec![None],
        false => change.schemas.iter().map(Some).collect(),
    };
    for grant in grants::entries(&change.privileges, &change.grantees, change.revoke)? {
        // What everybody may do by PostgreSQL's own rules is not taken away for one schema only.
        let built_in = change.functions && change.revoke && grant.role == "public";
        for schema in schemas.iter().filter(|schema| !built_in || schema.is_none()) {
            catalog.default_grants.push(DefaultGrant {
                schema: schema.cloned(),
                functions: change.functions,
                grant: grant.clone(),
            });
        }
    }
    Ok(())
}

fn of(catalog: &Catalog, name: &TableName, functions: bool) -> Vec<Entry> {
    let meant = |one: &&DefaultGrant| {
        one.functions == functions && one.schema.as_ref().is_none_or(|schema| *schema == name.schema)
    };
    catalog.default_grants.iter().filter(meant).map(|one| one.grant.clone()).collect()
}

/// What a new table or view is granted.
pub(super) fn of_table(catalog: &Catalog, name: &TableName) -> Vec<Entry> {
    of(catalog, name, false)
}

/// What a new function is granted.
pub(super) fn of_function(catalog: &Catalog, function: &Function) -> Vec<Entry> {
    of(catalog, &function.name, true)
}
