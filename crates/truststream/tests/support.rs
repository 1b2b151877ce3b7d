//! Projects in temporary folders, on every kind of database.

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use truststream::{Config, TrustStream};
use truststream_conformance::PATIENT;
use truststream_conformance::postgres_server::PostgresServer;

pub const SCHEMA: &str = "
create table artists (id int primary key, name text not null unique);
create table tracks (
  id int primary key,
  title text not null,
  seconds int,
  tags text[] not null default '{}',
  info jsonb,
  artist_id int references artists (id)
);
create table notes (id int primary key, owner uuid not null, body text not null);
alter table notes enable row level security;
create policy own_notes on notes for all to authenticated
  using (owner = auth.uid()) with check (owner = auth.uid());
insert into artists values (1, 'Miles Davis'), (2, 'Nina Simone');
insert into tracks (id, title, seconds, tags, info, artist_id) values
  (7, 'So What', 545, '{modal,cool}', '{\"year\": 1959}', 1),
  (8, 'Sinnerman', 622, '{soul}', null, 2),
  (9, 'Interlude', null, '{}', null, null);
";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artist {
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    pub id: i64,
    pub title: String,
    pub seconds: Option<i64>,
}

/// A kind of database that every test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// The `[backend.<name>.database]` of a fresh database.
pub fn database(backend: Backend, name: &str) -> String {
    let settings = match backend {
        Backend::Sqlite => format!("provider = \"sqlite\"\npath = \"{name}.db\"\n"),
        Backend::Postgres => format!("provider = \"postgres\"\nurl = \"{}\"\n", new_database()),
    };
    format!("[backend.{name}.database]\n{settings}")
}

/// A new database on the server of this test run.
fn new_database() -> String {
    PostgresServer::of_the_run().new_database().unwrap()
}

/// An open project with these databases, and the folder it lives in.
pub async fn open(databases: &[String]) -> (TrustStream, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{PATIENT}[auth]\njwt_secret = \"a secret of at least thirty-two characters\"\n{}",
        databases.concat()
    );
    let db = TrustStream::open_with(Config::from_text(folder.path(), &text).unwrap()).await.unwrap();
    db.migrate("1_tracks.sql", SCHEMA).await.unwrap();
    (db, folder)
}

/// An open project on one database, and the folder it lives in.
pub async fn project(backend: Backend) -> (TrustStream, TempDir) {
    open(&[database(backend, "main")]).await
}

/// The tests of a file, on every kind of database.
macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::Backend::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test($crate::support::Backend::Postgres).await;
            })+
        }
    };
}

pub(crate) use on_every_backend;

pub fn track(id: i64, title: &str) -> Track {
    Track { id, title: title.to_owned(), seconds: Some(200) }
}
