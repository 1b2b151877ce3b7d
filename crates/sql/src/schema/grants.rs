//! Grants and revokes on tables and functions. Those on sequences are taken note of nowhere: who may
//! insert is given numbers.

use sqlparser::ast::{
    Action, DataType, Grant, GrantObjects, Grantee, GranteeName, Ident, ObjectName, Privileges, Revoke,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, DefaultGrant, Function, Grant as Entry, Partitioning, TableName,
};

use super::functions::spelled;
use super::names::{idents, parts, table_name};
use super::{fault, no_such_table};

/// A grant or revoke in which everybody is one of several grantees, as the parser reads it: by a name
/// in quotes. `None` if it is no such statement.
pub(super) fn with_public(text: &str) -> Option<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize().ok()?;
    let is = |token: &Token, name: &str| matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name));
    let first = tokens.iter().find(|token| !matches!(token, Token::Whitespace(_)))?;
    if !is(first, "grant") && !is(first, "revoke") {
        return None;
    }
    let list = tokens.iter().rposition(|token| is(token, "to") || is(token, "from"))?;
    tokens[list..].iter().any(|token| is(token, "public")).then(|| {
        let one = |(at, token): (usize, &Token)| match at > list && is(token, "public") {
            true => "\"public\"".to_owned(),
            false => token.to_string(),
        };
        tokens.iter().enumerate().map(one).collect()
    })
}

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
    if let Some(GrantObjects::Function { name, arg_types }) = objects {
        return on_function(catalog, name, arg_types, grantees, revoke);
    }
    if let Some(GrantObjects::AllFunctionsInSchema { schemas }) = objects {
        let schemas: Vec<_> = schemas.iter().map(|name| parts(name).join(".")).collect();
        return on_functions(catalog, grantees, revoke, |known| schemas.contains(&known.name.schema))
            .map(drop);
    }
    if let Some(GrantObjects::Schemas(names)) = objects {
        return on_schemas(catalog, names, grantees, revoke);
    }
    let tables = tables(catalog, objects)?;
    if tables.is_empty() {
        return Ok(());
    }
    let entries = entries(privileges, grantees, revoke)?;
    for table in &tables {
        let grants = match catalog.tables.get_mut(table) {
            Some(table) => &mut table.grants,
            None => match super::partitions::named(catalog, table) {
                Some(partition) => &mut partition.grants,
                None => continue,
            },
        };
        grants.extend(entries.iter().cloned());
    }
    Ok(())
}

/// What is granted or revoked, role by role.
pub(super) fn entries(privileges: &Privileges, grantees: &[Grantee], revoke: bool) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (privileges, columns) in privilege_sets(privileges)? {
        for role in grantees.iter().map(role) {
            entries.push(Entry {
                role: role?,
                privileges: privileges.clone(),
                columns: columns.clone(),
                revoke,
            });
        }
    }
    Ok(entries)
}

/// A schema that is closed to a role: all that is in it, or will be, is. That one is open says
/// nothing of what is in it.
fn on_schemas(
    catalog: &mut Catalog,
    schemas: &[ObjectName],
    grantees: &[Grantee],
    revoke: bool,
) -> Result<()> {
    let roles = grantees.iter().map(role).collect::<Result<Vec<_>>>()?;
    // The roles of requests may enter schemas by their own names, not as everybody.
    let closed: Vec<_> = roles.into_iter().filter(|role| revoke && role != "public").collect();
    for (schema, role) in
        schemas.iter().flat_map(|name| closed.iter().map(|role| (parts(name).join("."), role)))
    {
        let entry = |privilege: &str| Entry {
            role: role.clone(),
            privileges: vec![privilege.to_owned()],
            columns: Vec::new(),
            revoke: true,
        };
        for (_, table) in catalog.tables.iter_mut().filter(|(table, _)| table.schema == schema) {
            table.grants.push(entry("all"));
        }
        for function in catalog.functions.iter_mut().filter(|function| function.name.schema == schema) {
            function.grants.push(entry("execute"));
        }
        for functions in [false, true] {
            let grant = entry(if functions { "execute" } else { "all" });
            catalog.default_grants.push(DefaultGrant { schema: Some(schema.clone()), functions, grant });
        }
    }
    Ok(())
}

fn on_function(
    catalog: &mut Catalog,
    name: &ObjectName,
    types: &[DataType],
    grantees: &[Grantee],
    revoke: bool,
) -> Result<()> {
    let name = table_name(name);
    let types: Vec<_> = types.iter().map(spelled).collect();
    let meant = |known: &Function| {
        let parameters = known.parameters.iter().map(|parameter| &parameter.type_name);
        known.name == name && (types.is_empty() || parameters.eq(types.iter()))
    };
    if on_functions(catalog, grantees, revoke, meant)? {
        return Ok(());
    }
    Err(fault("42883", format!("function {}({}) does not exist", name.name, types.join(", "))))
}

/// Takes note of a grant on the functions meant, and whether there are any.
fn on_functions(
    catalog: &mut Catalog,
    grantees: &[Grantee],
    revoke: bool,
    meant: impl Fn(&Function) -> bool,
) -> Result<bool> {
    let roles = grantees.iter().map(role).collect::<Result<Vec<_>>>()?;
    let mut found = false;
    for function in catalog.functions.iter_mut().filter(|function| meant(function)) {
        found = true;
        let entry = |role: &String| Entry {
            role: role.clone(),
            privileges: vec!["execute".into()],
            columns: Vec::new(),
            revoke,
        };
        function.grants.extend(roles.iter().map(entry));
    }
    Ok(found)
}

fn tables(catalog: &Catalog, objects: Option<&GrantObjects>) -> Result<Vec<TableName>> {
    match objects {
        Some(GrantObjects::Tables(names) | GrantObjects::Views(names)) => {
            let known = |name| {
                let name = table_name(name);
                if catalog.has_relation(&name) { Ok(name) } else { Err(no_such_table(&name)) }
            };
            names.iter().map(known).collect()
        }
        Some(GrantObjects::AllTablesInSchema { schemas }) => {
            let schemas: Vec<_> = schemas.iter().map(|name| parts(name).join(".")).collect();
            let partitions = catalog.tables.values().filter_map(|table| table.partitioning.as_ref());
            let partitions = partitions.flat_map(Partitioning::all).map(|(_, one)| &one.name);
            let names = catalog.tables.keys().chain(partitions);
            Ok(names.filter(|table| schemas.contains(&table.schema)).cloned().collect())
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
        Action::Execute { .. } => ("execute", None),
        other => return Err(Error::unsupported(format!("privilege {other} on a table can't be kept"))),
    })
}
