//! The whole schema, with what only those need who write it anew.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use truststream_kernel::Result;
use truststream_services::database::{
    Catalog, Check, Domain, Extra, Function, Grant, Introspection, Parameter, Returns, Sequence, Table,
    TableKind, TableName, Trigger, is_managed,
};
use truststream_sql::render::{PROCEDURE, routine};

use super::rows;
use crate::driver::PostgresDriver;
use crate::error::failed;

#[derive(Default, Deserialize)]
struct Facts {
    definitions: BTreeMap<String, String>,
    functions: Vec<FunctionFacts>,
    triggers: Vec<(String, String, String)>,
    relations: Vec<RelationFacts>,
    domains: Vec<DomainFacts>,
    sequences: Vec<SequenceFacts>,
    notes: Vec<String>,
    enums_of_extensions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct FunctionFacts {
    schema: String,
    name: String,
    types: Vec<String>,
    arguments: String,
    returns: Option<String>,
    definition: String,
    comment: Option<String>,
    /// Who may call it, and whether that is its owner; absent if nobody ever said.
    grants: Option<Vec<(String, bool)>>,
}

#[derive(Deserialize)]
struct RelationFacts {
    schema: String,
    name: String,
    kind: String,
    owner: String,
    invoker: bool,
    foreign: bool,
    /// Collations of columns that are not those of their types.
    collations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct DomainFacts {
    schema: String,
    name: String,
    base: String,
    not_null: bool,
    default: Option<String>,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct SequenceFacts {
    schema: String,
    name: String,
    start: i64,
    increment: i64,
    owner: Option<(String, String, String)>,
}

impl PostgresDriver {
    /// What is in the database.
    pub(crate) async fn found_out(&self) -> Result<Introspection> {
        let schema = self.reload().await?;
        let connection = self.shared.transactions.connections().lease().await?;
        connection.begin(" read only").await?;
        connection.batch_execute("set local search_path = ''").await.map_err(failed)?;
        let facts: Result<Vec<Facts>> = rows(&connection, include_str!("definitions.sql")).await;
        let extras: Result<Vec<Extra>> = rows(&connection, include_str!("extras.sql")).await;
        connection.batch_execute("commit").await.map_err(failed)?;
        connection.give_back();
        let facts = facts?.into_iter().next().unwrap_or_default();
        let found = put_together(schema.catalog.as_ref().clone(), facts);
        Ok(Introspection { extras: extras?, ..found })
    }
}

fn put_together(mut catalog: Catalog, facts: Facts) -> Introspection {
    let Facts { definitions, notes, .. } = &facts;
    let mut found =
        Introspection { definitions: definitions.clone(), notes: notes.clone(), ..Introspection::default() };
    catalog.enums.retain(|ty, _| {
        !facts.enums_of_extensions.iter().any(|(schema, name)| ty.schema == *schema && ty.name == *name)
    });
    // Among the extras, as the server prints them.
    catalog.composites.clear();
    let relations: HashMap<TableName, RelationFacts> =
        facts.relations.into_iter().map(|one| (TableName::new(&one.schema, &one.name), one)).collect();
    catalog.tables.retain(|table, _| {
        let Some(facts) = relations.get(table).filter(|facts| facts.foreign) else { return true };
        let what = match facts.kind.as_str() {
            "f" => "a foreign table",
            "p" => "a partitioned table",
            _ => return false,
        };
        if !is_managed(&table.schema) {
            found.notes.push(format!("{table} is {what}: left out"));
        }
        false
    });
    for (table, definition) in &mut catalog.tables {
        let Some(facts) = relations.get(table) else { continue };
        definition.grants.retain(|grant| !grant.revoke && grant.role != facts.owner);
        if definition.row_security || facts.invoker {
            keep_closed(definition);
        }
        for column in &mut definition.columns {
            if let Some(collation) = facts.collations.as_ref().and_then(|all| all.get(&column.name)) {
                column.type_name.push_str(&format!(" collate {collation}"));
            }
        }
        if let TableKind::View { invoker, .. } = &mut definition.kind {
            *invoker = facts.invoker;
        }
    }
    for (schema, table, name) in facts.triggers {
        if let Some(definition) = catalog.tables.get_mut(&TableName::new(schema, table)) {
            definition.triggers.push(trigger(name));
        }
    }
    catalog.functions.clear();
    for facts in facts.functions {
        let definition = facts.definition.clone();
        let function = function(facts);
        found.definitions.insert(routine(&function), definition);
        catalog.functions.push(function);
    }
    for one in facts.domains {
        let DomainFacts { schema, name, base, not_null, default, checks } = one;
        catalog.domains.insert(TableName::new(schema, name), Domain { base, not_null, default, checks });
    }
    for one in facts.sequences {
        let owner = one.owner.map(|(schema, table, column)| (TableName::new(schema, table), column));
        let own =
            owner.as_ref().is_some_and(|(table, column)| one.name == format!("{}_{column}_seq", table.name));
        let sequence = Sequence { start: one.start, increment: one.increment, limit: None, owner };
        if !own || sequence.start != 1 || sequence.increment != 1 {
            catalog.sequences.insert(TableName::new(one.schema, one.name), sequence);
        }
    }
    found.catalog = catalog;
    found
}

/// Tables with policies are opened to the roles of requests when they are made, unless the migration
/// revokes it: what is closed says so.
fn keep_closed(table: &mut Table) {
    let everything = |grant: &Grant| EVERYTHING.iter().all(|one| grant.privileges.iter().any(|p| p == one));
    let closed = ["anon", "authenticated"].into_iter().filter(|role| {
        !table.grants.iter().any(|grant| grant.role == *role && grant.columns.is_empty() && everything(grant))
    });
    let revoke = |role: &str| Grant {
        role: role.to_owned(),
        privileges: vec!["all".into()],
        columns: Vec::new(),
        revoke: true,
    };
    let revoked: Vec<_> = closed.map(revoke).collect();
    table.grants.splice(0..0, revoked);
}

/// What `all` means of a table, in every version of PostgreSQL.
const EVERYTHING: &[&str] = &["select", "insert", "update", "delete", "truncate", "references", "trigger"];

/// A trigger whose definition the server tells.
fn trigger(name: String) -> Trigger {
    Trigger {
        name,
        before: false,
        events: Vec::new(),
        columns: Vec::new(),
        condition: None,
        function: TableName::public(""),
        arguments: Vec::new(),
    }
}

/// A function whose definition the server tells: only what it is told apart by is here.
fn function(facts: FunctionFacts) -> Function {
    let parameter = |type_name: String| Parameter {
        name: String::new(),
        type_name,
        required: true,
        variadic: false,
        default: None,
    };
    let execute = |role: String, revoke: bool| Grant {
        role,
        privileges: vec!["execute".into()],
        columns: Vec::new(),
        revoke,
    };
    let mut grants = Vec::new();
    if let Some(all) = facts.grants {
        if !all.iter().any(|(role, _)| role == "public") {
            grants.push(execute("public".into(), true));
        }
        let named = all.into_iter().filter(|(role, owner)| !owner && role != "public");
        grants.extend(named.map(|(role, _)| execute(role, false)));
    }
    let returns = facts.returns.as_deref().unwrap_or(PROCEDURE);
    let type_name = format!("{returns} of ({})", facts.arguments);
    Function {
        name: TableName::new(facts.schema, facts.name),
        parameters: facts.types.into_iter().map(parameter).collect(),
        returns: Returns { type_name, ..Returns::default() },
        comment: facts.comment,
        grants,
        ..Function::default()
    }
}
