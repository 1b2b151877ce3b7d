//! The raw driver behind the HTTP framework of TrustStream's gateway (axum): what a backend costs that is
//! written by hand for these very requests. It speaks just enough of PostgREST's dialect to be asked the
//! same things and knows no other request; nor callers and policies, unless it is told a key (`--callers`).

mod callers;
mod mongo;
mod postgres;
mod sqlite;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use clap::Args;
use serde::{Deserialize, Serialize};

pub use callers::token;
use callers::{Caller, Callers};

use crate::data::{MISSIONS, READ_TABLE, STEPS, WRITE_TABLE};

/// Serve the raw driver, as a peer of the benchmark.
#[derive(Args)]
pub struct Options {
    /// Where it answers.
    #[arg(long)]
    address: SocketAddr,
    /// A SQLite file; it is made if it is not there.
    #[arg(long)]
    sqlite: Option<PathBuf>,
    /// A PostgreSQL database; tables are made if they are not there.
    #[arg(long)]
    postgres: Option<String>,
    /// A server that speaks MongoDB's protocol; collections are made if they are not there.
    #[arg(long)]
    mongodb: Option<String>,
    /// Verify each request's token with this key, and ask PostgreSQL as its role, with its claims; the tables
    /// have row-level policies then.
    #[arg(long, requires = "postgres")]
    callers: Option<String>,
}

/// What is served, and to whom if not to everybody.
struct Served {
    database: Database,
    callers: Option<Callers>,
}

/// The tables, in words that both engines take; no row-level security.
fn schema() -> String {
    let table = |name: &str| {
        format!(
            "create table if not exists {name} (id text primary key, name text not null, category text not null, \
             score double precision not null, created_at text not null, description text not null);\n\
             create index if not exists {name}_category_score on {name} (category, score);\n"
        )
    };
    table(READ_TABLE) + &table(WRITE_TABLE) + crate::data::CHILDREN
}

/// A row of both tables, as it comes and goes.
#[derive(Debug, Serialize, Deserialize)]
struct Agent {
    id: String,
    name: String,
    category: String,
    score: f64,
    created_at: String,
    description: String,
}

/// A row of the tables below them: `parent` is the mission's agent, the step's mission.
struct Child {
    id: String,
    parent: String,
    text: String,
}

/// What is asked of a database.
enum Query<'q> {
    Point(&'q str),
    Top(&'q str, i64),
    Since(&'q str, i64),
    Embed(&'q str, i64),
}

/// A database with hand-written statements; replies are JSON.
enum Database {
    Sqlite(sqlite::Raw),
    Postgres(postgres::Raw),
    Mongo(mongo::Raw),
}

impl Database {
    async fn read(&self, caller: Option<&Caller>, query: Query<'_>) -> Result<Vec<u8>> {
        match self {
            Database::Sqlite(raw) => raw.read(&query),
            Database::Postgres(raw) => raw.read(caller, &query).await,
            Database::Mongo(raw) => raw.read(&query).await,
        }
    }

    async fn insert(&self, caller: Option<&Caller>, table: &'static str, agent: &Agent) -> Result<()> {
        match self {
            Database::Sqlite(raw) => raw.insert(table, agent),
            Database::Postgres(raw) => raw.insert(caller, table, agent).await,
            Database::Mongo(raw) => raw.insert(table, agent).await,
        }
    }

    async fn insert_children(&self, table: &'static str, children: &[Child]) -> Result<()> {
        match self {
            Database::Sqlite(raw) => raw.insert_children(table, children),
            Database::Postgres(raw) => raw.insert_children(table, children).await,
            Database::Mongo(raw) => raw.insert_children(table, children).await,
        }
    }
}

impl Served {
    /// Whose request this is, where that is asked.
    fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>> {
        self.callers.as_ref().map(|callers| callers.verify(headers)).transpose()
    }
}

/// Serves on a runtime of all cores, as the gateway does.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<()> {
    let database = match (&options.sqlite, &options.postgres, &options.mongodb) {
        (Some(path), None, None) => Database::Sqlite(sqlite::Raw::open(path)?),
        (None, Some(url), None) => {
            Database::Postgres(postgres::Raw::connect(url, options.callers.is_some()).await?)
        }
        (None, None, Some(url)) => Database::Mongo(mongo::Raw::connect(url).await?),
        _ => bail!("one database is served: --sqlite, --postgres or --mongodb"),
    };
    ensure!(options.address.ip() == Ipv4Addr::LOCALHOST, "only on 127.0.0.1");
    let routes = get(read).post(insert);
    let served = Served { database, callers: options.callers.as_deref().map(Callers::new) };
    let router = Router::new().route("/rest/v1/{table}", routes).with_state(Arc::new(served));
    let listener = tokio::net::TcpListener::bind(options.address).await?;
    axum::serve(listener.tap_nodelay(), router).await.context("serving")
}

/// Replies go out at once.
trait NoDelay {
    fn tap_nodelay(self) -> axum::serve::TapIo<tokio::net::TcpListener, fn(&mut tokio::net::TcpStream)>;
}

impl NoDelay for tokio::net::TcpListener {
    fn tap_nodelay(self) -> axum::serve::TapIo<Self, fn(&mut tokio::net::TcpStream)> {
        use axum::serve::ListenerExt as _;
        self.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        })
    }
}

