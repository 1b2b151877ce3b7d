//! The schema as the database's own catalogs tell it.

mod found;
mod rehearse;
mod tree;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use tokio_postgres::{Client, Row};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Attribute, Catalog, Check, Column, ForeignKey, Function, Grant, Identity, Index, Link, Policy,
    Relationship, Table, TableKind, TableName, UniqueKey,
};
use truststream_sql::relations::Relations;

use crate::connector::Connection;
use crate::error::failed;
use crate::schema::{Handler, Schema};
use crate::settings::Stored;
use crate::sql::Sql;
use crate::transaction::query_text;
use crate::watch::fingerprint;
use crate::wire::Param;
use tree::origins;

/// The server's code where something is dropped that it was just about to print: that is not under a snapshot.
const GONE: &str = "XX000";

/// How often the schema is read while others drop what is in it.
const ATTEMPTS: usize = 5;

/// Reads the whole schema in one snapshot.
///
/// The time zones are those that were read before: the server opens a file for each.
pub(crate) async fn read(
    connection: &Connection,
    time_zones: Arc<HashSet<String>>,
) -> Result<(Schema, Stored)> {
    for _ in 1..ATTEMPTS {
        match read_once(connection, Arc::clone(&time_zones)).await {
            Err(error) if error.code() == GONE => tracing::debug!(%error, "the schema is read again"),
            read => return read,
        }
    }
    read_once(connection, time_zones).await
}

async fn read_once(connection: &Connection, time_zones: Arc<HashSet<String>>) -> Result<(Schema, Stored)> {
    connection.begin(" isolation level repeatable read read only").await?;
    // Without a search path every name that is printed is qualified.
    connection.batch_execute("set local search_path = ''").await.map_err(failed)?;
    let fingerprint = fingerprint(connection).await;
    let schema = read_all(connection, time_zones).await;
    let stored: Result<Vec<Stored>> = rows(connection, include_str!("introspect/settings.sql")).await;
    connection.batch_execute("commit").await.map_err(failed)?;
    let schema = Schema { fingerprint: fingerprint?, ..schema? };
    Ok((schema, stored?.into_iter().next().unwrap_or_default()))
}

async fn read_all(client: &Client, time_zones: Arc<HashSet<String>>) -> Result<Schema> {
    let relations: Vec<RelationRow> = rows(client, include_str!("introspect/tables.sql")).await?;
    let functions: Vec<FunctionRow> = rows(client, include_str!("introspect/functions.sql")).await?;
    let computed: Vec<Relationship> = rows(client, include_str!("introspect/computed.sql")).await?;
    let entries = view_entries(client).await?;
    let view_keys: Vec<ViewKey> = rows_with(client, include_str!("introspect/views.sql"), entries).await?;
    let others: Vec<Others> = rows(client, include_str!("introspect/others.sql")).await?;
    let others = others.into_iter().next().unwrap_or_default();
    let time_zones = if time_zones.is_empty() { Arc::new(all_time_zones(client).await?) } else { time_zones };

    let mut catalog = Catalog {
        tables: relations.into_iter().map(RelationRow::into_table).collect(),
        enums: others.enums.into_iter().collect(),
        composites: others.composites.into_iter().collect(),
        schemas: others.schemas,
        ..Catalog::default()
    };
    let mut function_settings = HashMap::new();
    for row in functions {
        if !row.settings.is_empty() {
            function_settings.insert(row.function.name.clone(), row.settings);
        }
        catalog.functions.push(row.function);
    }
    inherit_keys(&mut catalog, &view_keys);
    catalog.relationships.extend(computed);
    Ok(Schema {
        relations: Relations::of(&catalog),
        catalog: Arc::new(catalog),
        representations: others.representations.into_iter().map(|(from, to, by)| ((from, to), by)).collect(),
        handlers: others
            .handlers
            .into_iter()
            .map(|row| {
                let handler = Handler { function: row.function, media_type: row.made };
                ((row.target, row.media_type), handler)
            })
            .collect(),
        time_zones,
        function_settings,
        fingerprint: None,
    })
}

