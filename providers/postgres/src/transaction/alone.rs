//! Statements that are a transaction by themselves.
//!
//! TrustStream's own statements need neither a role nor claims. What else a transaction would set for
//! them is the same for one after the other, so the session keeps it ([`Session`]), and a statement
//! goes to the server without `begin` before and `commit` after it.

use futures::join;
use tokio_postgres::Error as PgError;
use truststream_kernel::{Caller, Context};

use super::reply::Reply;
use super::{Scope, Transactions, search_path};
use crate::connector::{Connection, Session};
use crate::settings::Settings;
use crate::sql::Sql;

impl Transactions {
    /// Whether a statement of this scope needs no more than its session has.
    pub(super) fn stands_alone(&self, cx: &Context, scope: &Scope, standing: &Settings) -> bool {
        // Sessions behind a pooler belong to nobody.
        let own_session = self.config.pooler.is_none();
        let nobody = matches!(cx.caller, Caller::System) && cx.request.is_none() && cx.deadline.is_none();
        let plain = !scope.judged
            && !scope.rollback
            && scope.isolation.is_none()
            && scope.time_zone.is_none()
            && scope.settings.is_empty();
        let no_hooks = standing.pre_request.is_none() && standing.app.is_empty();
        // Whoever wrote reads from the replica when that is as far as the commit.
        let no_commit = scope.read_only || self.replica.is_none();
        own_session && nobody && plain && no_hooks && no_commit
    }

    /// Runs a statement that stands alone.
    pub(super) async fn alone<R: Reply>(
        &self,
        connection: &Connection,
        scope: &Scope,
        statement: &Sql,
        reply: &R,
    ) -> Result<(R::Rows, usize), PgError> {
        let path = search_path(&scope.schema, &self.settings.load().extra_search_path);
        let session = Session { search_path: Some(path), read_only: scope.read_only };
        if self.config.prepares() && reply.prepared(connection, &statement.text).is_none() {
            connection.settle(session).await?;
            reply.prepare(connection, &statement.text).await?;
            return reply.run(connection, statement).await;
        }
        let (settled, rows) = join!(connection.settle(session), reply.run(connection, statement));
        settled?;
        rows
    }
}
