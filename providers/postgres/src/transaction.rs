//! One request, one transaction: role and claims set, the statement, commit; sent together
//! wherever nothing must be decided in between.

mod alone;
mod open;
mod poured;
mod reply;
mod shared;

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::join;
use tokio_postgres::{Error as PgError, Row};
use truststream_kernel::{Caller, Context, Error, Result};
use truststream_sql::quote::{literal, quote};

use crate::config::Config;
use crate::connector::{Connection, Session};
use crate::error::{failed, is_stale_statement};
use crate::pool::Connections;
use crate::replica::{Lsn, Replica};
use crate::settings::Settings;
use crate::sql::Sql;

pub(crate) use open::Open;
use reply::prepare;
pub(crate) use reply::{Reply, Whole, query, query_stream, query_text};

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

/// How long settings last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Transaction,
    Session,
}

impl Lasting {
    /// How a call of `set_config` ends that says so.
    fn end(self) -> &'static str {
        match self {
            Lasting::Transaction => ", true)",
            Lasting::Session => ", false)",
        }
    }
}

/// Runs requests on pooled connections.
#[derive(Clone)]
pub(crate) struct Transactions {
    connections: Connections,
    replica: Option<Arc<Replica>>,
    config: Arc<Config>,
    settings: Arc<ArcSwap<Settings>>,
}

impl Transactions {
    pub(crate) fn new(connections: Connections, replica: Option<Arc<Replica>>, config: Arc<Config>) -> Self {
        Transactions { connections, replica, config, settings: Arc::default() }
    }

