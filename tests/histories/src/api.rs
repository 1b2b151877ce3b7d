//! The gateway as any client sees it: requests, and how sure one can be of what became of them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value as Json;

/// How long a client waits for an answer: longer than the gateway may hold a write.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the gateway with the rights of one key.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// What a request came to.
#[derive(Debug)]
pub enum Answer {
    Done(Vec<u8>),
    /// Nothing happened, and this is why.
    Refused(String),
    /// Nobody knows whether it happened.
    Unknown(String),
}

impl Api {
    /// A client with its own connections.
    pub fn new(url: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).retry(reqwest::retry::never()).build()?;
        Ok(Api { http, url: url.to_owned(), key: key.to_owned() })
    }

    /// Sends a request with a JSON body, if there is one.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Json>) -> Answer {
        let bytes = body.map(|body| body.to_string().into_bytes());
        self.send_as(method, path, bytes, "application/json").await
    }

    /// Sends a request with a body of any type. Files are overwritten; rows that a write has touched
    /// come back.
    pub async fn send_as(&self, method: Method, path: &str, body: Option<Vec<u8>>, kind: &str) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request.header("apikey", &self.key).bearer_auth(&self.key);
        let request = request.header("prefer", "return=representation").header("x-upsert", "true");
        let request = match body {
            Some(body) => request.header("content-type", kind).body(body),
            None => request,
        };
        let response = match request.send().await {
            Ok(response) => response,
            // What was never sent has no effect.
            Err(error) if error.is_connect() => return Answer::Refused("no connection".to_owned()),
            Err(error) => return Answer::Unknown(root_cause(&error)),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) if status.is_success() => Answer::Done(body.to_vec()),
            Ok(body) => {
                let text = format!("{} {}", status.as_u16(), String::from_utf8_lossy(&body));
                let held = text.contains("BACKEND_006");
                if status.is_client_error() || held { Answer::Refused(text) } else { Answer::Unknown(text) }
            }
            Err(error) => Answer::Unknown(root_cause(&error)),
        }
    }

    /// Sends a request that must succeed.
    pub async fn must(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Json> {
        match self.send(method, path, body).await {
            Answer::Done(body) if body.is_empty() => Ok(Json::Null),
            Answer::Done(body) => serde_json::from_slice(&body).with_context(|| path.to_owned()),
            Answer::Refused(why) | Answer::Unknown(why) => bail!("{path}: {why}"),
        }
    }

    /// All rows of a table, in the order of its `id`.
    pub async fn rows(&self, table: &str) -> Result<Vec<Json>> {
        let mut rows = Vec::new();
        loop {
            let path = format!("/rest/v1/{table}?order=id&limit=1000&offset={}", rows.len());
            let page = self.must(Method::GET, &path, None).await?;
            let page = page.as_array().context("expected a list of rows")?;
            rows.extend(page.iter().cloned());
            if page.len() < 1_000 {
                return Ok(rows);
            }
        }
    }

    /// The address of its web sockets.
    pub fn socket(&self) -> String {
        format!(
            "ws{}/realtime/v1/websocket?apikey={}&vsn=2.0.0",
            self.url.trim_start_matches("http"),
            self.key
        )
    }

    /// The key that it sends.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
