//! One socket: what its client says, and what it is told.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::ws::{Message as Frame, WebSocket};
use futures::{SinkExt, StreamExt};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use truststream_kernel::{Context, Error, Result};
use truststream_services::realtime::{Message, Payload, Publish, Realtime};

use super::channel::{Channel, Join, Wishes};
use super::frame::{Body, Incoming, Version, decode, message, reply};
use crate::GatewayState;

/// Frames that wait to be written; a client that reads slower holds its own events back.
const QUEUE: usize = 256;
/// Topics one socket may join.
const TOPICS: usize = 100;
/// A client that says nothing for so long (not even a heartbeat) is gone.
const SILENCE: Duration = Duration::from_secs(90);

/// Serves a socket until its client leaves.
pub(super) async fn run(state: GatewayState, socket: WebSocket, version: Version, cx: Context) {
    let (mut sink, mut stream) = socket.split();
    let (out, mut frames) = mpsc::channel::<Frame>(QUEUE);
    let writing = tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if sink.send(frame).await.is_err() {
                break;
            }
        }
        // The client may be gone already.
        let _ = sink.close().await;
    });
    let mut session = Session { state, version, cx, out, channels: HashMap::new(), last_id: 0 };
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, stream.next()).await {
        if matches!(frame, Frame::Close(_)) {
            break;
        }
        if let Some(incoming) = decode(version, &frame)
            && session.handle(incoming).await.is_err()
        {
            break;
        }
    }
    drop(session);
    writing.abort();
}

/// The client is gone.
struct Gone;

struct Session {
    state: GatewayState,
    version: Version,
    cx: Context,
    out: mpsc::Sender<Frame>,
    channels: HashMap<String, Channel>,
    last_id: u64,
}

impl Session {
    async fn handle(&mut self, incoming: Incoming) -> Result<(), Gone> {
        match incoming.event.as_str() {
            "heartbeat" => self.answer(&incoming, true, &json!({})).await,
            "phx_join" => self.join(incoming).await,
            "phx_leave" => {
                self.channels.remove(&incoming.topic);
                self.answer(&incoming, true, &json!({})).await?;
                let payload = json!({});
                self.tell(&incoming.topic, "phx_close", &payload, incoming.join_reference.as_deref()).await
            }
            "broadcast" => self.broadcast(incoming).await,
            "access_token" => self.reauthorize(incoming).await,
            // Presence comes later; clients that track are not refused.
            "presence" => self.answer(&incoming, true, &json!({})).await,
            _ => self.answer(&incoming, false, &json!({ "reason": "unmatched event" })).await,
        }
    }