async fn read(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    reply(StatusCode::OK, answer(&served, &headers, &query.unwrap_or_default()).await)
}

async fn answer(served: &Served, headers: &HeaderMap, query: &str) -> Result<Vec<u8>> {
    served.database.read(served.caller(headers)?.as_ref(), asked(query)?).await
}

async fn insert(
    State(served): State<Arc<Served>>,
    Path(table): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    reply(StatusCode::CREATED, write(&served, &headers, &table, &body).await)
}

async fn write(served: &Served, headers: &HeaderMap, table: &str, body: &[u8]) -> Result<Vec<u8>> {
    let caller = served.caller(headers)?;
    let known = [READ_TABLE, WRITE_TABLE, MISSIONS, STEPS];
    let table = known.into_iter().find(|known| *known == table).context("no such table")?;
    if table == READ_TABLE || table == WRITE_TABLE {
        let agent: Agent = serde_json::from_slice(body)?;
        served.database.insert(caller.as_ref(), table, &agent).await?;
        return Ok(serde_json::to_vec(&[agent])?);
    }
    let rows: Vec<serde_json::Value> = serde_json::from_slice(body)?;
    let (parent, text) = if table == MISSIONS { ("agent_id", "title") } else { ("mission_id", "note") };
    let member = |row: &serde_json::Value, name: &str| row[name].as_str().map(str::to_owned);
    let child = |row: &serde_json::Value| {
        Some(Child { id: member(row, "id")?, parent: member(row, parent)?, text: member(row, text)? })
    };
    let children: Option<Vec<Child>> = rows.iter().map(child).collect();
    served.database.insert_children(table, &children.context("a row lacks a column")?).await?;
    Ok(Vec::new())
}

/// The request that a query string of the benchmark is.
fn asked(query: &str) -> Result<Query<'_>> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let limit = value("limit").map_or(Ok(1), str::parse)?;
    if let Some(id) = value("id").and_then(|condition| condition.strip_prefix("eq.")) {
        return Ok(Query::Point(id));
    }
    if let Some(since) = value("created_at").and_then(|condition| condition.strip_prefix("gte.")) {
        return Ok(Query::Since(since, limit));
    }
    let category = value("category").and_then(|condition| condition.strip_prefix("eq."));
    let category = category.context("nothing of the benchmark's")?;
    Ok(if value("select").is_some() { Query::Embed(category, limit) } else { Query::Top(category, limit) })
}

fn reply(status: StatusCode, body: Result<Vec<u8>>) -> Response<Body> {
    let (status, body) = match body {
        Ok(body) => (status, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}").into_bytes()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
