//! The whole schema, with what only those need who write it anew.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Check, Domain, Function, Grant, Introspection, Parameter, Rehearse, Returns, Sequence,
    TableKind, TableName, Trigger,
};
use truststream_sql::render::{is_managed, signature};

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
        connection.batch_execute("commit").await.map_err(failed)?;
        connection.give_back();
        let facts = facts?.into_iter().next().unwrap_or_default();
        Ok(put_together(schema.catalog.as_ref().clone(), facts))
    }

    /// What migrations make of a database that is made for it and dropped.
    pub(crate) async fn rehearsed(&self, op: &Rehearse) -> Result<Introspection> {
        let name = format!("truststream_rehearsal_{}", uuid::Uuid::new_v4().simple());
        let connection = self.shared.transactions.connections().lease().await?;
        let made = connection.batch_execute(&format!("create database {name} template template0")).await;
        made.map_err(|error| {
            let why = "a database to rehearse migrations in can't be made";
            Error::configuration(why).with_hint("grant createdb to the role that connects").with_source(error)
        })?;
        let found = Box::pin(self.rehearsed_in(&name, op)).await;
        let dropped = connection.batch_execute(&format!("drop database {name} with (force)")).await;
        connection.give_back();
        if let Err(error) = dropped {
            tracing::warn!(?error, database = name, "the rehearsal's database is left behind");
        }
        found
    }

    async fn rehearsed_in(&self, name: &str, op: &Rehearse) -> Result<Introspection> {
        let config = self.shared.config.beside(name)?;
        let driver = PostgresDriver::connect(config).await?;
        for migration in &op.migrations {
            let migrate = truststream_services::database::Migrate {
                name: migration.name.clone(),
                sql: migration.sql.clone(),
                dry_run: false,
            };
            driver.apply_migration(&migrate).await?;
        }
        driver.found_out().await
    }
}

fn put_together(mut catalog: Catalog, facts: Facts) -> Introspection {
    let mut found = Introspection { definitions: facts.definitions, ..Introspection::default() };
    catalog.enums.retain(|ty, _| {
        !facts.enums_of_extensions.iter().any(|(schema, name)| ty.schema == *schema && ty.name == *name)
    });
    let relations: HashMap<TableName, RelationFacts> =
        facts.relations.into_iter().map(|one| (TableName::new(&one.schema, &one.name), one)).collect();
    catalog.tables.retain(|table, _| {
        let Some(facts) = relations.get(table).filter(|facts| facts.foreign) else { return true };
        let what = match facts.kind.as_str() {
            "m" => "a materialized view",
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
        definition.grants.retain(|grant| grant.role != facts.owner);
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
        found.definitions.insert(format!("function {}", signature(&function)), definition);
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
    let type_name = format!("{} of ({})", facts.returns.unwrap_or_default(), facts.arguments);
    Function {
        name: TableName::new(facts.schema, facts.name),
        parameters: facts.types.into_iter().map(parameter).collect(),
        returns: Returns {
            type_name,
            set: false,
            composite: false,
            table: None,
            void: false,
            one_row: false,
        },
        reads_only: false,
        variadic: false,
        language: String::new(),
        body: None,
        security_definer: false,
        isolation: None,
        comment: facts.comment,
        strict: false,
        grants,
    }
}
