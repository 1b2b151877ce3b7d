//! tokio-postgres with prepared statements, one connection, in a schema of its own.

use std::path::Path;

use anyhow::Result;
use tokio_postgres::{Client, NoTls, Row, Statement};
use truststream::{Config, TrustStream};

use super::{LIST, ROWS, SCHEMA, Scenario, Side, Track};

pub struct Raw {
    client: Client,
    point: Statement,
    list: Statement,
    insert: Statement,
}

impl Raw {
    pub async fn connect(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("create schema raw; set search_path = raw").await?;
        client.batch_execute(SCHEMA).await?;
        let fill = "insert into tracks select n, 'track number ' || n, n * 7 % 1000 \
                    from generate_series(0, $1::bigint - 1) n";
        client.execute(fill, &[&ROWS]).await?;
        let point = client.prepare("select id, title, plays from tracks where id = $1").await?;
        let list =
            client.prepare("select id, title, plays from tracks where id >= $1 order by id limit 50").await?;
        let insert = client.prepare("insert into tracks (id, title, plays) values ($1, $2, $3)").await?;
        Ok(Raw { client, point, list, insert })
    }
}

/// The library on the same server.
pub async fn library(url: &str, folder: &Path) -> Result<TrustStream> {
    let text = format!(
        "active = \"main\"\n[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n\
         [backend.main.database]\nprovider = \"postgres\"\nurl = {url:?}\n"
    );
    let config = Config::from_text(&folder.join("library-postgres"), &text)?;
    Ok(TrustStream::open_with(config).await?)
}

impl Side for Raw {
    async fn work(&mut self, scenario: Scenario, n: i64) -> Result<usize> {
        Ok(match scenario {
            Scenario::Point => track(&self.client.query_one(&self.point, &[&(n % ROWS)]).await?)?.title.len(),
            Scenario::List => {
                let rows = self.client.query(&self.list, &[&(n % (ROWS - LIST))]).await?;
                rows.iter().map(track).collect::<Result<Vec<_>>>()?.len()
            }
            Scenario::Insert => {
                let Track { id, title, plays } = Track::new(ROWS + n);
                usize::try_from(self.client.execute(&self.insert, &[&id, &title, &plays]).await?)?
            }
        })
    }
}

fn track(row: &Row) -> Result<Track> {
    Ok(Track { id: row.try_get(0)?, title: row.try_get(1)?, plays: row.try_get(2)? })
}
