//! Replies that may be too large for memory: the server makes the whole of one and sends it piece by piece.

use std::pin::pin;

use futures::{Stream, TryStreamExt};
use postgres_types::{ToSql, Type};
use tokio_postgres::{Error as PgError, Row, Statement};
use truststream_kernel::{Body, Error, Result};
use truststream_spool::Spool;

use crate::connector::Connection;
use crate::sql::Sql;
use crate::transaction::{Reply, Whole, query_stream};
use crate::wire::Raw;

/// Bytes of a piece.
pub(crate) const PIECE: usize = 256 << 10;

/// Takes a reply piece by piece.
pub(crate) struct Pieces;

/// The first row, which says what there is to say of the reply, and the body where it had several pieces.
pub(crate) struct Pieced {
    pub(crate) first: Option<Row>,
    pub(crate) body: Option<Body>,
}

impl Reply for Pieces {
    type Rows = Result<Pieced>;

    fn prepared(&self, connection: &Connection, text: &str) -> Option<Statement> {
        Whole.prepared(connection, text)
    }

    fn first(rows: &Self::Rows) -> Option<&Row> {
        rows.as_ref().ok()?.first.as_ref()
    }

    async fn prepare(&self, connection: &Connection, text: &str) -> Result<(), PgError> {
        Whole.prepare(connection, text).await
    }

    async fn run(&self, connection: &Connection, sql: &Sql) -> Result<(Self::Rows, usize), PgError> {
        match connection.prepared(&sql.text) {
            Some(statement) => read(query_stream(connection, &statement, sql).await?).await,
            None => {
                let params = sql.params.iter().map(|param| (param as &(dyn ToSql + Sync), Type::UNKNOWN));
                read(connection.query_typed_raw(&sql.text, params).await?).await
            }
        }
    }
}

/// Reads the pieces as they come; a statement whose reply can't be kept still has to come to its end.
async fn read(pieces: impl Stream<Item = Result<Row, PgError>>) -> Result<(Result<Pieced>, usize), PgError> {
    let mut pieces = pin!(pieces);
    let Some(first) = pieces.try_next().await? else {
        return Ok((Ok(Pieced { first: None, body: None }), 0));
    };
    let mut spool = Ok(None);
    while let Some(row) = pieces.try_next().await? {
        spool = match spool {
            Ok(None) => match keep(Spool::default(), &first).await {
                Ok(spool) => keep(spool, &row).await.map(Some),
                Err(error) => Err(error),
            },
            Ok(Some(spool)) => keep(spool, &row).await.map(Some),
            failed => failed,
        };
    }
    let size = first.raw_size_bytes();
    let pieced = match spool {
        Ok(spool) => match spool.map(Spool::finish).transpose() {
            Ok(body) => Ok(Pieced { first: Some(first), body }),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    Ok((pieced, size))
}

async fn keep(mut spool: Spool, row: &Row) -> Result<Spool, Error> {
    let Raw(piece) = row.try_get("body").map_err(crate::error::failed)?;
    spool.push(piece);
    if spool.is_due() { spool.settled().await } else { Ok(spool) }
}
