//! The auth tables through Database operations, above every policy.

use std::future::Future;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Batch, Comparison, Database, Delete, Field, Filter, Insert, Is, Item, Operand, Operator, Order, Page,
    Query, Select, Step, TableName, Update,
};

use super::moment::Moment;

/// The tables of the engine.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Users,
    Identities,
    Sessions,
    RefreshTokens,
    AmrClaims,
    Factors,
    Challenges,
}

impl Table {
    fn name(self) -> TableName {
        let name = match self {
            Table::Users => "users",
            Table::Identities => "identities",
            Table::Sessions => "sessions",
            Table::RefreshTokens => "refresh_tokens",
            Table::AmrClaims => "mfa_amr_claims",
            Table::Factors => "mfa_factors",
            Table::Challenges => "mfa_challenges",
        };
        TableName::new("auth", name)
    }
}

/// A row of a table, with the columns that are read of it.
pub(super) trait Stored: DeserializeOwned {
    const TABLE: Table;
    const COLUMNS: &'static [&'static str];

    /// A query for whole rows.
    fn query(filter: Filter) -> Query {
        let items = Self::COLUMNS.iter().map(|name| Item::column(*name)).collect();
        Query { items, filter: Some(filter), ..Query::default() }
    }

    /// Reads the rows of a reply.
    fn read(page: &Page) -> Result<Vec<Self>> {
        serde_json::from_slice(&page.body)
            .map_err(|error| Error::internal("a row of the auth tables can't be read").with_source(error))
    }
}

/// All rows that match.
pub(super) async fn all<T: Stored>(database: &Database, query: Query) -> Result<Vec<T>> {
    T::read(&database.send(Select::new(T::TABLE.name(), query)).await?)
}

/// The first row that matches.
pub(super) async fn one<T: Stored>(database: &Database, filter: Filter) -> Result<Option<T>> {
    let query = Query { limit: Some(1), ..T::query(filter) };
    Ok(all(database, query).await?.pop())
}

/// Reads a page of rows, and says how many there are in all.
pub(super) async fn counted<T: Stored>(database: &Database, query: Query) -> Result<(Vec<T>, u64)> {
    let select = Select {
        count: Some(truststream_services::database::Count::Exact),
        ..Select::new(T::TABLE.name(), query)
    };
    let page = database.send(select).await?;
    let rows = T::read(&page)?;
    let total = page.total.unwrap_or(rows.len() as u64);
    Ok((rows, total))
}

/// Whoever loses so many races against changes of the same rows is told so.
const ATTEMPTS: usize = 5;

/// Does again, reading anew, what lost a race against another change of the same rows.
pub(super) async fn racing<T, F>(attempt: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            done => return done,
        }
    }
    attempt().await
}

/// Does all of the steps or none.
pub(super) async fn together(database: &Database, steps: Vec<Step>) -> Result<()> {
    database.send(Batch::new(steps)).await.map(drop)
}

pub(super) fn insert(table: Table, row: &Json) -> Step {
    Step::Insert(Insert::new(table.name(), Bytes::from(row.to_string())))
}

pub(super) fn update(table: Table, values: &Json, filter: Filter) -> Step {
    Step::Update(Update::new(table.name(), Bytes::from(values.to_string()), matching(filter)))
}

pub(super) fn delete(table: Table, filter: Filter) -> Step {
    Step::Delete(Delete::new(table.name(), matching(filter)))
}

fn matching(filter: Filter) -> Query {
    Query { filter: Some(filter), ..Query::all() }
}

pub(super) fn both(one: Filter, other: Filter) -> Filter {
    Filter::And(vec![one, other])
}

pub(super) fn compare(column: &str, operator: Operator, operand: Operand) -> Filter {
    Filter::Compare(Comparison { field: Field::column(column), operator, quantifier: None, operand })
}

/// The column holds an earlier time.
pub(super) fn before(column: &str, time: Moment) -> Filter {
    compare(column, Operator::Lt, Operand::Text(time.text()))
}

pub(super) fn is_null(column: &str) -> Filter {
    compare(column, Operator::Is, Operand::Is(Is::Null))
}

pub(super) fn is_false(column: &str) -> Filter {
    compare(column, Operator::Is, Operand::Is(Is::False))
}

/// The column still holds what was read of it.
pub(super) fn unchanged(column: &str, text: Option<&str>) -> Filter {
    match text {
        Some(text) => Filter::eq(column, text),
        None => is_null(column),
    }
}

pub(super) fn descending(column: &str) -> Order {
    Order { relation: None, field: Field::column(column), descending: true, nulls: None }
}
