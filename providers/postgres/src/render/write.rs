//! Inserts, updates, deletes.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Column, Delete, Filter, Identity, Insert, Operator, Query, Returning, Table, TableName, Update,
    WriteOptions,
};
use truststream_sql::quote::{literal, qualified, quote};

use super::body::{Representation, Shape, negotiate};
use super::fields::{order, range};
use super::filter::{Place, filter};
use super::read::{RETURNED, rows};
use super::request::{Frame, NO_TOTAL, SHOWN, Statement};
use crate::document::Document;
use crate::plan::{Node, Source};
use crate::schema::Schema;
use crate::sql::Sql;

const COUNT_INSERTED: &str = "set_config('pgrst.inserted', \
     (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) + 1)::text, true) <> '0'";
const COUNT_MERGED: &str = "set_config('pgrst.inserted', \
     (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) - 1)::text, true) <> '-1'";

/// An insert or upsert.
pub(crate) fn insert(schema: &Schema, op: &Insert, rows: &Document) -> Result<Statement> {
    let table = schema.table(&op.table)?;
    let columns = columns(schema, table, &op.table, rows, op.columns.as_deref())?;
    let merges = op.on_conflict.as_ref().is_some_and(|conflict| conflict.merge);
    if let Some(key) = &op.query.filter {
        check_key(table, key)?;
    }
    let mut sql = Sql::new(format!("WITH {RETURNED} AS (INSERT INTO "));
    sql.table(&op.table);
    if !columns.is_empty() {
        sql.push("(")
            .list(&columns, ", ", |sql, column| {
                sql.name(&column.name);
            })
            .push(")");
    }
    sql.push(" SELECT ").list(&columns, ", ", |sql, column| {
        sql.push("pgrst_body.").name(&column.name);
    });
    from_json(&mut sql, schema, &op.table, rows, &columns, op.missing_default);
    let mut separator = " WHERE ";
    if let Some(key) = &op.query.filter {
        let body = TableName::new("", "pgrst_body");
        let query = Query::default();
        let mut node = Node::plan(schema, &body, Source::Returned, &query)?;
        node.known = Some(table);
        sql.push(separator);
        filter(&mut sql, Place { schema, node: &node, counting: false }, key);
        separator = " AND ";
    }
    if merges {
        sql.push(separator).push(COUNT_INSERTED);
    }
    on_conflict(&mut sql, table, op, &columns);
    let inserted = if merges { "nullif(current_setting('pgrst.inserted', true), '')" } else { "null::text" };
    let long = rows.is_large();
    written(sql, schema, (&op.table, table), &op.query, &op.options, (inserted, long))
}

fn on_conflict(sql: &mut Sql, table: &Table, op: &Insert, columns: &[&Column]) {
    let Some(conflict) = &op.on_conflict else { return };
    let key = conflict.columns.as_ref().unwrap_or(&table.primary_key);
    if key.is_empty() {
        return;
    }
    sql.push(" ON CONFLICT(")
        .list(key, ", ", |sql, column| {
            sql.name(column);
        })
        .push(") ");
    if !conflict.merge || columns.is_empty() {
        sql.push("DO NOTHING");
        return;
    }
    sql.push("DO UPDATE SET ").list(columns, ", ", |sql, column| {
        let name = quote(&column.name);
        sql.push(&format!("{name} = EXCLUDED.{name}"));
    });
    sql.push(" WHERE ").push(COUNT_MERGED);
}

/// A `PUT` names the whole key, by equality.
fn check_key(table: &Table, key: &Filter) -> Result<()> {
    let parts = match key {
        Filter::And(all) => &all[..],
        one => std::slice::from_ref(one),
    };
    let named: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            Filter::Compare(comparison)
                if comparison.operator == Operator::Eq
                    && comparison.quantifier.is_none()
                    && comparison.field.path.is_empty() =>
            {
                Some(comparison.field.name.as_str())
            }
            _ => None,
        })
        .collect();
    let whole = named.is_some_and(|named| {
        !table.primary_key.is_empty()
            && table.primary_key.iter().all(|column| named.contains(&column.as_str()))
            && named.iter().all(|name| table.primary_key.iter().any(|column| column == name))
    });
    if whole {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "PGRST105",
        "Filters must include all and only primary key columns with 'eq' operators",
    ))
}

