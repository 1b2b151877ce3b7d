//! Idempotency keys: what a write answered is kept in its own transaction, in the same database, and
//! is the answer to every repetition, also after a switch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Comparison, DatabaseOp, Delete, Field, Filter, Insert, Item, OnConflict, OpenTransaction, Operand,
    Operator, Page, Query, Select, Step, TableName, Update,
};

/// How long a reply is kept.
pub(super) const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Characters of a key at most.
const LONGEST_KEY: usize = 255;

/// Where replies are kept: by a digest of key and caller, so that no caller meets another's.
pub(super) const TABLES: &str = "
create schema if not exists truststream_requests;
create table if not exists truststream_requests.replies (
    id text primary key,
    request text not null,
    reply text,
    made_at bigint not null
);
create index if not exists replies_made_at on truststream_requests.replies (made_at);
";

/// One write under a key.
pub(super) struct Keyed {
    id: String,
    request: String,
}

/// What a key stands for when a write arrives with it.
pub(super) enum Found {
    /// Nothing yet: the write is to be done.
    New,
    /// The write was done; this is its reply.
    Done(Vec<Page>),
    /// Its time is over.
    Expired,
}

impl Keyed {
    /// The key of a write, if it has one.
    ///
    /// # Errors
    /// For a key that is empty or too long.
    pub(super) fn of(cx: &Context, op: &DatabaseOp, steps: &[Step]) -> Result<Option<Self>> {
        let Some(key) = cx.idempotency_key.as_deref() else { return Ok(None) };
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Err(Error::invalid_input(format!("an idempotency key has 1 to {LONGEST_KEY} bytes")));
        }
        let identity = cx.identity();
        let role = identity.map_or("", |identity| &identity.role);
        let subject = identity.and_then(|identity| identity.subject()).unwrap_or_default();
        let id = digest(&[cx.tenant.as_deref().unwrap_or_default(), role, subject, key].map(str::as_bytes));
        // The whole operation as it prints itself, and its bodies: whatever it has takes part in the comparison.
        let printed = format!("{op:?}");
        let bodies = steps.iter().filter_map(|step| step.body()?.in_memory());
        let parts: Vec<&[u8]> =
            [printed.as_bytes()].into_iter().chain(bodies.map(|body| &body[..])).collect();
        Ok(Some(Keyed { id, request: digest(&parts) }))
    }

    /// Takes the key within a transaction, or tells what it stands for. A write under the same key
    /// that is not over is waited for.
    ///
    /// # Errors
    /// `BACKEND_017` if another request was sent with the key.
    pub(super) async fn take(&self, transaction: &mut OpenTransaction) -> Result<Found> {
        let row = json!({ "id": self.id, "request": self.request, "made_at": now() });
        let mut insert = Insert::new(replies(), row.to_string());
        insert.on_conflict = Some(OnConflict { columns: None, merge: false });
        if rows(transaction.step(&Context::system(), &insert.into()).await?) == 1 {
            return Ok(Found::New);
        }
        let items = ["request", "reply", "made_at"].map(Item::column).into();
        let query = Query { items, filter: Some(self.filter()), ..Query::default() };
        let page = transaction.step(&Context::system(), &Select::new(replies(), query).into()).await?;
        let body = page.map(|page| page.body).unwrap_or_default();
        let kept = serde_json::from_slice::<Vec<Kept>>(&body).map_err(unreadable)?.pop();
        // Whoever had it is gone meanwhile, or long ago.
        let Some(kept) = kept.filter(|kept| kept.made_at >= oldest()) else { return Ok(Found::Expired) };
        if kept.request != self.request {
            return Err(reused());
        }
        let pages: Vec<KeptPage> =
            serde_json::from_str(kept.reply.as_deref().unwrap_or("[]")).map_err(unreadable)?;
        pages.into_iter().map(KeptPage::page).collect::<Result<_>>().map(Found::Done)
    }

    /// Keeps the reply, within the transaction of the write.
    pub(super) async fn keep(&self, transaction: &mut OpenTransaction, pages: &[Page]) -> Result<()> {
        let kept: Vec<KeptPage> = pages.iter().map(KeptPage::of).collect();
        let reply = serde_json::to_string(&kept).map_err(unreadable)?;
        let values = json!({ "reply": reply }).to_string();
        let query = Query { filter: Some(self.filter()), ..Query::all() };
        transaction.step(&Context::system(), &Update::new(replies(), values, query).into()).await.map(drop)
    }

    fn filter(&self) -> Filter {
        Filter::eq("id", &self.id)
    }
}

/// Forgets the replies whose time is over.
pub(super) fn forget() -> Step {
    let over = Filter::Compare(Comparison {
        field: Field::column("made_at"),
        operator: Operator::Lt,
        quantifier: None,
        operand: Operand::Text(oldest().to_string()),
    });
    Delete::new(replies(), Query { filter: Some(over), ..Query::all() }).into()
}

fn replies() -> TableName {
    TableName::new("truststream_requests", "replies")
}

fn rows(page: Option<Page>) -> u64 {
    page.map_or(0, |page| page.rows)
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn oldest() -> i64 {
    now().saturating_sub_unsigned(WINDOW.as_secs())
}

fn digest(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn reused() -> Error {
    let message = "this idempotency key was used for another request";
    Error::new(ErrorKind::InvalidInput, "BACKEND_017", message)
        .with_hint("use a new key for each request, and the same key only to repeat it")
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("a kept reply can't be read").with_source(error)
}

#[derive(Deserialize)]
struct Kept {
    request: String,
    reply: Option<String>,
    made_at: i64,
}

/// A page as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptPage {
    body: Json,
    rows: u64,
    total: Option<u64>,
    inserted: Option<u64>,
    location: Vec<(String, Option<String>)>,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    media_type: Option<String>,
    version: Option<String>,
}

impl KeptPage {
    fn of(page: &Page) -> Self {
        let page = page.clone();
        let body = match std::str::from_utf8(&page.body) {
            Ok(text) => Json::from(text),
            Err(_) => json!({ "base64": STANDARD.encode(&page.body) }),
        };
        let Page { rows, total, inserted, location, status, headers, media_type, version, .. } = page;
        KeptPage { body, rows, total, inserted, location, status, headers, media_type, version }
    }

    fn page(self) -> Result<Page> {
        let body = match &self.body {
            Json::String(text) => text.clone().into(),
            other => STANDARD
                .decode(other["base64"].as_str().unwrap_or_default())
                .map_err(|error| Error::internal("a kept reply can't be read").with_source(error))?
                .into(),
        };
        let KeptPage { rows, total, inserted, location, status, headers, media_type, version, .. } = self;
        Ok(Page {
            body,
            rows,
            total,
            inserted,
            location,
            status,
            headers,
            media_type,
            version,
            ..Page::default()
        })
    }
}
