//! Tables read in key order.

use std::collections::HashMap;
use std::sync::Arc;

use truststream_kernel::{Context, Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{
    Chunk, Column, Comparison, Field, Filter, Item, Operand, Operator, Order, Position, Query, Scan, Select,
    Table, TableName,
};
use truststream_sql::printed::record::fields;

use super::RemoteDatabase;
use super::response::read;
use crate::client::{Reply, json, send};

impl RemoteDatabase {
    /// Reads a chunk by as many requests as the project's limit of rows makes of it.
    ///
    /// Its position is none to go on from: there is no feed of changes, and [`Changes`] is refused.
    ///
    /// [`Changes`]: truststream_services::database::Changes
    pub(super) async fn read_chunk(&self, op: &Scan) -> Result<Chunk> {
        let catalog = self.catalog();
        let table = keyed(catalog.tables.get(&op.table), &op.table)?;
        let reader = RowReader::new(table);
        let mut rows: Vec<Row> = Vec::new();
        while rows.len() < op.limit {
            let last = rows.last().map(|row| key_of(table, row));
            let after = last.as_ref().or(op.after.as_ref());
            let query = Query {
                items: reader.items(),
                filter: between(&key_columns(table), after, op),
                order: table.primary_key.iter().map(|key| ordered(key, op.backwards)).collect(),
                limit: Some((op.limit - rows.len()) as u64),
                offset: 0,
            };
            let select = Select::new(op.table.clone(), query);
            let reply = send(self.select_request(&Context::system(), &select)?, false).await?;
            let more = reader.rows(reply)?;
            if more.is_empty() {
                break;
            }
            rows.extend(more);
        }
        Ok(Chunk { rows, position: Position::Sequence(0) })
    }
}

/// How the rows of a table are asked for and read: every value as its text, which alone tells null
/// from the JSON null.
pub(super) struct RowReader<'t> {
    table: &'t Table,
    columns: Arc<[String]>,
}

impl<'t> RowReader<'t> {
    pub(super) fn new(table: &'t Table) -> Self {
        RowReader { table, columns: table.columns.iter().map(|column| column.name.clone()).collect() }
    }

    pub(super) fn items(&self) -> Vec<Item> {
        let text = |column: &Column| Item::Column {
            field: Field::column(&column.name),
            alias: None,
            cast: Some("text".to_owned()),
            aggregate: None,
        };
        self.table.columns.iter().map(text).collect()
    }

    pub(super) fn rows(&self, reply: Reply) -> Result<Vec<Row>> {
        let reply = checked(reply)?;
        let found: Vec<HashMap<String, Option<String>>> = json(&reply)?;
        found.into_iter().map(|texts| self.row(texts)).collect()
    }

    /// Reads a record as it was printed when the table had the columns `names`.
    pub(super) fn image(&self, names: &[String], record: &str) -> Result<Row> {
        self.row(names.iter().cloned().zip(fields(record)?).collect())
    }

    fn row(&self, mut texts: HashMap<String, Option<String>>) -> Result<Row> {
        let value = |column: &Column| match texts.remove(&column.name).flatten() {
            Some(text) => match Value::parse(&column.ty, &text) {
                // An array that does not begin at one: its text keeps that.
                Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Value::Text(text)),
                parsed => parsed,
            },
            None => Ok(Value::Null),
        };
        let values = self.table.columns.iter().map(value).collect::<Result<_>>()?;
        Ok(Row { columns: Arc::clone(&self.columns), values })
    }
}

/// The reply, unless it is a refusal.
fn checked(reply: Reply) -> Result<Reply> {
    let body = reply.body.clone();
    let (status, headers) = (reply.status, reply.headers.clone());
    read(reply, &truststream_services::database::Media::Json)?;
    Ok(Reply { status, headers, body })
}

/// A table that has a key to move its rows by.
///
/// # Errors
/// PGRST205 if the project describes none of this name, `0A000` if it has no primary key.
pub(super) fn keyed<'t>(table: Option<&'t Table>, name: &TableName) -> Result<&'t Table> {
    let table = table.ok_or_else(|| {
        let message = format!("Could not find the table '{name}' in the schema cache");
        Error::new(ErrorKind::NotFound, "PGRST205", message)
    })?;
    if table.primary_key.is_empty() {
        let message = format!("table {name} has no primary key");
        return Err(Error::new(ErrorKind::Unsupported, "0A000", message)
            .with_hint("give it a primary key; rows are copied and followed by it"));
    }
    Ok(table)
}

pub(super) fn key_columns(table: &Table) -> Vec<&Column> {
    table.primary_key.iter().filter_map(|name| table.column(name)).collect()
}

pub(super) fn key_of(table: &Table, row: &Row) -> Vec<Value> {
    table.primary_key.iter().map(|column| row.get(column).cloned().unwrap_or(Value::Null)).collect()
}

pub(super) fn compared(column: &Column, operator: Operator, value: &Value) -> Filter {
    let text = value.to_text_as(&column.ty).unwrap_or_default();
    let operand = Operand::Text(text);
    Filter::Compare(Comparison { field: Field::column(&column.name), operator, quantifier: None, operand })
}

fn ordered(key: &str, descending: bool) -> Order {
    Order { relation: None, field: Field::column(key), descending, nulls: None }
}

/// Keys behind the last row that was read, up to the last one that is wanted.
fn between(keys: &[&Column], after: Option<&Vec<Value>>, op: &Scan) -> Option<Filter> {
    let (onwards, up_to) = if op.backwards {
        (&[Operator::Lt, Operator::Lt], &[Operator::Gt, Operator::Gte])
    } else {
        (&[Operator::Gt, Operator::Gt], &[Operator::Lt, Operator::Lte])
    };
    let mut both: Vec<Filter> = after.into_iter().map(|after| beyond(keys, after, onwards)).collect();
    both.extend(op.until.iter().map(|until| beyond(keys, until, up_to)));
    if both.len() > 1 { Some(Filter::And(both)) } else { both.pop() }
}

/// Keys on one side of this one: `a > 1 or (a = 1 and b > 2)`, the last column compared by the second
/// operator.
fn beyond(keys: &[&Column], from: &[Value], [others, last]: &[Operator; 2]) -> Filter {
    let pairs: Vec<_> = keys.iter().zip(from).collect();
    let side = (0..pairs.len()).map(|at| {
        let mut all: Vec<Filter> =
            pairs[..at].iter().map(|(column, value)| compared(column, Operator::Eq, value)).collect();
        let (column, value) = pairs[at];
        let by = if at + 1 == pairs.len() { last } else { others };
        all.push(compared(column, by.clone(), value));
        if all.len() == 1 { all.remove(0) } else { Filter::And(all) }
    });
    let mut any: Vec<Filter> = side.collect();
    if any.len() == 1 { any.remove(0) } else { Filter::Or(any) }
}
