//! Statements that are a transaction by themselves.
//!
//! TrustStream's own statements need neither a role nor claims. What else a transaction would set for
//! them is the same for one after the other, so the session keeps it ([`Session`]), and a statement
//! goes to the server without `begin` before and `commit` after it.
//!
//! What callers read is a statement by itself too, after one that sets their role, their claims and all
//! else for the session. Where the last request of the session set the very same, nothing is set
//! ([`super::shared`]): the statement itself tells whether that is still there ([`Kept`]), and is run again
//! after setting it if not. So what a function may have left in the session counts for nobody. Where the last request had set other
//! names, and before statements of TrustStream's own, the session is reset first. If setting fails, what was
//! read is thrown away.

use std::pin::pin;

use futures::join;
use tokio_postgres::Error as PgError;
use truststream_kernel::{Caller, Context};

use super::reply::Reply;
use super::reply::{prepare, query};
use super::{Scope, Transactions, one_by_one, search_path};
use crate::connector::{Connection, Session};
use crate::kept::{Kept, has_said};
use crate::settings::Settings;
use crate::sql::Sql;

impl Transactions {
    /// Whether a statement of this scope needs no more than its session has.
    pub(super) fn stands_alone(&self, cx: &Context, scope: &Scope, standing: &Settings) -> bool {
        let nobody = matches!(cx.caller, Caller::System) && cx.request.is_none() && cx.deadline.is_none();
        // Whoever wrote reads from the replica when that is as far as the commit.
        let no_commit = scope.read_only || self.replica.is_none();
        self.is_one_statement(cx, scope, standing) && nobody && scope.time_zone.is_none() && no_commit
    }

    /// Whether a caller's statement needs no more than settings before it.
    pub(super) fn stands_alone_as_caller(&self, cx: &Context, scope: &Scope, standing: &Settings) -> bool {
        let of_role = standing.of(cx);
        let plain = of_role.is_none_or(|role| role.isolation.is_none() && role.others.is_empty());
        let is_caller = matches!(cx.caller, Caller::Role(_));
        self.is_one_statement(cx, scope, standing) && is_caller && plain && scope.read_only
    }

    /// Whether a transaction would hold nothing but the statement, and settings that a session can have.
    fn is_one_statement(&self, cx: &Context, scope: &Scope, standing: &Settings) -> bool {
        // Sessions behind a pooler belong to nobody.
        let own_session = self.config.pooler.is_none();
        let no_settings = scope.settings.is_empty() && cx.settings.is_empty();
        let plain = !scope.judged && !scope.rollback && scope.isolation.is_none() && no_settings;
        let no_hooks = standing.pre_request.is_none() && standing.app.is_empty();
        own_session && plain && no_hooks
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
        let session = Session { search_path: Some(path), read_only: scope.read_only, request: None };
        if self.config.prepares() && reply.prepared(connection, &statement.text).is_none() {
            connection.settle(session).await?;
            reply.prepare(connection, &statement.text).await?;
            return reply.run(connection, statement).await;
        }
        let (settled, rows) = join!(connection.settle(session), reply.run(connection, statement));
        settled?;
        rows
    }

    /// Sets what a caller's statement needs that stands alone, and runs it.
    pub(super) async fn alone_as_caller<R: Reply>(
        &self,
        connection: &Connection,
        settings: Sql,
        statement: &Sql,
        reply: &R,
    ) -> Result<(R::Rows, usize), PgError> {
        let prepares = self.config.prepares();
        if prepares {
            prepare(connection, &settings.text).await?;
        }
        let opening = async {
            let (ready, set) = join!(connection.begin_request(&settings.text), query(connection, &settings));
            ready.and(set)
        };
        let is_ready = !prepares || reply.prepared(connection, &statement.text).is_some();
        let prepare = (!is_ready).then(|| Box::pin(reply.prepare(connection, &statement.text)));
        let (made, rows) = one_by_one(pin!(opening), prepare, pin!(reply.run(connection, statement))).await?;
        let kept = Kept::new(settings, &made);
        let is_sure = statement.answers_at.is_some() && R::first(&rows.0).is_some_and(|row| !has_said(row));
        connection.keep_request(if is_sure { kept } else { kept.in_doubt() });
        Ok(rows)
    }
}
