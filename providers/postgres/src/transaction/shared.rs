//! Reads in sessions that have what their callers set, which others may use at the same time.

use tokio_postgres::Error as PgError;
use tokio_postgres::error::SqlState;

use super::reply::{Reply, query};
use super::{Failure, Transactions};
use crate::error::{is_lost, is_stale_statement};
use crate::kept::{Kept, has_said, is_vouched};
use crate::pool::{Connections, Lease};
use crate::shared::Ride;
use crate::sql::Sql;

impl Transactions {
    /// Runs a caller's read in a session that has what its settings make. If there is none, or the session
    /// turns out to have something else, gives a connection for it to be run on.
    pub(super) async fn shared<R: Reply>(
        &self,
        connections: &Connections,
        settings: &Sql,
        statement: &Sql,
        reply: &R,
    ) -> Result<Result<R::Rows, Lease>, Failure> {
        let Some(at) = statement.answers_at.filter(|_| self.config.prepares()) else {
            return Ok(Err(connections.lease_as_it_is().await?));
        };
        let sharing = connections.sharing();
        let is_quick = R::SHARES && sharing.is_quick(&statement.text);
        let joined = if is_quick { connections.join(settings) } else { None };
        let ride = match joined {
            Some(ride) => ride,
            None => {
                let lease = connections.lease_as_it_is().await?;
                let Some(kept) = lease.kept(settings) else { return Ok(Err(lease)) };
                sharing.open(lease, kept, is_quick)
            }
        };
        let sql = ride.kept().vouched(statement, at);
        match run(&ride, &sql, reply).await {
            Ok((rows, size)) => {
                let row = R::first(&rows);
                if row.is_some_and(is_vouched) && !row.is_some_and(has_said) {
                    if let Some(time) = ride.end_after(sql.size() + size) {
                        sharing.took(&statement.text, time);
                    }
                    return Ok(Ok(rows));
                }
                ride.close();
                ride.connection().keep_request(Kept::clone(ride.kept()).in_doubt());
            }
            Err(error) => {
                ride.close();
                if is_stale_statement(&error) {
                    ride.connection().forget();
                } else if Box::pin(is_its_own(&ride, &error)).await {
                    ride.end_after(0);
                    return Err(Failure::Statement(error));
                }
            }
        }
        ride.end_after(0);
        Ok(Err(connections.lease_as_it_is().await?))
    }
}

async fn run<R: Reply>(ride: &Ride, sql: &Sql, reply: &R) -> Result<(R::Rows, usize), PgError> {
    let connection = ride.connection();
    if reply.prepared(connection, &sql.text).is_none() {
        Box::pin(reply.prepare(connection, &sql.text)).await?;
    }
    reply.run(connection, sql).await
}

/// Whether a statement failed for what it is itself: not cancelled instead of another one, nor run as
/// somebody else.
async fn is_its_own(ride: &Ride, error: &PgError) -> bool {
    if is_lost(error) {
        return true;
    }
    if error.code() == Some(&SqlState::QUERY_CANCELED) {
        return !ride.is_broken();
    }
    let found = query(ride.connection(), &ride.kept().question()).await;
    found.is_ok_and(|rows| rows.first().is_some_and(is_vouched))
}