/// An update.
pub(crate) fn update(schema: &Schema, op: &Update, values: &Document) -> Result<Statement> {
    let table = schema.table(&op.table)?;
    let columns = columns(schema, table, &op.table, values, op.columns.as_deref())?;
    let node = target(schema, &op.table, &op.query)?;
    let mut sql = Sql::new(format!("WITH {RETURNED} AS ("));
    if columns.is_empty() {
        // Nothing is set, so nothing is changed; the columns are those a reply would have.
        sql.push("SELECT ");
        let row = quote(&op.table.name);
        returned_columns(&mut sql, &row, &outer(schema, &op.table, &op.query)?, table, &op.options, "NULL");
        sql.push(" FROM ").table(&op.table).push(" WHERE false");
        return written_rows(sql, schema, (&op.table, table), &op.query, &op.options, ("null::text", false));
    }
    sql.push("UPDATE ").table(&op.table).push(" SET ").list(&columns, ", ", |sql, column| {
        let name = quote(&column.name);
        sql.push(&format!("{name} = pgrst_body.{name}"));
    });
    from_json(&mut sql, schema, &op.table, values, &columns, op.missing_default);
    matching(&mut sql, schema, &node);
    written(sql, schema, (&op.table, table), &op.query, &op.options, ("null::text", false))
}

/// A delete.
pub(crate) fn delete(schema: &Schema, op: &Delete) -> Result<Statement> {
    let table = schema.table(&op.table)?;
    let node = target(schema, &op.table, &op.query)?;
    let mut sql = Sql::new(format!("WITH {RETURNED} AS (DELETE FROM "));
    sql.table(&op.table);
    matching(&mut sql, schema, &node);
    written(sql, schema, (&op.table, table), &op.query, &op.options, ("null::text", false))
}

/// The table that is written, with the filter that says which rows.
fn target<'q>(schema: &'q Schema, name: &TableName, query: &'q Query) -> Result<Node<'q>> {
    let mut node = Node::plan(schema, name, Source::Table, query)?;
    node.embeds.clear();
    Ok(node)
}

/// The reply to a write: what was returned, with embeds and in order; filters and limits said which
/// rows to write.
fn outer<'q>(schema: &'q Schema, name: &TableName, query: &'q Query) -> Result<Node<'q>> {
    let mut node = Node::plan(schema, name, Source::Returned, query)?;
    (node.filter, node.limit, node.offset) = (None, None, 0);
    Ok(node)
}

fn matching(sql: &mut Sql, schema: &Schema, node: &Node<'_>) {
    let place = Place { schema, node, counting: false };
    if node.limit.is_none() && node.offset == 0 {
        if let Some(condition) = node.filter {
            sql.push(" WHERE ");
            filter(sql, place, condition);
        }
        return;
    }
    let row = node.row();
    sql.push(&format!(" WHERE {row}.ctid IN (SELECT {row}.ctid FROM ")).table(&node.table);
    if let Some(condition) = node.filter {
        sql.push(" WHERE ");
        filter(sql, place, condition);
    }
    order(sql, node);
    range(sql, node.limit, node.offset);
    sql.push(")");
}

/// The columns a write sets, in the order of their names.
fn columns<'t>(
    schema: &Schema,
    table: &'t Table,
    name: &TableName,
    body: &Document,
    wanted: Option<&[String]>,
) -> Result<Vec<&'t Column>> {
    let mut names = body.columns(wanted)?;
    names.sort_unstable();
    names.dedup();
    names.iter().map(|column| schema.column(table, name, column)).collect()
}

/// `FROM` the rows of a JSON text, each value read as its column's type.
fn from_json(
    sql: &mut Sql,
    schema: &Schema,
    table: &TableName,
    body: &Document,
    columns: &[&Column],
    defaults: bool,
) {
    let object = body.is_object();
    let kind = if defaults { "jsonb" } else { "json" };
    sql.push(" FROM (SELECT ");
    body.text(sql).push(&format!("::{kind} AS json_data) pgrst_payload, "));
    let source = if defaults {
        let missing: Vec<String> = columns.iter().filter_map(|column| default_of(table, column)).collect();
        let missing = format!("jsonb_build_object({})", missing.join(", "));
        sql.push(&if object {
            format!("LATERAL (SELECT {missing} || pgrst_payload.json_data AS val) pgrst_json_defs, ")
        } else {
            format!(
                "LATERAL (SELECT jsonb_agg({missing} || elem) AS val FROM \
                 jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs, "
            )
        });
        "pgrst_json_defs.val"
    } else {
        "pgrst_payload.json_data"
    };
    sql.push("LATERAL (SELECT ").list(columns, ", ", |sql, column| {
        let name = quote(&column.name);
        match schema.representation("json", &column.type_name) {
            Some(function) => sql.push(&format!("{function}({name}) AS {name}")),
            None => sql.push(&name),
        };
    });
    if columns.is_empty() {
        sql.push(&match object {
            true => " FROM (values(1)) _".to_owned(),
            false => format!(" FROM {kind}_array_elements({source}) _"),
        });
    } else {
        let function = if object { "to_record" } else { "to_recordset" };
        sql.push(&format!(" FROM {kind}_{function}({source}) AS _("));
        sql.list(columns, ", ", |sql, column| {
            let represented = schema.representation("json", &column.type_name).is_some();
            let ty = if represented { "json" } else { column.type_name.as_str() };
            sql.name(&column.name).push(" ").push(ty);
        });
        sql.push(")");
    }
    sql.push(") pgrst_body");
}

