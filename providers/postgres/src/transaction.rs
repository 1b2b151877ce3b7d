//! One request, one transaction: role and claims set, the statement, commit; sent together
//! wherever nothing must be decided in between.

use std::sync::Arc;

use futures::{FutureExt, join};
use postgres_types::{ToSql, Type};
use tokio_postgres::{Client, Error as PgError, Row};
use truststream_kernel::{Caller, Context, Error, ErrorKind, Result};
use truststream_sql::quote::{literal, quote};

use crate::config::Config;
use crate::error::{failed, is_stale_statement};
use crate::pool::{Connection, Connections, Lease};
use crate::sql::Sql;

/// How a request's transaction is run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Schema that comes first in the search path.
    pub(crate) schema: String,
    /// Refuse writes.
    pub(crate) read_only: bool,
    /// Roll back although all went well.
    pub(crate) rollback: bool,
    /// The outcome is judged before the transaction ends: an error then undoes it.
    pub(crate) judged: bool,
    /// Isolation level, the server's default if absent.
    pub(crate) isolation: Option<String>,
    /// Time zone of the session.
    pub(crate) time_zone: Option<String>,
    /// More settings, such as those of the called function.
    pub(crate) settings: Vec<(String, String)>,
}

/// Runs requests on pooled connections.
#[derive(Clone)]
pub(crate) struct Transactions {
    connections: Connections,
    config: Arc<Config>,
}

impl Transactions {
    pub(crate) fn new(connections: Connections, config: Arc<Config>) -> Self {
        Transactions { connections, config }
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Runs statements in one transaction and judges the rows of each; an error undoes all if the
    /// scope says that it is judged.
    pub(crate) async fn run<T>(
        &self,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        judge: impl Fn(Vec<Row>) -> Result<T>,
    ) -> Result<T> {
        match self.attempt(cx, scope, statement, &judge).await {
            Err(Failure::Statement(error)) if is_stale_statement(&error) => {
                self.attempt(cx, scope, statement, &judge).await.map_err(Failure::into_error)
            }
            other => other.map_err(Failure::into_error),
        }
    }

    async fn attempt<T>(
        &self,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        judge: &impl Fn(Vec<Row>) -> Result<T>,
    ) -> Result<T, Failure> {
        let connection = self.connections.lease().await?;
        let rows = self.rows(&connection, cx, scope, statement).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                if is_stale_statement(&error) {
                    connection.forget();
                }
                if connection.batch_execute("rollback").await.is_ok() {
                    connection.give_back();
                }
                return Err(Failure::Statement(error));
            }
        };
        let judged = judge(rows);
        if scope.judged {
            let keep = judged.is_ok() && !scope.rollback;
            connection.batch_execute(end_of(keep)).await?;
        }
        connection.give_back();
        judged.map_err(Failure::Judged)
    }

    /// Begins a transaction for several statements, each awaited before the next.
    pub(crate) async fn open(&self, cx: &Context, scope: &Scope) -> Result<Open> {
        let connection = self.connections.lease().await?;
        let settings = self.settings(cx, scope);
        let begin = begin(scope);
        let (begun, set, checked) = join!(
            connection.batch_execute(&begin),
            query(&connection, &settings),
            self.pre_request(&connection)
        );
        begun.and(set.map(drop)).and(checked).map_err(failed)?;
        Ok(Open { connection, prepares: self.config.prepared_statements })
    }

    /// Acts for the caller of `cx` from now on, within an open transaction.
    pub(crate) async fn enter(&self, open: &Open, cx: &Context, scope: &Scope) -> Result<()> {
        let mut settings = self.settings(cx, scope);
        if matches!(cx.caller, Caller::System) {
            set(&mut settings, "role", "none".to_owned());
            set(&mut settings, "request.jwt.claims", String::new());
        }
        open.query(&settings).await.map(drop)
    }

    /// Begins, sets up and runs the statement; ends the transaction too unless it is judged first.
    async fn rows(
        &self,
        connection: &Connection,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
    ) -> Result<Vec<Row>, PgError> {
        let begin = begin(scope);
        let settings = self.settings(cx, scope);
        let end = if scope.judged { "" } else { end_of(!scope.rollback) };
        let prepares = self.config.prepared_statements;
        if prepares {
            prepare(connection, &settings.text).await?;
        }
        let opening = async {
            let (begun, set, checked) = join!(
                connection.batch_execute(&begin),
                query(connection, &settings),
                self.pre_request(connection)
            );
            begun.and(set.map(drop)).and(checked)
        };
        let (opened, rows) = if !prepares || connection.prepared(&statement.text).is_some() {
            let running = async { join!(query(connection, statement), finish(connection, end)) };
            let (opened, (rows, ended)) = join!(opening, running);
            (opened, rows.and_then(|rows| ended.map(|()| rows)))
        } else {
            let (opened, prepared) = join!(opening, prepare(connection, &statement.text));
            opened?;
            prepared?;
            let (rows, ended) = join!(query(connection, statement), finish(connection, end));
            (Ok(()), rows.and_then(|rows| ended.map(|()| rows)))
        };
        opened?;
        rows
    }

    async fn pre_request(&self, connection: &Connection) -> Result<(), PgError> {
        match &self.config.pre_request {
            None => Ok(()),
            Some(function) => {
                let name: Vec<String> = function.split('.').map(quote).collect();
                connection.batch_execute(&format!("select {}()", name.join("."))).await
            }
        }
    }

    /// The settings that policies and functions read, for this transaction only.
    fn settings(&self, cx: &Context, scope: &Scope) -> Sql {
        let mut sql = Sql::new("select set_config('search_path', ");
        sql.bind(self.search_path(&scope.schema)).push(", true)");
        if let Caller::Role(identity) = &cx.caller {
            set(&mut sql, "role", identity.role.clone());
            set(&mut sql, "request.jwt.claims", identity.claims_text.clone());
        }
        if let Some(facts) = &cx.request {
            set(&mut sql, "request.method", facts.method.clone());
            set(&mut sql, "request.path", facts.path.clone());
            set(&mut sql, "request.headers", facts.headers.clone());
            set(&mut sql, "request.cookies", facts.cookies.clone());
        }
        if let Some(zone) = &scope.time_zone {
            set(&mut sql, "timezone", zone.clone());
        }
        // What is left of the request's time may not lengthen what is configured.
        let configured = self.config.statement_timeout().filter(|timeout| !timeout.is_zero());
        if let Some(left) = cx.remaining().map(|left| configured.map_or(left, |most| left.min(most))) {
            set(&mut sql, "statement_timeout", left.as_millis().max(1).to_string());
        }
        for (name, value) in self.config.app_settings.iter().chain(scope.settings.iter().map(|(n, v)| (n, v)))
        {
            sql.push(&format!(", set_config({}, {}, true)", literal(name), literal(value)));
        }
        sql
    }

    fn search_path(&self, schema: &str) -> String {
        let mut path = vec![quote(schema)];
        for name in &self.config.extra_search_path {
            let name = quote(name);
            if !path.contains(&name) {
                path.push(name);
            }
        }
        path.join(", ")
    }
}

