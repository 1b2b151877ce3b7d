//! Grants and revokes on tables and functions. Those on sequences are taken note of nowhere: who may
//! insert is given numbers.

use sqlparser::ast::{
    Action, ArgMode, DataType, Grant, GrantObjects, Grantee, GranteeName, Ident, ObjectName, Privileges,
    Revoke, Statement,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Catalog, DefaultGrant, Function, Grant as Entry, Parameter, Partitioning, TableName,
};

use super::functions::spelled;
use super::names::{idents, parts, table_name};
use super::type_names::{type_named, type_of};
use super::{fault, no_such_table};

/// A grant or revoke as the parser reads it: everybody among several grantees by a name in quotes, parameters
/// of a function, which dumps name, by their types alone. `None` if it is no such statement.
pub(super) fn readable(text: &str) -> Option<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize().ok()?;
    let first = tokens.iter().find(|token| !matches!(token, Token::Whitespace(_)))?;
    if !is(first, "grant") && !is(first, "revoke") {
        return None;
    }
    let list = tokens.iter().rposition(|token| is(token, "to") || is(token, "from"))?;
    let one = |token: &Token| if is(token, "public") { "\"public\"".to_owned() } else { token.to_string() };
    let objects = without_names(&tokens[..list]).unwrap_or_else(|| written(&tokens[..list]));
    Some(objects + &tokens[list..].iter().map(one).collect::<String>())
}

fn is(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name))
}

fn written(tokens: &[Token]) -> String {
    tokens.iter().map(ToString::to_string).collect()
}

/// What stands before the grantees, with the types of a function's parameters and nothing else of them.
fn without_names(tokens: &[Token]) -> Option<String> {
    let function = tokens.iter().position(|token| is(token, "function"))?;
    let open = function + tokens[function..].iter().position(|token| *token == Token::LParen)?;
    let close = tokens.iter().rposition(|token| *token == Token::RParen)?;
    let parameters = written(tokens.get(open + 1..close)?);
    let sql = format!("create function f({parameters}) returns int language sql as ''");
    let Ok(Statement::CreateFunction(create)) = super::parse_one(&sql) else { return None };
    // Those that are results are no part of what a function is called by.
    let called = create.args.iter().flatten().filter(|argument| argument.mode != Some(ArgMode::Out));
    let types: Vec<String> = called.map(|argument| argument.data_type.to_string()).collect();
    Some(format!("{}({}){}", written(&tokens[..open]), types.join(", "), written(&tokens[close + 1..])))
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
    let wanted: Vec<Type> = types.iter().map(|ty| without_length(type_of(catalog, ty))).collect();
    let takes = |known: &Function| {
        let taken = known.parameters.iter();
        taken.map(|one| without_length(type_named(catalog, &one.type_name))).eq(wanted.iter().cloned())
    };
    let named = catalog.functions.iter().filter(|known| known.name == name);
    let meant: Vec<Vec<Parameter>> = named
        .filter(|known| wanted.is_empty() || takes(known))
        .map(|known| known.parameters.clone())
        .collect();
    let is_meant = |known: &Function| known.name == name && meant.contains(&known.parameters);
    if on_functions(catalog, grantees, revoke, is_meant)? {
        return Ok(());
    }
    let types: Vec<_> = types.iter().map(spelled).collect();
    Err(fault("42883", format!("function {}({}) does not exist", name.name, types.join(", "))))
}

/// A type as it tells functions apart.
fn without_length(ty: Type) -> Type {
    match ty {
        Type::Varchar(_) => Type::Varchar(None),
        Type::Char(_) => Type::Char(1),
        Type::Numeric(_) => Type::Numeric(None),
        Type::Array(inner) => Type::Array(Box::new(without_length(*inner))),
        other => other,
    }
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
