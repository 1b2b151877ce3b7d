//! One joined topic of one socket.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::Message as Frame;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use truststream_kernel::{Context, Error, Result};
use truststream_services::database::ChangeKind;
use truststream_services::realtime::{ChangeFilter, Event, Realtime, Reauthorize, Subscribe, Subscription};

use super::frame::{Version, broadcast, message};
use super::rows;

/// What a client asks for when it joins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Join {
    pub(super) config: Config,
    pub(super) access_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) broadcast: Broadcast,
    pub(super) postgres_changes: Vec<Json>,
    pub(super) private: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Broadcast {
    /// The sender gets its own messages too.
    #[serde(rename = "self")]
    pub(super) own: bool,
    /// Messages are acknowledged.
    pub(super) ack: bool,
}

/// A topic that a socket has joined; dropping it leaves.
pub(super) struct Channel {
    pub(super) subscription: u64,
    pub(super) broadcast: Broadcast,
    pub(super) join_reference: Option<String>,
    expires: watch::Sender<Option<u64>>,
    forwarding: AbortHandle,
}

/// The wishes of a join with their ids, and the filters they mean.
pub(super) struct Wishes {
    pub(super) answered: Vec<Json>,
    ids: Vec<u64>,
    filters: Vec<ChangeFilter>,
}

impl Wishes {
    /// Gives each wish an id; `next` counts them for the whole socket.
    pub(super) fn read(wishes: &[Json], next: &mut u64) -> Result<Self> {
        let mut read = Wishes { answered: Vec::new(), ids: Vec::new(), filters: Vec::new() };
        for wish in wishes {
            *next += 1;
            let mut answered = wish.clone();
            if let Some(members) = answered.as_object_mut() {
                members.insert("id".to_owned(), json!(*next));
            }
            read.answered.push(answered);
            read.ids.push(*next);
            read.filters.push(filter(wish)?);
        }
        Ok(read)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

fn filter(wish: &Json) -> Result<ChangeFilter> {
    let text = |name: &str| wish.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let kind = match text("event").unwrap_or("*") {
        "*" => None,
        "INSERT" => Some(ChangeKind::Insert),
        "UPDATE" => Some(ChangeKind::Update),
        "DELETE" => Some(ChangeKind::Delete),
        other => return Err(Error::invalid_input(format!("unknown event `{other}`"))),
    };
    Ok(ChangeFilter {
        kind,
        schema: text("schema").unwrap_or("public").to_owned(),
        table: text("table").filter(|table| *table != "*").map(str::to_owned),
        filter: text("filter").map(str::to_owned),
    })
}

impl Channel {
    /// Subscribes and passes events on to the socket.
    pub(super) async fn join(
        realtime: &Realtime,
        version: Version,
        topic: &str,
        join_reference: Option<String>,
        broadcast: Broadcast,
        wishes: &Wishes,
        out: mpsc::Sender<Frame>,
    ) -> Result<Self> {
        let name = topic.strip_prefix("realtime:").unwrap_or(topic).to_owned();
        let subscribe = Subscribe { topic: name, changes: wishes.filters.clone() };
        let subscription = realtime.send(subscribe).await?;
        let id = subscription.id;
        let (expires, expiry) = watch::channel(expiry_of(realtime.context()));
        let forward = Forward {
            version,
            topic: topic.to_owned(),
            join_reference: join_reference.clone(),
            ids: wishes.ids.clone(),
            out,
        };
        let forwarding = tokio::spawn(forward.run(subscription, expiry)).abort_handle();
        Ok(Channel { subscription: id, broadcast, join_reference, expires, forwarding })
    }

    /// Gives the channel the rights of another token.
    pub(super) async fn reauthorize(&self, realtime: &Realtime) -> Result<()> {
        realtime.send(Reauthorize { subscription: self.subscription }).await?;
        self.expires.send_replace(expiry_of(realtime.context()));
        Ok(())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

/// When the token behind a context expires, in seconds since 1970.
fn expiry_of(cx: &Context) -> Option<u64> {
    cx.identity()?.claims.get("exp")?.as_u64()
}

/// Passes the events of a subscription on to a socket.
struct Forward {
    version: Version,
    topic: String,
    join_reference: Option<String>,
    ids: Vec<u64>,
    out: mpsc::Sender<Frame>,
}

impl Forward {
    async fn run(self, mut events: Subscription, mut expiry: watch::Receiver<Option<u64>>) {
        loop {
            let deadline = *expiry.borrow_and_update();
            let frame = tokio::select! {
                event = events.next() => match event {
                    Some(Event::Gap(reason)) => return self.close(&reason).await,
                    Some(event) => self.frame(event),
                    None => return self.close("the subscription ended").await,
                },
                () = expired(deadline) => return self.close("the access token has expired").await,
                changed = expiry.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => return,
                },
            };
            if let Some(frame) = frame
                && self.out.send(frame).await.is_err()
            {
                return;
            }
        }
    }

    fn frame(&self, event: Event) -> Option<Frame> {
        match event {
            Event::Broadcast(sent) => broadcast(self.version, &self.topic, &sent.event, &sent.payload),
            Event::Change(change) => {
                let ids: Vec<u64> =
                    change.matches.iter().filter_map(|index| self.ids.get(*index).copied()).collect();
                let payload = rows::payload(&change, &ids);
                Some(message(self.version, &self.topic, "postgres_changes", &payload, None))
            }
            Event::Gap(_) => None,
        }
    }

    /// Tells why nothing more will come, and closes the channel; clients join anew then.
    async fn close(&self, reason: &str) {
        let name = self.topic.strip_prefix("realtime:").unwrap_or(&self.topic);
        let system = json!({ "channel": name, "extension": "system", "status": "error", "message": reason });
        let join_reference = self.join_reference.as_deref();
        for (event, payload) in [("system", &system), ("phx_close", &json!({}))] {
            // A socket that is gone needs no telling.
            let _ = self.out.send(message(self.version, &self.topic, event, payload, join_reference)).await;
        }
    }
}

async fn expired(at: Option<u64>) {
    let Some(at) = at else { return std::future::pending().await };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Timers can't be set arbitrarily far ahead; a day later the loop comes by again.
    let wait = Duration::from_secs(at.saturating_sub(now).min(86_400));
    tokio::time::sleep(wait).await;
    if at > now + 86_400 {
        std::future::pending::<()>().await;
    }
}