/// An open transaction. Dropped without an end, its connection is closed and nothing stays.
pub(crate) struct Open {
    connection: Lease,
    prepares: bool,
}

impl Open {
    /// Runs a statement.
    ///
    /// # Errors
    /// `Conflict` where the schema changed since it was prepared: the transaction then is to be
    /// repeated as a whole.
    pub(crate) async fn query(&self, sql: &Sql) -> Result<Vec<Row>> {
        let running = async {
            if self.prepares {
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
        self.connection.batch_execute(end_of(keep)).await.map_err(failed)?;
        self.connection.give_back();
        Ok(())
    }
}

fn set(sql: &mut Sql, name: &str, value: String) {
    sql.push(&format!(", set_config('{name}', ")).bind(value).push(", true)");
}

fn begin(scope: &Scope) -> String {
    let mut text = "begin".to_owned();
    if let Some(level) = &scope.isolation {
        let known = ["serializable", "repeatable read", "read committed", "read uncommitted"];
        if let Some(level) = known.iter().find(|known| *known == level) {
            text.push_str(" isolation level ");
            text.push_str(level);
        }
    }
    if scope.read_only {
        text.push_str(" read only");
    }
    text
}

fn end_of(keep: bool) -> &'static str {
    if keep { "commit" } else { "rollback" }
}

async fn finish(connection: &Connection, end: &str) -> Result<(), PgError> {
    if end.is_empty() { Ok(()) } else { connection.batch_execute(end).await }
}

async fn prepare(connection: &Connection, text: &str) -> Result<(), PgError> {
    if connection.prepared(text).is_none() {
        let statement = connection.prepare(text).boxed().await?;
        connection.keep(text, statement);
    }
    Ok(())
}

/// Runs a statement: the prepared one if there is one.
pub(crate) async fn query(connection: &Connection, sql: &Sql) -> Result<Vec<Row>, PgError> {
    match connection.prepared(&sql.text) {
        Some(statement) => {
            let params: Vec<&(dyn ToSql + Sync)> = sql.params.iter().map(|param| param as _).collect();
            connection.query(&statement, &params).await
        }
        None => {
            let params: Vec<(&(dyn ToSql + Sync), Type)> =
                sql.params.iter().map(|param| (param as _, Type::UNKNOWN)).collect();
            connection.query_typed(&sql.text, &params).await
        }
    }
}

/// Runs a statement that is not worth preparing.
pub(crate) async fn query_text(client: &Client, sql: &Sql) -> Result<Vec<Row>> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        sql.params.iter().map(|param| (param as _, Type::UNKNOWN)).collect();
    client.query_typed(&sql.text, &params).await.map_err(failed)
}

/// Why a transaction did not succeed.
enum Failure {
    /// A statement or the connection failed.
    Statement(PgError),
    /// It was judged and undone, or there was no connection.
    Judged(Error),
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Failure::Statement(error) => failed(error),
            Failure::Judged(error) => error,
        }
    }
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Failure::Statement(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Judged(error)
    }
}
