//! What is made of a statement's rows: all of them at once, or what a [`Reply`] takes of each.

use futures::TryStreamExt;
use postgres_types::{ToSql, Type};
use tokio_postgres::{Client, Error as PgError, Row, RowStream, Statement};
use truststream_kernel::Result;

use crate::connector::Connection;
use crate::error::failed;
use crate::sql::Sql;

/// How a statement is prepared and its rows are taken.
pub(crate) trait Reply: Sync {
    /// What is made of the rows.
    type Rows: Send;

    /// It keeps nobody waiting who comes next in its session.
    const SHARES: bool = false;

    /// The statement that was prepared for a text on this connection.
    fn prepared(&self, connection: &Connection, text: &str) -> Option<Statement>;

    /// The first row of a statement that answers ([`Sql::answers_at`]).
    fn first(rows: &Self::Rows) -> Option<&Row>;

    /// Prepares a text.
    fn prepare(
        &self,
        connection: &Connection,
        text: &str,
    ) -> impl Future<Output = Result<(), PgError>> + Send;

    /// Runs a statement; also tells how many bytes its rows had.
    fn run(
        &self,
        connection: &Connection,
        sql: &Sql,
    ) -> impl Future<Output = Result<(Self::Rows, usize), PgError>> + Send;
}

/// The rows as the server sent them.
pub(crate) struct Whole;

impl Reply for Whole {
    type Rows = Vec<Row>;

    const SHARES: bool = true;

    fn prepared(&self, connection: &Connection, text: &str) -> Option<Statement> {
        connection.prepared(text)
    }

    fn first(rows: &Vec<Row>) -> Option<&Row> {
        rows.first()
    }

    async fn prepare(&self, connection: &Connection, text: &str) -> Result<(), PgError> {
        prepare(connection, text).await
    }

    async fn run(&self, connection: &Connection, sql: &Sql) -> Result<(Vec<Row>, usize), PgError> {
        let rows = query(connection, sql).await?;
        let size = rows.iter().map(Row::raw_size_bytes).sum();
        Ok((rows, size))
    }
}

pub(super) async fn prepare(connection: &Connection, text: &str) -> Result<(), PgError> {
    if connection.prepared(text).is_none() {
        let statement = Box::pin(connection.prepare(text)).await?;
        connection.keep(text, statement);
    }
    Ok(())
}

/// Runs a statement: the prepared one if there is one.
pub(crate) async fn query(connection: &Connection, sql: &Sql) -> Result<Vec<Row>, PgError> {
    match connection.prepared(&sql.text) {
        Some(statement) => query_stream(connection, &statement, sql).await?.try_collect().await,
        None => {
            let params: Vec<(&(dyn ToSql + Sync), Type)> =
                sql.params.iter().map(|param| (param as _, Type::UNKNOWN)).collect();
            connection.query_typed(&sql.text, &params).await
        }
    }
}

/// Runs a prepared statement with the values of `sql`; its rows come one by one.
pub(crate) async fn query_stream(
    connection: &Connection,
    statement: &Statement,
    sql: &Sql,
) -> Result<RowStream, PgError> {
    connection.query_raw(statement, sql.params.iter().map(|param| param as &(dyn ToSql + Sync))).await
}

/// Runs a statement that is not worth preparing.
pub(crate) async fn query_text(client: &Client, sql: &Sql) -> Result<Vec<Row>> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        sql.params.iter().map(|param| (param as _, Type::UNKNOWN)).collect();
    client.query_typed(&sql.text, &params).await.map_err(failed)
}