    async fn join(&mut self, incoming: Incoming) -> Result<(), Gone> {
        let name = match incoming.topic.strip_prefix("realtime:") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => return self.answer(&incoming, false, &json!({ "reason": "unmatched topic" })).await,
        };
        match self.try_join(&incoming).await {
            Ok(wishes) => {
                self.answer(&incoming, true, &json!({ "postgres_changes": wishes.answered })).await?;
                let join_reference = incoming.join_reference.clone().or(incoming.reference.clone());
                let join_reference = join_reference.as_deref();
                self.tell(&incoming.topic, "presence_state", &json!({}), join_reference).await?;
                if wishes.is_empty() {
                    return Ok(());
                }
                let system = json!({
                    "channel": name,
                    "extension": "postgres_changes",
                    "status": "ok",
                    "message": "Subscribed to PostgreSQL",
                });
                self.tell(&incoming.topic, "system", &system, join_reference).await
            }
            Err(error) => self.answer(&incoming, false, &json!({ "reason": error.message() })).await,
        }
    }

    async fn try_join(&mut self, incoming: &Incoming) -> Result<Wishes> {
        let Body::Json(payload) = &incoming.payload else {
            return Err(Error::invalid_input("a join needs a JSON payload"));
        };
        let join = if payload.is_null() { Join::default() } else { read(payload)? };
        if join.config.private {
            return Err(Error::permission_denied(
                "Unauthorized: You do not have permissions to read from this Channel topic",
            ));
        }
        if self.channels.len() >= TOPICS && !self.channels.contains_key(&incoming.topic) {
            return Err(Error::invalid_input(format!("Too many channels; at most {TOPICS} can be joined")));
        }
        let realtime = self.realtime(self.caller(join.access_token.as_deref()).await?);
        let wishes = Wishes::read(&join.config.postgres_changes, &mut self.last_id)?;
        let join_reference = incoming.join_reference.clone().or(incoming.reference.clone());
        // Joining again replaces the channel.
        self.channels.remove(&incoming.topic);
        let channel = Channel::join(
            &realtime,
            self.version,
            &incoming.topic,
            join_reference,
            join.config.broadcast,
            &wishes,
            self.out.clone(),
        )
        .await?;
        self.channels.insert(incoming.topic.clone(), channel);
        Ok(wishes)
    }

    /// Whose rights a channel has: its own token's, or the socket's.
    async fn caller(&self, token: Option<&str>) -> Result<Context> {
        match token.filter(|token| !token.is_empty()) {
            None => Ok(self.cx.clone()),
            Some(key) => match self.state.identities.of_key(key) {
                None => Ok(self.cx.clone()),
                Some(token) => self.state.identities.of_token(&token).await,
            },
        }
    }

    fn realtime(&self, cx: Context) -> Realtime {
        self.state.services.realtime.with(cx)
    }

    async fn broadcast(&mut self, incoming: Incoming) -> Result<(), Gone> {
        let Some(channel) = self.channels.get(&incoming.topic) else { return Ok(()) };
        let (event, payload) = match &incoming.payload {
            Body::Broadcast { event, payload } => (event.clone(), payload.clone()),
            Body::Json(body) => {
                let event = body.get("event").and_then(Json::as_str).unwrap_or_default().to_owned();
                (event, Payload::Json(body.get("payload").unwrap_or(&Json::Null).to_string()))
            }
        };
        let topic = incoming.topic.strip_prefix("realtime:").unwrap_or(&incoming.topic).to_owned();
        let except = (!channel.broadcast.own).then_some(channel.subscription);
        let acknowledges = channel.broadcast.ack;
        let publish = Publish { topic, message: Message { event, payload }, except };
        let sent = self.realtime(self.cx.clone()).send(publish).await;
        if acknowledges {
            return self.answer(&incoming, sent.is_ok(), &json!({})).await;
        }
        Ok(())
    }

    async fn reauthorize(&mut self, incoming: Incoming) -> Result<(), Gone> {
        let token = match &incoming.payload {
            Body::Json(payload) => payload.get("access_token").and_then(Json::as_str),
            Body::Broadcast { .. } => None,
        };
        let cx = match self.caller(token).await {
            Ok(cx) => cx,
            Err(error) => return self.refuse(&incoming.topic, error.message()).await,
        };
        let realtime = self.realtime(cx);
        let Some(channel) = self.channels.get(&incoming.topic) else { return Ok(()) };
        match channel.reauthorize(&realtime).await {
            Ok(()) => Ok(()),
            Err(error) => self.refuse(&incoming.topic, error.message()).await,
        }
    }

    /// Closes a channel whose token does not hold.
    async fn refuse(&mut self, topic: &str, reason: &str) -> Result<(), Gone> {
        let channel = self.channels.remove(topic);
        let join_reference = channel.as_ref().and_then(|channel| channel.join_reference.as_deref());
        let name = topic.strip_prefix("realtime:").unwrap_or(topic);
        let system = json!({ "channel": name, "extension": "system", "status": "error", "message": reason });
        self.tell(topic, "system", &system, join_reference).await?;
        self.tell(topic, "phx_close", &json!({}), join_reference).await
    }

    async fn answer(&self, incoming: &Incoming, ok: bool, response: &Json) -> Result<(), Gone> {
        if incoming.reference.is_none() {
            return Ok(());
        }
        self.out.send(reply(self.version, incoming, ok, response)).await.map_err(|_| Gone)
    }

    async fn tell(
        &self,
        topic: &str,
        event: &str,
        payload: &Json,
        join_reference: Option<&str>,
    ) -> Result<(), Gone> {
        let frame = message(self.version, topic, event, payload, join_reference);
        self.out.send(frame).await.map_err(|_| Gone)
    }
}

fn read(payload: &Json) -> Result<Join> {
    serde_json::from_value(payload.clone())
        .map_err(|error| Error::invalid_input(format!("invalid join: {error}")))
}
