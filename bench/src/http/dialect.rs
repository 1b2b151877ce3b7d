//! The two ways of asking the same things: PostgREST's (TrustStream, supabase-lite) and PocketBase's.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::Write as _;

use super::scenario::{Ask, LIST_LENGTH};
use crate::clock::Civil;
use crate::data::{MISSIONS, READ_TABLE, Row, STEPS};

/// How a server wants to be asked.
#[derive(Clone)]
pub enum Dialect {
    /// `/rest/v1/TABLE?...`; the key as `@supabase/supabase-js` sends it, in both headers.
    PostgRest { key: String },
    /// `/api/collections/TABLE/records`; public rules, so no key.
    PocketBase,
}

impl Dialect {
    /// Replaces `request` by the whole HTTP request for `ask`.
    pub fn write(&self, ask: &Ask<'_>, request: &mut Vec<u8>) {
        let (target, body) = match self {
            Self::PostgRest { .. } => postgrest(ask),
            Self::PocketBase => pocketbase(ask),
        };
        request.clear();
        let method = if body.is_some() { "POST" } else { "GET" };
        // Writing to a Vec never fails.
        let _ =
            write!(request, "{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n");
        if let Self::PostgRest { key } = self {
            let _ = write!(request, "apikey: {key}\r\nauthorization: Bearer {key}\r\n");
            if body.is_some() {
                // PocketBase always answers with the row.
                request.extend_from_slice(b"prefer: return=representation\r\n");
            }
        }
        if let Some(body) = &body {
            let length = body.len();
            let _ = write!(request, "content-type: application/json\r\ncontent-length: {length}\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.unwrap_or_default().as_bytes());
    }

    /// The rows of a reply.
    pub fn rows(&self, body: &[u8]) -> Result<Vec<Value>> {
        match serde_json::from_slice(body).context("the reply isn't JSON")? {
            Value::Array(rows) => Ok(rows),
            Value::Object(mut object) => match object.remove("items") {
                Some(Value::Array(rows)) => Ok(rows),
                Some(other) => bail!("items isn't a list: {other}"),
                None => Ok(vec![Value::Object(object)]),
            },
            other => bail!("neither rows nor a row: {other}"),
        }
    }
}

fn postgrest(ask: &Ask<'_>) -> (String, Option<String>) {
    let read = |query: String| (format!("/rest/v1/{READ_TABLE}?{query}"), None);
    match ask {
        Ask::Point(row) => read(format!("id=eq.{}", row.id)),
        Ask::Top(category) => read(format!("category=eq.{category}&order=score.desc&limit={LIST_LENGTH}")),
        Ask::Since(since) => {
            read(format!("created_at=gte.{}&order=name.asc&limit={LIST_LENGTH}", rfc3339(*since)))
        }
        Ask::Embed(category) => read(format!(
            "select=id,name,{MISSIONS}(id,title,{STEPS}(id,note))&category=eq.{category}&order=score.desc&limit={LIST_LENGTH}"
        )),
        Ask::Children { table, rows } => (format!("/rest/v1/{table}"), Some(rows.clone())),
        Ask::Insert { table, row } => {
            (format!("/rest/v1/{table}"), Some(body(row, &rfc3339(row.created_at))))
        }
    }
}

fn pocketbase(ask: &Ask<'_>) -> (String, Option<String>) {
    let records = format!("/api/collections/{READ_TABLE}/records");
    let list = |filter: &str, sort: &str| {
        let filter = filter.replace('"', "%22").replace(' ', "%20").replace('=', "%3D").replace('>', "%3E");
        (format!("{records}?filter={filter}&sort={sort}&perPage={LIST_LENGTH}&skipTotal=1"), None)
    };
    match ask {
        Ask::Point(row) => (format!("{records}/{}", row.id), None),
        Ask::Top(category) => list(&format!("category=\"{category}\""), "-score"),
        Ask::Since(since) => list(&format!("created_at>=\"{}\"", own_date(*since)), "name"),
        // Only those that hold the tables are asked.
        Ask::Embed(_) | Ask::Children { .. } => (String::from("/"), None),
        Ask::Insert { table, row } => {
            let path = format!("/api/collections/{table}/records");
            (path, Some(body(row, &own_date(row.created_at))))
        }
    }
}

fn body(row: &Row, created_at: &str) -> String {
    let Row { id, name, category, score, description, .. } = row;
    json!({
        "id": id, "name": name, "category": category, "score": score, "created_at": created_at,
        "description": description,
    })
    .to_string()
}

fn rfc3339(at: Civil) -> String {
    format!("{}T{}Z", at.date(), at.time())
}

/// PocketBase's own form, which its filters compare as text.
fn own_date(at: Civil) -> String {
    format!("{} {}.000Z", at.date(), at.time())
}
