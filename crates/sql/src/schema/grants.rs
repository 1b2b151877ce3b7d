//! Grants and revokes on tables. Those on schemas, sequences and functions are taken note of
//! nowhere: reaching a table is decided by the table's own grants.

use sqlparser::ast::{Action, Grant, GrantObjects, Grantee, GranteeName, Ident, Privileges, Revoke};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Grant as Entry, TableName};

use super::names::{idents, parts, table_name};
use super::no_such_table;

pub(super) fn grant(catalog: &mut Catalog, grant: &Grant) -> Result<()> {
    record(catalog, &grant.privileges, grant.objects.as_ref(), &grant.grantees, false)
}

pub(super) fn revoke(catalog: &mut Catalog, revoke: &Revoke) -> Result<()> {
    if revoke.grant_option_for {
        return Ok(());
    }
    record(catalog, &revoke.privileges, revoke.objects.as_ref(), &revoke.grantees, true)
}

fn record(
    catalog: &mut Catalog,
    privileges: &Privileges,
    objects: Option<&GrantObjects>,
    grantees: &[Grantee],
    revoke: bool,
) -> Result<()> {
    let tables = tables(catalog, objects)?;
    if tables.is_empty() {
        return Ok(());
    }
    for (privileges, columns) in privilege_sets(privileges)? {
        for role in grantees.iter().map(role) {
            let role = role?;
            for table in &tables {
                catalog.tables[table].grants.push(Entry {
                    role: role.clone(),
                    privileges: privileges.clone(),
                    columns: columns.clone(),
                    revoke,
                });
            }
        }
    }
    Ok(())
}

fn tables(catalog: &Catalog, objects: Option<&GrantObjects>) -> Result<Vec<TableName>> {
    match objects {
        Some(GrantObjects::Tables(names) | GrantObjects::Views(names)) => {
            let known = |name| {
                let name = table_name(name);
                if catalog.tables.contains_key(&name) { Ok(name) } else { Err(no_such_table(&name)) }
            };
            names.iter().map(known).collect()
        }
        Some(GrantObjects::AllTablesInSchema { schemas }) => {
            let schemas: Vec<_> = schemas.iter().map(|name| parts(name).join(".")).collect();
            Ok(catalog.tables.keys().filter(|table| schemas.contains(&table.schema)).cloned().collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn role(grantee: &Grantee) -> Result<String> {
    match &grantee.name {
        Some(GranteeName::ObjectName(name)) => Ok(parts(name).join(".")),
        // `public` is a keyword of its own to the parser.
        None => Ok("public".into()),
        Some(other @ GranteeName::UserHost { .. }) => {
            Err(Error::unsupported(format!("a grant to {other} can't be kept")))
        }
    }
}

/// Privileges on whole tables together, those on columns one by one.
fn privilege_sets(privileges: &Privileges) -> Result<Vec<(Vec<String>, Vec<String>)>> {
    let Privileges::Actions(actions) = privileges else {
        return Ok(vec![(vec!["all".into()], Vec::new())]);
    };
    let mut whole = Vec::new();
    let mut sets = Vec::new();
    for action in actions {
        let (name, columns) = privilege(action)?;
        match columns.map(idents) {
            Some(columns) if !columns.is_empty() => sets.push((vec![name.to_owned()], columns)),
            _ => whole.push(name.to_owned()),
        }
    }
    if !whole.is_empty() {
        sets.push((whole, Vec::new()));
    }
    Ok(sets)
}

fn privilege(action: &Action) -> Result<(&'static str, Option<&[Ident]>)> {
    Ok(match action {
        Action::Select { columns } => ("select", columns.as_deref()),
        Action::Insert { columns } => ("insert", columns.as_deref()),
        Action::Update { columns } => ("update", columns.as_deref()),
        Action::References { columns } => ("references", columns.as_deref()),
        Action::Delete => ("delete", None),
        Action::Truncate => ("truncate", None),
        Action::Trigger => ("trigger", None),
        other => return Err(Error::unsupported(format!("privilege {other} on a table can't be kept"))),
    })
}
