//! An embedded project in a temporary folder.

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use truststream::TrustStream;

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

/// An open project and the folder it lives in.
pub async fn project() -> (TrustStream, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = TrustStream::embedded(folder.path()).await.unwrap();
    db.migrate("1_tracks.sql", SCHEMA).await.unwrap();
    (db, folder)
}

pub fn track(id: i64, title: &str) -> Track {
    Track { id, title: title.to_owned(), seconds: Some(200) }
}
