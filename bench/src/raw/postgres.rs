//! tokio-postgres: a few connections taken in turn, prepared statements.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use tokio_postgres::{Client, Error, NoTls, Row, Statement};

use super::callers::{Caller, policies};
use super::{Agent, Child, Query, schema};
use crate::data::{MISSIONS, READ_TABLE, STEPS, WRITE_TABLE};

/// As many as TrustStream's pool has by default.
const CONNECTIONS: usize = 10;

pub struct Raw {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

struct Connection {
    client: Client,
    caller: Statement,
    point: Statement,
    top: Statement,
    since: Statement,
    embed: Statement,
    inserts: [(&'static str, Statement); 2],
    children: [(&'static str, Statement); 2],
}

impl Raw {
    /// For callers, the tables have row-level policies.
    pub async fn connect(url: &str, for_callers: bool) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(&schema()).await?;
        if for_callers {
            client.batch_execute(&policies(&[READ_TABLE, WRITE_TABLE, MISSIONS, STEPS])).await?;
        }
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(url).await?);
        }
        Ok(Raw { connections, next: AtomicUsize::new(0) })
    }

    fn connection(&self) -> &Connection {
        &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }

    pub async fn read(&self, caller: Option<&Caller>, query: &Query<'_>) -> Result<Vec<u8>> {
        let connection = self.connection();
        let client = &connection.client;
        let asked = async || match query {
            Query::Point(id) => client.query(&connection.point, &[id]).await,
            Query::Top(category, limit) => client.query(&connection.top, &[category, limit]).await,
            Query::Since(since, limit) => client.query(&connection.since, &[since, limit]).await,
            Query::Embed(category, limit) => client.query(&connection.embed, &[category, limit]).await,
        };
        let rows = connection.ask_for(caller, asked()).await?;
        if matches!(query, Query::Embed(..)) {
            let row = rows.first().context("an aggregate has a row")?;
            return Ok(row.try_get::<_, String>(0)?.into_bytes());
        }
        Ok(serde_json::to_vec(&rows.iter().map(agent).collect::<Result<Vec<_>>>()?)?)
    }

    pub async fn insert(&self, caller: Option<&Caller>, table: &'static str, agent: &Agent) -> Result<()> {
        let connection = self.connection();
        let Agent { id, name, category, score, created_at, description } = agent;
        let statement = of(&connection.inserts, table)?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [id, name, category, score, created_at, description];
        connection.ask_for(caller, connection.client.execute(statement, &values)).await?;
        Ok(())
    }

    pub async fn insert_children(&self, table: &'static str, children: &[Child]) -> Result<()> {
        let connection = self.connection();
        let list = |value: fn(&Child) -> &String| children.iter().map(value).collect::<Vec<_>>();
        let (ids, parents) = (list(|child| &child.id), list(|child| &child.parent));
        let texts = list(|child| &child.text);
        let statement = of(&connection.children, table)?;
        connection.client.execute(statement, &[&ids, &parents, &texts]).await?;
        Ok(())
    }
}

fn of<'s>(statements: &'s [(&'static str, Statement)], table: &str) -> Result<&'s Statement> {
    let found = statements.iter().find(|(name, _)| *name == table);
    found.map(|(_, statement)| statement).context("no such table")
}

impl Connection {
    async fn open(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let from = format!("select id, name, category, score, created_at, description from {READ_TABLE}");
        let insert = |table: &str| format!("insert into {table} values ($1, $2, $3, $4, $5, $6)");
        let children = |table: &str| {
            format!("insert into {table} select * from unnest($1::text[], $2::text[], $3::text[])")
        };
        let caller = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
        Ok(Connection {
            caller: client.prepare(caller).await?,
            point: client.prepare(&format!("{from} where id = $1")).await?,
            top: client.prepare(&format!("{from} where category = $1 order by score desc limit $2")).await?,
            since: client.prepare(&format!("{from} where created_at >= $1 order by name limit $2")).await?,
            embed: client.prepare(EMBED).await?,
            inserts: [
                (READ_TABLE, client.prepare(&insert(READ_TABLE)).await?),
                (WRITE_TABLE, client.prepare(&insert(WRITE_TABLE)).await?),
            ],
            children: [
                (MISSIONS, client.prepare(&children(MISSIONS)).await?),
                (STEPS, client.prepare(&children(STEPS)).await?),
            ],
            client,
        })
    }

    /// The answer to a statement; for a caller in a transaction of its own, all of which is sent at once.
    async fn ask_for<T>(
        &self,
        caller: Option<&Caller>,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(caller) = caller else { return statement.await };
        let settings: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&caller.role, &caller.claims];
        let (begun, set, answer, ended) = tokio::join!(
            biased;
            self.client.batch_execute("begin"),
            self.client.execute(&self.caller, &settings),
            statement,
            self.client.batch_execute("commit"),
        );
        begun?;
        set?;
        ended.and(answer)
    }
}

const EMBED: &str = "
select coalesce(json_agg(json_build_object('id', a.id, 'name', a.name, 'missions', (
  select coalesce(json_agg(json_build_object('id', m.id, 'title', m.title, 'steps', (
    select coalesce(json_agg(json_build_object('id', s.id, 'note', s.note)), '[]') from steps s where s.mission_id = m.id
  ))), '[]') from missions m where m.agent_id = a.id
))), '[]')::text from (select * from agents where category = $1 order by score desc limit $2) a";

fn agent(row: &Row) -> Result<Agent> {
    Ok(Agent {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        category: row.try_get(2)?,
        score: row.try_get(3)?,
        created_at: row.try_get(4)?,
        description: row.try_get(5)?,
    })
}
