//! Transactions of several statements, each awaited before the next.

use futures::join;
use tokio_postgres::{Client, Row};
use truststream_kernel::{Caller, Context, Error, ErrorKind, Result};

use super::reply::prepare;
use super::{COMMIT, Lasting, ROLLBACK, Scope, Transactions, begin, pre_request, query, set};
use crate::error::{failed, is_stale_statement};
use crate::pool::Lease;
use crate::sql::Sql;

impl Transactions {
    /// Begins a transaction for several statements, each awaited before the next.
    pub(crate) async fn open(&self, cx: &Context, scope: &Scope) -> Result<Open> {
        let connection = self.connections.lease().await?;
        let standing = self.settings.load_full();
        let settings = self.settings_of(cx, scope, &standing, Lasting::Transaction);
        let begin = begin(&connection, cx, scope, &standing);
        let (begun, set, checked) = join!(
            connection.batch_execute(&begin),
            query(&connection, &settings),
            pre_request(&connection, &standing)
        );
        begun.and(set.map(drop)).and(checked).map_err(failed)?;
        Ok(Open { connection, transactions: self.clone(), cx: cx.clone(), read_only: scope.read_only })
    }

    /// Acts for the caller of `cx` from now on, within an open transaction.
    pub(crate) async fn enter(&self, open: &Open, cx: &Context, scope: &Scope) -> Result<()> {
        let mut settings = self.settings_of(cx, scope, &self.settings.load(), Lasting::Transaction);
        if matches!(cx.caller, Caller::System) {
            set(&mut settings, "role", "none".to_owned(), Lasting::Transaction);
            set(&mut settings, "request.jwt.claims", String::new(), Lasting::Transaction);
        }
        open.query(&settings).await.map(drop)
    }
}

/// An open transaction. Dropped without an end, its connection is closed and nothing stays.
pub(crate) struct Open {
    connection: Lease,
    transactions: Transactions,
    /// Who began it.
    cx: Context,
    read_only: bool,
}

impl Open {
    /// Runs a statement.
    ///
    /// # Errors
    /// `Conflict` where the schema changed since it was prepared: the transaction then is to be
    /// repeated as a whole.
    pub(crate) async fn query(&self, sql: &Sql) -> Result<Vec<Row>> {
        let running = async {
            if self.transactions.config.prepares() {
                prepare(&self.connection, &sql.text).await?;
            }
            query(&self.connection, sql).await
        };
        running.await.map_err(|error| {
            if !is_stale_statement(&error) {
                return failed(error);
            }
            self.connection.forget();
            let message = "the schema changed during the transaction; repeat it";
            Error::new(ErrorKind::Conflict, "40001", message).with_source(error)
        })
    }

    /// The connection, for statements of another shape.
    pub(crate) fn client(&self) -> &Client {
        &self.connection
    }

    /// Commits, or undoes all.
    pub(crate) async fn end(self, keep: bool) -> Result<()> {
        let Open { connection, transactions, cx, read_only } = self;
        let end = if keep { COMMIT } else { ROLLBACK };
        transactions.end(&connection, &cx, end, read_only).await.map_err(failed)?;
        connection.give_back();
        Ok(())
    }
}
