//! The ways of asking the same things: PostgREST's (TrustStream, supabase-lite), PocketBase's, Parse Server's.

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
    /// `/parse/classes/CLASS`; the application's id in a header.
    Parse,
}

impl Dialect {
    /// Replaces `request` by the whole HTTP request for `ask`.
    pub fn write(&self, ask: &Ask<'_>, request: &mut Vec<u8>) {
        let (target, body) = match self {
            Self::PostgRest { .. } => postgrest(ask),
            Self::PocketBase => pocketbase(ask),
            Self::Parse => parse(ask),
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
        if matches!(self, Self::Parse) {
            request.extend_from_slice(b"x-parse-application-id: benchmark\r\n");
        }
        if let Some(body) = &body {
            let length = body.len();
            let _ = write!(request, "content-type: application/json\r\ncontent-length: {length}\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.unwrap_or_default().as_bytes());
    }

    /// Whether a reply to an insert holds the row.
    pub fn returns_inserted(&self) -> bool {
        !matches!(self, Self::Parse)
    }

    /// The rows of a reply.
    pub fn rows(&self, body: &[u8]) -> Result<Vec<Value>> {
        let mut rows = self.listed(body)?;
        if matches!(self, Self::Parse) {
            rows.iter_mut().for_each(plain);
        }
        Ok(rows)
    }

    fn listed(&self, body: &[u8]) -> Result<Vec<Value>> {
        match serde_json::from_slice(body).context("the reply isn't JSON")? {
            Value::Array(rows) => Ok(rows),
            Value::Object(mut object) => match object.remove("items").or_else(|| object.remove("results")) {
                Some(Value::Array(rows)) => Ok(rows),
                Some(other) => bail!("neither items nor results: {other}"),
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

fn parse(ask: &Ask<'_>) -> (String, Option<String>) {
    let class = |table: &str| format!("/parse/classes/{table}");
    let date = |at: Civil| json!({ "__type": "Date", "iso": format!("{}T{}.000Z", at.date(), at.time()) });
    let list = |filter: Value, order: &str| {
        let filter = encoded(&filter.to_string());
        (format!("{}?where={filter}&order={order}&limit={LIST_LENGTH}", class(READ_TABLE)), None)
    };
    match ask {
        Ask::Point(row) => (format!("{}/{}", class(READ_TABLE), row.id), None),
        Ask::Top(category) => list(json!({ "category": category }), "-score"),
        Ask::Since(since) => list(json!({ "created_at": { "$gte": date(*since) } }), "name"),
        // Only those that hold the tables are asked.
        Ask::Embed(_) | Ask::Children { .. } => (String::from("/"), None),
        Ask::Insert { table, row } => {
            let Row { id, name, category, score, description, .. } = row;
            let body = json!({
                "objectId": id, "name": name, "category": category, "score": score,
                "created_at": date(row.created_at), "description": description,
            });
            (class(table), Some(body.to_string()))
        }
    }
}

/// A row of Parse Server as the others show it.
fn plain(row: &mut Value) {
    let Some(row) = row.as_object_mut() else { return };
    if let Some(id) = row.remove("objectId") {
        row.insert("id".to_owned(), id);
    }
    if let Some(at) = row.get_mut("created_at") {
        *at = at["iso"].take();
    }
}

/// Percent-encoded, but for letters and digits.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
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