/// `'column', default`, for columns that have one.
fn default_of(table: &TableName, column: &Column) -> Option<String> {
    let value = match (&column.default, column.identity) {
        (Some(default), _) => default.clone(),
        (None, Some(Identity::ByDefault)) => format!(
            "nextval(pg_get_serial_sequence({}, {}))",
            literal(&qualified(table)),
            literal(&column.name)
        ),
        _ => return None,
    };
    Some(format!("{}, {value}", literal(&column.name)))
}

/// Adds `RETURNING` and what stands around the rows.
fn written(
    mut sql: Sql,
    schema: &Schema,
    (name, table): (&TableName, &Table),
    query: &Query,
    options: &WriteOptions,
    (inserted, long): (&str, bool),
) -> Result<Statement> {
    sql.push(" RETURNING ");
    let node = outer(schema, name, query)?;
    returned_columns(&mut sql, &qualified(name), &node, table, options, "1");
    written_rows(sql, schema, (name, table), query, options, (inserted, long))
}

fn returned_columns(
    sql: &mut Sql,
    row: &str,
    node: &Node<'_>,
    table: &Table,
    options: &WriteOptions,
    nothing: &str,
) {
    let columns = match options.returning {
        Returning::Minimal => Some(Vec::new()),
        Returning::HeadersOnly => Some(table.primary_key.clone()),
        Returning::Representation => node.needed_columns().map(|mut columns| {
            columns.extend(table.primary_key.iter().cloned());
            columns.sort_unstable();
            columns.dedup();
            columns
        }),
    };
    match columns {
        None => {
            sql.push(row).push(".*");
        }
        Some(columns) if columns.is_empty() => {
            sql.push(nothing);
        }
        Some(columns) => {
            sql.list(&columns, ", ", |sql, column| {
                sql.push(row).push(".").name(column);
            });
        }
    }
}

fn written_rows(
    mut sql: Sql,
    schema: &Schema,
    (name, table): (&TableName, &Table),
    query: &Query,
    options: &WriteOptions,
    (inserted, long): (&str, bool),
) -> Result<Statement> {
    sql.push(")");
    let node = outer(schema, name, query)?;
    let full = options.returning == Returning::Representation;
    let representation = match full {
        true => negotiate(schema, name, &options.format, node.is_whole_rows())?,
        false => Representation::None,
    };
    let location = match options.returning {
        Returning::HeadersOnly if !table.primary_key.is_empty() => location(&table.primary_key),
        _ => "null::text".to_owned(),
    };
    let frame = Frame {
        representation: &representation,
        shape: Shape::Rows,
        format: &options.format,
        total: NO_TOTAL,
        location: &location,
        inserted,
        shown: SHOWN,
        long,
    };
    frame.around(sql, |sql| match full {
        true => rows(sql, schema, &node, None),
        false => {
            sql.push(&format!("SELECT * FROM {RETURNED}"));
            Ok(())
        }
    })
}

/// The key of the only row written, as a JSON list of column and literal or null.
fn location(key: &[String]) -> String {
    let names: Vec<String> = key.iter().map(|column| literal(column)).collect();
    format!(
        "CASE WHEN pg_catalog.count(_postgrest_t) = 1 THEN (SELECT json_agg(json_build_array(k.key, k.value)) \
         FROM (SELECT row_to_json(_) AS row FROM {RETURNED} AS _ LIMIT 1) d, json_each_text(d.row) k \
         WHERE k.key IN ({}))::text END",
        names.join(", ")
    )
}
