//! A subscriber to new notes, over the Phoenix protocol, version 2.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::Log;
use crate::api::Api;
use crate::history::{Event, Subscription};

const TOPIC: &str = "realtime:notes";
/// After the clients have stopped, so long without an event is the end. A gateway whose network was cut
/// hears of the last ones when it has given up the connections on which answers were lost.
const QUIET: Duration = Duration::from_secs(4);
/// The same if an event is still due: on a busy machine it may take that long.
const DUE: Duration = Duration::from_secs(30);

/// Follows until the clients have stopped; says `ready` at the first subscription. A connection that
/// breaks is made again, as the official clients do.
pub(super) async fn follow(api: Api, log: Arc<Log>, ready: oneshot::Sender<()>) -> Subscription {
    let mut subscription = Subscription::default();
    let mut ready = Some(ready);
    while !log.is_over() {
        if connect(&api, &log, &mut subscription, &mut ready).await.is_err() {
            subscription.broken = true;
            sleep(Duration::from_millis(100)).await;
        }
    }
    subscription
}

async fn connect(
    api: &Api,
    log: &Log,
    subscription: &mut Subscription,
    ready: &mut Option<oneshot::Sender<()>>,
) -> Result<()> {
    let (mut socket, _) = tokio_tungstenite::connect_async(api.socket()).await?;
    let wish = json!({ "event": "INSERT", "schema": "public", "table": "notes" });
    let join = json!({ "config": { "postgres_changes": [wish] }, "access_token": api.key() });
    socket.send(text(&json!(["1", "1", TOPIC, "phx_join", join]))).await?;
    let mut beat = Instant::now();
    let mut heard = Instant::now();
    let mut over = None;
    loop {
        let since = if log.is_over() { *over.get_or_insert_with(Instant::now) } else { Instant::now() };
        let quiet = since.max(heard).elapsed();
        if quiet > DUE || quiet > QUIET && log.is_told(subscription) {
            return Ok(());
        }
        if beat.elapsed() > Duration::from_secs(10) {
            socket.send(text(&json!([null, "2", "phoenix", "heartbeat", {}]))).await?;
            beat = Instant::now();
        }
        let message = match timeout(Duration::from_millis(200), socket.next()).await {
            Err(_) => continue,
            Ok(None) => bail!("the connection was closed"),
            Ok(Some(message)) => message?,
        };
        let Message::Text(message) = message else { continue };
        let message: Json = serde_json::from_str(&message)?;
        let payload = &message[4];
        match message[3].as_str() {
            // Changes are followed from here on, not from the reply to the join on.
            Some("system") if payload["status"] == "ok" => {
                if let Some(ready) = ready.take() {
                    subscription.since = log.began.elapsed();
                    let _ = ready.send(());
                }
            }
            Some("postgres_changes") => {
                heard = Instant::now();
                let row = &payload["data"]["record"];
                subscription.events.push(Event {
                    id: row["id"].as_str().unwrap_or_default().to_owned(),
                    client: row["client"].as_i64().unwrap_or_default(),
                    number: row["number"].as_i64().unwrap_or_default(),
                });
            }
            Some("phx_close" | "phx_error") => bail!("the channel was closed"),
            _ => {}
        }
    }
}

fn text(message: &Json) -> Message {
    Message::text(message.to_string())
}