    /// Requests run with these settings from now on.
    pub(crate) fn set(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// The replica that reads may go to.
    pub(crate) fn replica(&self) -> Option<&Arc<Replica>> {
        self.replica.as_ref()
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Runs a statement in one transaction and judges its rows; an error undoes all if the scope says
    /// that it is judged. Reads go to the replica if it has what their caller wrote.
    pub(crate) async fn run<T>(
        &self,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        judge: impl Fn(Vec<Row>) -> Result<T>,
    ) -> Result<T> {
        self.answer(cx, scope, statement, (&Whole, judge)).await
    }

    /// The same with what a reply makes of the rows.
    pub(crate) async fn answer<R: Reply, T>(
        &self,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        (reply, judge): (&R, impl Fn(R::Rows) -> Result<T>),
    ) -> Result<T> {
        let judged = (reply, &judge);
        if scope.read_only
            && statement.poured.is_none()
            && let Some(replica) = self.replica.as_ref().filter(|replica| replica.serves(cx))
        {
            match Box::pin(self.attempts(replica.connections(), cx, scope, statement, judged)).await {
                Err(failure) if replica.is_no_judge(&failure) => {}
                other => return other.map_err(Failure::into_error),
            }
        }
        self.attempts(&self.connections, cx, scope, statement, judged).await.map_err(Failure::into_error)
    }

    /// A second attempt where statements were prepared for what the schema was.
    async fn attempts<R: Reply, T>(
        &self,
        connections: &Connections,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        judged: (&R, &impl Fn(R::Rows) -> Result<T>),
    ) -> Result<T, Failure> {
        match self.attempt(connections, cx, scope, statement, judged).await {
            Err(Failure::Statement(error)) if is_stale_statement(&error) => {
                Box::pin(self.attempt(connections, cx, scope, statement, judged)).await
            }
            other => other,
        }
    }

    async fn attempt<R: Reply, T>(
        &self,
        connections: &Connections,
        cx: &Context,
        scope: &Scope,
        statement: &Sql,
        (reply, judge): (&R, &impl Fn(R::Rows) -> Result<T>),
    ) -> Result<T, Failure> {
        let standing = self.settings.load_full();
        let alone = self.stands_alone(cx, scope, &standing);
        let as_caller = self.stands_alone_as_caller(cx, scope, &standing);
        let shares = as_caller && statement.poured.is_none();
        let settings = shares.then(|| self.settings_of(cx, scope, &standing, Lasting::Session));
        let connection = match &settings {
            Some(settings) => match self.shared(connections, settings, statement, reply).await? {
                Ok(rows) => return judge(rows).map_err(Failure::Judged),
                Err(connection) => connection,
            },
            None => connections.lease_as_it_is().await?,
        };
        let answered = match (&statement.poured, settings) {
            (Some(body), _) => {
                let poured = (statement, body);
                Box::pin(self.poured(&connection, cx, (scope, &standing), poured, reply)).await
            }
            (None, Some(settings)) => {
                let answered = self.alone_as_caller(&connection, settings, statement, reply);
                Box::pin(answered).await.map_err(Failure::from)
            }
            (None, None) if alone => {
                let answered = self.alone(&connection, scope, statement, reply);
                Box::pin(answered).await.map_err(Failure::from)
            }
            (None, None) => {
                let answered = self.rows(&connection, cx, (scope, &standing), statement, reply);
                Box::pin(answered).await.map_err(Failure::from)
            }
        };
        let (rows, received) = match answered {
            Ok(answered) => answered,
            Err(failure) => {
                if matches!(&failure, Failure::Statement(error) if is_stale_statement(error)) {
                    connection.forget();
                }
                let alone = (alone || as_caller) && statement.poured.is_none();
                if alone || connection.batch_execute(ROLLBACK).await.is_ok() {
                    connection.give_back();
                }
                return Err(failure);
            }
        };
        let exchanged = statement.size() + received;
        let judged = judge(rows);
        if scope.judged {
            let end = if judged.is_ok() { end_of(scope.rollback) } else { ROLLBACK };
            if let Err(error) = Box::pin(self.end(&connection, cx, end, scope.read_only)).await {
                if connection.batch_execute(ROLLBACK).await.is_ok() {
                    connection.give_back();
                }
                return Err(error.into());
            }
        }
        connection.give_back_after(exchanged);
        judged.map_err(Failure::Judged)
    }

    /// Ends a transaction; if it wrote and there is a replica, its caller waits for that to catch up.
    async fn end(
        &self,
        connection: &Connection,
        cx: &Context,
        end: &'static str,
        read_only: bool,
    ) -> Result<(), PgError> {
        match self.replica.as_ref().filter(|_| !read_only && end == COMMIT) {
            None => connection.batch_execute(end).await,
            Some(replica) => {
                let writing = replica.writing(cx);
                let (ended, reached) = join!(connection.batch_execute(end), Lsn::reached(connection));
                ended.and(reached).map(|lsn| writing.reached(lsn))
            }
        }
    }

    /// Begins, sets up and runs the statement; ends the transaction too unless it is judged first.
    async fn rows<R: Reply>(
        &self,
        connection: &Connection,
        cx: &Context,
        (scope, standing): (&Scope, &Settings),
        statement: &Sql,
        reply: &R,
    ) -> Result<(R::Rows, usize), PgError> {
        let begin = begin(connection, cx, scope, standing);
        let settings = self.settings_of(cx, scope, standing, Lasting::Transaction);
        let finish = async || match scope.judged {
            true => Ok(()),
            false => self.end(connection, cx, end_of(scope.rollback), scope.read_only).await,
        };
        let prepares = self.config.prepares();
        if prepares {
            prepare(connection, &settings.text).await?;
        }
        let opening = async {
            let (settled, begun, set, checked) = join!(
                connection.settle(Session::default()),
                connection.batch_execute(&begin),
                query(connection, &settings),
                pre_request(connection, standing)
            );
            settled.and(begun).and(set.map(drop)).and(checked)
        };
        let running = async {
            let (rows, ended) = join!(reply.run(connection, statement), finish());
            rows.and_then(|rows| ended.map(|()| rows))
        };
        let is_ready = !prepares || reply.prepared(connection, &statement.text).is_some();
        let prepare = (!is_ready).then(|| Box::pin(reply.prepare(connection, &statement.text)));
        one_by_one(pin!(opening), prepare, pin!(running)).await.map(|((), rows)| rows)
    }

    /// The settings that policies and functions read.
    fn settings_of(&self, cx: &Context, scope: &Scope, standing: &Settings, lasting: Lasting) -> Sql {
        let mut sql = Sql::new("select set_config('search_path', ");
        let path = search_path(&scope.schema, &standing.extra_search_path);
        sql.bind(path).push(lasting.end()).push(" AS ").name("search_path");
        let mut set = |name, value| set(&mut sql, name, value, lasting);
        if let Caller::Role(identity) = &cx.caller {
            set("role", identity.role.clone());
            set("request.jwt.claims", identity.claims_text.clone());
        }
        // They are other ones each time: a session could not keep them.
        let looks = standing.reads_request || lasting == Lasting::Transaction;
        if let Some(facts) = cx.request.as_ref().filter(|_| looks) {
            set("request.method", facts.method().to_owned());
            set("request.path", facts.path().to_owned());
            set("request.headers", facts.headers());
            set("request.cookies", facts.cookies());
        }
        if let Some(zone) = &scope.time_zone {
            set("timezone", zone.clone());
        }
        let role = standing.of(cx);
        if let Some(timeout) = statement_timeout(cx, standing) {
            set("statement_timeout", timeout.to_string());
        }
        if lasting == Lasting::Session {
            set("default_transaction_read_only", if scope.read_only { "on" } else { "off" }.to_owned());
            set("response.headers", String::new());
            set("response.status", String::new());
        }
        let of_role = role.iter().flat_map(|role| &role.others).map(|(name, value)| (name, value));
        let of_scope = scope.settings.iter().map(|(name, value)| (name, value));
        let named = of_role.chain(&standing.app).chain(of_scope);
        let of_caller = cx.settings.iter().copied();
        for (name, value) in named.map(|(name, value)| (&**name, &**value)).chain(of_caller) {
            sql.push(", set_config(").push(&literal(name)).push(", ").push(&literal(value));
            sql.push(lasting.end()).push(" AS ").name(name);
        }
        sql
    }
}

/// Runs what follows what opens; it is sent at once, unless it has to be prepared first.
async fn one_by_one<O, T>(
    opening: impl Future<Output = Result<O, PgError>>,
    prepare: Option<impl Future<Output = Result<(), PgError>>>,
    running: impl Future<Output = Result<T, PgError>>,
) -> Result<(O, T), PgError> {
    let Some(prepare) = prepare else {
        let (opened, ran) = join!(opening, running);
        return Ok((opened?, ran?));
    };
    let (opened, prepared) = join!(opening, prepare);
    let opened = opened?;
    prepared?;
    Ok((opened, running.await?))
}

/// Milliseconds, unless what the session has holds. What is left of the request's time may not lengthen
/// what is set for the role, configured or set for the database.
fn statement_timeout(cx: &Context, standing: &Settings) -> Option<u128> {
    let of_role = standing.of(cx).and_then(|role| role.statement_timeout);
    let limit =
        Some(of_role.unwrap_or(standing.statement_timeout)).filter(|limit| *limit > 0).map(u128::from);
    match cx.remaining() {
        Some(left) => Some(limit.map_or(left.as_millis(), |limit| limit.min(left.as_millis())).max(1)),
        None => of_role.map(u128::from),
    }
}

fn search_path(schema: &str, extra: &[String]) -> String {
    let mut path = vec![quote(schema)];
    for name in extra {
        let name = quote(name);
        if !path.contains(&name) {
            path.push(name);
        }
    }
    path.join(", ")
}

fn set(sql: &mut Sql, name: &str, value: String, lasting: Lasting) {
    sql.push(", set_config('").push(name).push("', ").bind(value).push(lasting.end()).push(" AS ").name(name);
}

async fn pre_request(connection: &Connection, settings: &Settings) -> Result<(), PgError> {
    match &settings.pre_request {
        None => Ok(()),
        Some(function) => {
            let name: Vec<String> = function.split('.').map(quote).collect();
            connection.batch_execute(&format!("select {}()", name.join("."))).await
        }
    }
}

fn begin(connection: &Connection, cx: &Context, scope: &Scope, settings: &Settings) -> String {
    let known = ["serializable", "repeatable read", "read committed", "read uncommitted"];
    let of_role = || settings.of(cx).and_then(|role| role.isolation.as_ref());
    let level = scope.isolation.as_ref().or_else(of_role);
    let level = level.and_then(|level| known.iter().find(|known| *known == level));
    let mut mode = level.map_or(Cow::Borrowed(""), |level| format!(" isolation level {level}").into());
    if scope.read_only {
        mode.to_mut().push_str(" read only");
    }
    connection.beginning(&mode)
}

const COMMIT: &str = "commit";

const ROLLBACK: &str = "rollback";
/// What is checked when a transaction ends is checked before it is undone as well: the caller learns whether
/// it could have been kept.
const CHECKED_ROLLBACK: &str = "set constraints all immediate; rollback";

/// How a transaction that went well ends.
fn end_of(rollback: bool) -> &'static str {
    if rollback { CHECKED_ROLLBACK } else { COMMIT }
}

/// Why a transaction did not succeed.
pub(crate) enum Failure {
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
