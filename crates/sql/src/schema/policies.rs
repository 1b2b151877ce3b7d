//! Row-level policies.

use sqlparser::ast::{
    AlterPolicy, AlterPolicyOperation, CreatePolicy, CreatePolicyCommand, CreatePolicyType, DropPolicy, Owner,
};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Policy, PolicyCommand, TableName};

use super::names::{ident, table_name};
use super::{fault, no_such_table, partitions};

pub(super) fn create(catalog: &mut Catalog, create: &CreatePolicy) -> Result<()> {
    let table = table_name(&create.table_name);
    let name = ident(&create.name);
    let policies = of(catalog, &table)?;
    if policies.iter().any(|policy| policy.name == name) {
        return Err(fault("42710", format!("policy \"{name}\" for table \"{}\" already exists", table.name)));
    }
    let command = match create.command {
        None | Some(CreatePolicyCommand::All) => PolicyCommand::All,
        Some(CreatePolicyCommand::Select) => PolicyCommand::Select,
        Some(CreatePolicyCommand::Insert) => PolicyCommand::Insert,
        Some(CreatePolicyCommand::Update) => PolicyCommand::Update,
        Some(CreatePolicyCommand::Delete) => PolicyCommand::Delete,
    };
    match command {
        PolicyCommand::Insert if create.using.is_some() => {
            return Err(fault("42601", "only WITH CHECK expression allowed for INSERT".into()));
        }
        PolicyCommand::Select | PolicyCommand::Delete if create.with_check.is_some() => {
            return Err(fault("42601", "WITH CHECK cannot be applied to SELECT or DELETE".into()));
        }
        _ => {}
    }
    policies.push(Policy {
        name,
        permissive: !matches!(create.policy_type, Some(CreatePolicyType::Restrictive)),
        command,
        roles: roles(create.to.as_deref())?,
        using: create.using.as_ref().map(ToString::to_string),
        check: create.with_check.as_ref().map(ToString::to_string),
    });
    Ok(())
}

/// The policies of a table, or of a partition alone.
pub(super) fn of<'a>(catalog: &'a mut Catalog, table: &TableName) -> Result<&'a mut Vec<Policy>> {
    if catalog.tables.contains_key(table) {
        return Ok(&mut catalog.tables[table].policies);
    }
    let partition = partitions::named(catalog, table).ok_or_else(|| no_such_table(table))?;
    Ok(&mut partition.policies)
}

/// Roles by name; `public` is everybody and so an empty list.
fn roles(owners: Option<&[Owner]>) -> Result<Vec<String>> {
    let mut roles = Vec::new();
    for owner in owners.unwrap_or_default() {
        match owner {
            Owner::Ident(name) => roles.push(ident(name)),
            other => return Err(Error::unsupported(format!("a policy for {other} can't be kept"))),
        }
    }
    if roles.iter().any(|role| role == "public") {
        roles.clear();
    }
    Ok(roles)
}

pub(super) fn alter(catalog: &mut Catalog, change: &AlterPolicy) -> Result<()> {
    let table = table_name(&change.table_name);
    let name = ident(&change.name);
    let missing = || no_such_policy(&name, &table);
    let policies = of(catalog, &table)?;
    let policy = policies.iter_mut().find(|policy| policy.name == name).ok_or_else(missing)?;
    match &change.operation {
        AlterPolicyOperation::Rename { new_name } => policy.name = ident(new_name),
        AlterPolicyOperation::Apply { to, using, with_check } => {
            if to.is_some() {
                policy.roles = roles(to.as_deref())?;
            }
            if let Some(using) = using {
                policy.using = Some(using.to_string());
            }
            if let Some(check) = with_check {
                policy.check = Some(check.to_string());
            }
        }
    }
    Ok(())
}

pub(super) fn drop(catalog: &mut Catalog, change: &DropPolicy) -> Result<()> {
    let table = table_name(&change.table_name);
    let name = ident(&change.name);
    if change.if_exists && !catalog.has_relation(&table) {
        return Ok(());
    }
    let policies = of(catalog, &table)?;
    let before = policies.len();
    policies.retain(|policy| policy.name != name);
    if policies.len() == before && !change.if_exists {
        return Err(no_such_policy(&name, &table));
    }
    Ok(())
}

fn no_such_policy(name: &str, table: &TableName) -> Error {
    fault("42704", format!("policy \"{name}\" for table \"{}\" does not exist", table.name))
}
