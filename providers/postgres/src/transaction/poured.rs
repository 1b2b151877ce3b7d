//! Statements that read a large body from a table it was poured into, which ends with the transaction.
//!
//! The table is made by the role of the connection, before the caller's role is taken: nobody else needs the
//! right to make one, and triggers find nothing that they could change. Whatever is read only, the statement
//! is so as well, but not the pouring.

use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt, join};
use truststream_kernel::{Body, Context, Error};

use super::reply::{Reply, query};
use super::{Failure, Lasting, Scope, Transactions, begin, end_of, pre_request};
use crate::connector::{Connection, Session};
use crate::settings::Settings;
use crate::sql::Sql;

/// The pieces are of no use to anybody later: they are neither logged nor compressed.
const TABLE: &str = "create temporary table truststream_body (at int4 not null, piece bytea not null) on commit drop; \
     alter table pg_temp.truststream_body alter piece set storage external; \
     grant select on pg_temp.truststream_body to public";
const POUR: &str = "copy pg_temp.truststream_body from stdin (format binary)";
/// Signature, flags and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &[0xff, 0xff];

impl Transactions {
    /// Pours the body, and runs the statement; ends the transaction too unless it is judged first.
    pub(super) async fn poured<R: Reply>(
        &self,
        connection: &Connection,
        cx: &Context,
        (scope, standing): (&Scope, &Settings),
        (statement, body): (&Sql, &Body),
        reply: &R,
    ) -> Result<(R::Rows, usize), Failure> {
        let writing = Scope { read_only: false, ..scope.clone() };
        let begin = begin(connection, cx, &writing, standing);
        let settings = self.settings_of(cx, scope, standing, Lasting::Transaction);
        let (settled, begun, made) = join!(
            connection.settle(Session::default()),
            connection.batch_execute(&begin),
            connection.batch_execute(TABLE)
        );
        settled.and(begun).and(made)?;
        pour(connection, body).await?;
        let closing = if scope.read_only { "set transaction read only" } else { "" };
        let (closed, set, checked) = join!(
            connection.batch_execute(closing),
            query(connection, &settings),
            pre_request(connection, standing)
        );
        closed.and(set.map(drop)).and(checked)?;
        let rows = reply.run(connection, statement).await?;
        if !scope.judged {
            self.end(connection, cx, end_of(scope.rollback), scope.read_only).await?;
        }
        Ok(rows)
    }
}

/// Copies a body into the table, chunk by chunk.
async fn pour(connection: &Connection, body: &Body) -> Result<(), Failure> {
    let mut sink = pin!(connection.copy_in::<_, Bytes>(POUR).await?);
    let mut chunks = body.stream();
    let mut at = 0;
    sink.feed(Bytes::from_static(HEADER)).await?;
    while let Some(chunk) = chunks.try_next().await? {
        let length = i32::try_from(chunk.len()).map_err(|_| Error::too_large("a chunk is too large"))?;
        let mut head = BytesMut::with_capacity(14);
        head.put_i16(2);
        head.put_i32(4);
        head.put_i32(at);
        head.put_i32(length);
        at += 1;
        sink.feed(head.freeze()).await?;
        sink.feed(chunk).await?;
    }
    sink.feed(Bytes::from_static(TRAILER)).await?;
    sink.finish().await?;
    Ok(())
}