async fn all_time_zones(client: &Client) -> Result<HashSet<String>> {
    let named = client.query_typed("select name from pg_timezone_names", &[]).await.map_err(failed)?;
    named.iter().map(|row| row.try_get(0).map_err(failed)).collect()
}

async fn rows<T: DeserializeOwned>(client: &Client, sql: &str) -> Result<Vec<T>> {
    parsed(&client.query_typed(sql, &[]).await.map_err(failed)?)
}

async fn rows_with<T: DeserializeOwned>(client: &Client, sql: &str, parameter: String) -> Result<Vec<T>> {
    let sql = Sql { text: sql.to_owned(), params: vec![Param::from(parameter)], ..Sql::default() };
    parsed(&query_text(client, &sql).await?)
}

/// The columns of views that come unchanged from other relations, as a JSON list.
async fn view_entries(client: &Client) -> Result<String> {
    let sql = "select c.oid, w.ev_action::text from pg_class c join pg_rewrite w on w.ev_class = c.oid
               where c.relkind in ('v', 'm') and w.ev_type = '1' and c.oid >= 16384";
    let mut entries = Vec::new();
    for row in client.query_typed(sql, &[]).await.map_err(failed)? {
        let view: u32 = row.try_get(0).map_err(failed)?;
        let tree: &str = row.try_get(1).map_err(failed)?;
        entries.extend(origins(tree).into_iter().map(|origin| {
            json!({
                "view": view,
                "number": origin.number,
                "origin": origin.relation,
                "origin_number": origin.column,
            })
        }));
    }
    Ok(Json::Array(entries).to_string())
}

fn parsed<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| {
            let text: &str = row.try_get(0).map_err(failed)?;
            serde_json::from_str(text)
                .map_err(|error| Error::internal("the schema could not be read").with_source(error))
        })
        .collect()
}

#[derive(Deserialize)]
struct RelationRow {
    schema: String,
    name: String,
    view: bool,
    definition: Option<String>,
    insertable: bool,
    updatable: bool,
    deletable: bool,
    row_security: bool,
    comment: Option<String>,
    columns: Vec<ColumnRow>,
    primary_key: Vec<String>,
    primary_key_name: Option<String>,
    unique_keys: Vec<UniqueKey>,
    foreign_keys: Vec<ForeignKey>,
    checks: Vec<Check>,
    indexes: Vec<Index>,
    policies: Vec<Policy>,
    grants: Vec<Grant>,
}

impl RelationRow {
    fn into_table(self) -> (TableName, Table) {
        let writable = self.insertable && self.updatable && self.deletable;
        let kind = if self.view || !writable {
            TableKind::View {
                definition: self.definition.unwrap_or_default(),
                insertable: self.insertable,
                updatable: self.updatable,
                deletable: self.deletable,
                invoker: false,
                materialized: false,
            }
        } else {
            TableKind::Table
        };
        let table = Table {
            kind,
            columns: self.columns.into_iter().map(ColumnRow::into_column).collect(),
            primary_key: self.primary_key,
            primary_key_name: self.primary_key_name,
            unique_keys: self.unique_keys,
            foreign_keys: self.foreign_keys,
            checks: self.checks,
            indexes: self.indexes,
            row_security: self.row_security,
            policies: self.policies,
            grants: self.grants,
            comment: self.comment,
            triggers: Vec::new(),
            partitioning: None,
        };
        (TableName::new(self.schema, self.name), table)
    }
}

#[derive(Deserialize)]
struct ColumnRow {
    name: String,
    type_name: String,
    base_type: Option<String>,
    /// It is an enum, or an array of them.
    is_enum: bool,
    nullable: bool,
    default: Option<String>,
    identity: Option<Identity>,
    generated: Option<String>,
    comment: Option<String>,
}

impl ColumnRow {
    fn into_column(self) -> Column {
        let name = self.base_type.as_ref().unwrap_or(&self.type_name);
        let of_enum = |name: &str| Type::Enum(name.strip_prefix("public.").unwrap_or(name).to_owned());
        let ty = match name.strip_suffix("[]") {
            _ if !self.is_enum => Type::parse(name),
            Some(element) => Type::Array(Box::new(of_enum(element))),
            None => of_enum(name),
        };
        Column {
            name: self.name,
            ty,
            type_name: self.type_name,
            nullable: self.nullable,
            default: self.default,
            identity: self.identity,
            generated: self.generated,
            comment: self.comment,
        }
    }
}

