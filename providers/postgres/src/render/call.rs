//! Calls of functions.

use truststream_kernel::Result;
use truststream_services::database::{Arguments, Invoke, Parameter, Returns, TableName};
use truststream_sql::callable::{self, Callable};
use truststream_sql::quote::quote;

use super::body::{Representation, Shape, negotiate};
use super::filter::array_literal;
use super::read::{RETURNED, rows};
use super::request::{Frame, NO_TOTAL, SHOWN, Statement, TOTAL, counts, is_long, total_of};
use crate::document::Document;
use crate::plan::{Node, Source};
use crate::schema::Schema;
use crate::sql::Sql;

/// The statement of a call.
pub(crate) fn call(
    schema: &Schema,
    callable: &Callable<'_>,
    (op, body): (&Invoke, Option<&Document>),
    estimate_above: Option<u64>,
) -> Result<Statement> {
    let function = callable.function;
    let returns = &function.returns;
    let table = match &returns.table {
        Some(table) if returns.composite => table.clone(),
        _ => TableName::new(&function.name.schema, &function.name.name),
    };
    let node = Node::plan(schema, &table, Source::Returned, &callable.query)?;
    let shape = shape(returns);
    let representation = match returns.void {
        true => Representation::None,
        false => {
            let relation = if shape == Shape::Scalar { &function.name } else { &table };
            negotiate(schema, relation, &op.format, node.is_whole_rows())?
        }
    };
    let mut sql = Sql::new(format!("WITH {RETURNED} AS ("));
    let (as_row, computed) = (quote(&table.name), computed(&node, returns));
    called(&mut sql, callable, (op, body), (shape, &as_row, &computed))?;
    sql.push(")");
    let counted = counts(op.count);
    if counted {
        total_of(&mut sql, schema, &node, op.count, estimate_above);
    }
    let frame = Frame {
        representation: &representation,
        shape,
        format: &op.format,
        total: if counted { TOTAL } else { NO_TOTAL },
        location: "null::text",
        inserted: "null::text",
        shown: SHOWN,
        long: is_long(&callable.query, None),
    };
    frame.around(sql, |sql| rows(sql, schema, &node, None))
}

fn shape(returns: &Returns) -> Shape {
    match (returns.composite, returns.set) {
        (true, true) => Shape::Rows,
        (true, false) => Shape::Row,
        (false, true) => Shape::Scalars,
        (false, false) => Shape::Scalar,
    }
}

/// The columns wanted of a table's rows that the table has not: functions over a row compute them, and only
/// where it is called is it known what row that is. As PostgREST does it, none beside `*`.
fn computed(node: &Node<'_>, returns: &Returns) -> Vec<String> {
    let Some(known) = node.known.filter(|_| returns.table.is_some()) else { return Vec::new() };
    let mut columns = node.needed_columns().unwrap_or_default();
    // By the word alone all rows are counted, not one.
    columns.retain(|name| name != "*" && name != "count" && known.column(name).is_none());
    columns
}

/// `SELECT … FROM function(…)`; rows are called by `as_row`, which errors name.
fn called(
    sql: &mut Sql,
    callable: &Callable<'_>,
    (op, body): (&Invoke, Option<&Document>),
    (shape, as_row, computed): (Shape, &str, &[String]),
) -> Result<()> {
    let scalar = matches!(shape, Shape::Scalar | Shape::Scalars);
    match scalar {
        true => sql.push("SELECT pgrst_call.pgrst_scalar"),
        false => sql.push("SELECT ").push(as_row).push(".*"),
    };
    for name in computed {
        sql.push(", ").push(as_row).push(".").name(name);
    }
    sql.push(" FROM ");
    let function = callable.function;
    let invoke = |sql: &mut Sql, arguments: &mut dyn FnMut(&mut Sql)| {
        sql.push(if scalar { "(SELECT " } else { "" }).table(&function.name).push("(");
        arguments(sql);
        match scalar {
            true => sql.push(") pgrst_scalar) pgrst_call"),
            false => sql.push(") ").push(as_row),
        };
    };
    match (&op.arguments, &function.parameters[..], body) {
        (Arguments::Json(_), [one], Some(body)) if one.name.is_empty() => {
            invoke(sql, &mut |sql| unnamed(sql, one, body));
        }
        (Arguments::Raw { .. }, [one], Some(body)) => invoke(sql, &mut |sql| unnamed(sql, one, body)),
        (Arguments::Raw { .. } | Arguments::Json(_), _, None) | (Arguments::Raw { .. }, _, _) => {
            invoke(sql, &mut |_| {})
        }
        (Arguments::Json(_), parameters, Some(body)) => {
            let keys = body.keys()?;
            let given: Vec<&Parameter> =
                parameters.iter().filter(|parameter| keys.contains(&parameter.name)).collect();
            if given.is_empty() {
                invoke(sql, &mut |_| {});
                return Ok(());
            }
            from_json(sql, body, &given);
            sql.push(", LATERAL ");
            invoke(sql, &mut |sql| {
                sql.list(&given, ", ", |sql, parameter| {
                    sql.push(if parameter.variadic { "VARIADIC " } else { "" });
                    let name = quote(&parameter.name);
                    sql.push(&format!("{name} := pgrst_body.{name}"));
                });
            });
        }
        (Arguments::Named(named), parameters, _) => {
            let given: Vec<(&Parameter, Vec<String>)> = parameters
                .iter()
                .map(|parameter| (parameter, callable::values_of(named, parameter)))
                .filter(|(_, values)| !values.is_empty())
                .collect();
            invoke(sql, &mut |sql| {
                sql.list(&given, ", ", |sql, (parameter, values)| named_argument(sql, parameter, values));
            });
        }
    }
    Ok(())
}

fn named_argument(sql: &mut Sql, parameter: &Parameter, values: &[String]) {
    sql.push(if parameter.variadic { "VARIADIC " } else { "" });
    sql.name(&parameter.name).push(" := ");
    match values {
        _ if parameter.variadic => sql.bind(array_literal(values)),
        [.., last] => sql.bind(last.clone()),
        [] => sql.push("NULL"),
    };
    if !parameter.type_name.starts_with("any") {
        sql.push("::").push(&parameter.type_name);
    }
}

/// The body as the only argument.
fn unnamed(sql: &mut Sql, parameter: &Parameter, body: &Document) {
    if parameter.type_name == "bytea" {
        body.bytes(sql);
    } else {
        body.text(sql).push("::").push(&parameter.type_name);
    }
}

/// The members of a JSON object, each read as its parameter's type.
fn from_json(sql: &mut Sql, body: &Document, given: &[&Parameter]) {
    let function = if body.is_object() { "json_to_record" } else { "json_to_recordset" };
    sql.push("(SELECT ");
    body.text(sql).push("::json AS json_data) pgrst_payload, LATERAL (SELECT ");
    sql.list(given, ", ", |sql, parameter| {
        sql.name(&parameter.name);
    });
    sql.push(&format!(" FROM {function}(pgrst_payload.json_data) AS _("));
    sql.list(given, ", ", |sql, parameter| {
        // Bare `bit` and `character` mean a length of one here, which parameters do not have.
        let ty = match parameter.type_name.as_str() {
            "bit" => "bit varying",
            "bit[]" => "bit varying[]",
            "character" => "character varying",
            "character[]" => "character varying[]",
            other => other,
        };
        sql.name(&parameter.name).push(" ").push(ty);
    });
    sql.push(") LIMIT 1) pgrst_body");
}
