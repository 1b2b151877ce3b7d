//! The end of the feed, as a snapshot.

use tokio_postgres::Client;
use truststream_kernel::{Error, Result};
use truststream_services::database::Position;
use truststream_sql::printed::Snapshot;

use crate::error::failed;

/// The position of a snapshot's text.
pub(crate) fn position_of(text: &str) -> Result<Position> {
    Snapshot::parse(text).map(Snapshot::position)
}

/// The end of the feed at this moment, on the disk: numbers of transactions below it are never given
/// out again (see [`Snapshot::until`]).
pub(crate) async fn present(client: &Client) -> Result<Position> {
    let rows = client.query_typed("select pg_current_snapshot()::text", &[]).await.map_err(failed)?;
    let row = rows.first().ok_or_else(|| Error::internal("the change log did not answer"))?;
    let position = position_of(row.try_get(0).map_err(failed)?)?;
    // A commit is written to the disk with everything before it, and only if it wrote something.
    let write = "select pg_logical_emit_message(true, 'truststream', '')";
    client.query_typed(write, &[]).await.map_err(failed)?;
    Ok(position)
}