#[derive(Deserialize)]
struct FunctionRow {
    #[serde(flatten)]
    function: Function,
    settings: Vec<(String, String)>,
}

#[derive(Default, Deserialize)]
struct Others {
    schemas: IndexMap<String, Option<String>>,
    enums: Vec<(TableName, Vec<String>)>,
    composites: Vec<(TableName, Vec<Attribute>)>,
    representations: Vec<(String, String, String)>,
    handlers: Vec<HandlerRow>,
}

#[derive(Deserialize)]
struct HandlerRow {
    function: TableName,
    target: Option<TableName>,
    media_type: String,
    made: String,
}

/// A key of a table all of whose columns a view shows, each perhaps more than once.
#[derive(Deserialize)]
struct ViewKey {
    view: TableName,
    table: TableName,
    constraint: String,
    /// `p` primary key, `f` referencing side, `r` referenced side of a foreign key.
    r#type: String,
    columns: Vec<(String, Vec<String>)>,
}

impl ViewKey {
    /// Every way to choose one view column for each column of the key.
    fn choices(&self) -> Vec<Vec<&String>> {
        self.columns.iter().fold(vec![Vec::new()], |chosen, (_, names)| {
            chosen
                .iter()
                .flat_map(|before| {
                    names.iter().map(move |name| before.iter().copied().chain([name]).collect())
                })
                .collect()
        })
    }
}

/// Gives views the primary keys of their tables, and lists the relationships that foreign keys make
/// when either side, or both, are seen through a view.
fn inherit_keys(catalog: &mut Catalog, view_keys: &[ViewKey]) {
    for key in view_keys.iter().filter(|key| key.r#type == "p") {
        if let Some(view) = catalog.tables.get_mut(&key.view) {
            view.primary_key.extend(key.columns.iter().filter_map(|(_, names)| names.first().cloned()));
        }
    }
    let mut found = Vec::new();
    for (name, table) in &catalog.tables {
        for foreign in &table.foreign_keys {
            let side = |side: &str, table: &TableName| {
                let same = |key: &&ViewKey| {
                    key.r#type == side && key.constraint == foreign.name && key.table == *table
                };
                let choices = |key: &ViewKey| -> Vec<(TableName, Vec<String>)> {
                    let cloned = |columns: Vec<&String>| columns.into_iter().cloned().collect();
                    key.choices().into_iter().map(|chosen| (key.view.clone(), cloned(chosen))).collect()
                };
                view_keys.iter().filter(same).flat_map(choices).collect::<Vec<_>>()
            };
            let own = (name.clone(), foreign.columns.clone());
            let other = (foreign.references.clone(), foreign.referenced_columns.clone());
            let unique = is_unique(table, &foreign.columns);
            let (from, to) = (side("f", name), side("r", &foreign.references));
            let pairs = from.iter().flat_map(|from| to.iter().chain([&other]).map(move |to| (from, to)));
            for (from, to) in pairs.chain(to.iter().map(|to| (&own, to))) {
                found.push(relationship(&foreign.name, from, to));
                if unique {
                    found.push(relationship(&foreign.name, to, from));
                }
            }
        }
    }
    catalog.relationships.extend(found);
}

fn relationship(
    constraint: &str,
    (from, own): &(TableName, Vec<String>),
    (to, other): &(TableName, Vec<String>),
) -> Relationship {
    Relationship {
        from: from.clone(),
        to: to.clone(),
        link: Link::Key {
            constraint: constraint.to_owned(),
            columns: own.iter().cloned().zip(other.iter().cloned()).collect(),
        },
        to_one: true,
    }
}

fn is_unique(table: &Table, columns: &[String]) -> bool {
    let same =
        |key: &[String]| key.len() == columns.len() && key.iter().all(|column| columns.contains(column));
    same(&table.primary_key) || table.unique_keys.iter().any(|key| same(&key.columns))
}
