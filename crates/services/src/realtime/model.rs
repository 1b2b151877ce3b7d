//! What subscribers ask for and receive.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use truststream_kernel::{Row, Type};

use crate::database::{ChangeKind, TableName};

/// Which changes of rows a subscriber wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Only this kind; all if absent.
    pub kind: Option<ChangeKind>,
    /// Schema.
    pub schema: String,
    /// Table; all of the schema if absent.
    pub table: Option<String>,
    /// Only rows whose column compares so, such as `id=eq.7` or `status=in.(a,b)`.
    pub filter: Option<String>,
}

/// What a subscriber receives.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message of another subscriber, or of the application.
    Broadcast(Message),
    /// A row changed.
    Change(RowChange),
    /// Something was missed: the subscriber was too slow, or the feed could not be followed. It is
    /// the last event of its subscription.
    Gap(String),
}

/// A message to all subscribers of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its event name.
    pub event: String,
    /// Its payload.
    pub payload: Payload,
}

/// The payload of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// JSON text.
    Json(String),
    /// Any bytes.
    Binary(Bytes),
}

/// A changed row as its subscriber may see it.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// Positions, in the subscriber's list of filters, of those that it matches.
    pub matches: Vec<usize>,
    /// The table.
    pub table: TableName,
    /// What happened.
    pub kind: ChangeKind,
    /// Columns with their types, in order.
    pub columns: std::sync::Arc<[(String, Type, String)]>,
    /// The row after (insert, update).
    pub new: Option<Row>,
    /// The key of the row before (update, delete).
    pub old: Option<Row>,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub made_at: i64,
}

/// The events of one subscription, until it is dropped or ends with [`Event::Gap`].
pub struct Subscription {
    /// Number of the subscription; a publisher that is also a subscriber names it to be passed over.
    pub id: u64,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Subscription {
    /// A subscription whose events come from a stream; dropping it ends the subscription.
    pub fn new(id: u64, events: impl Stream<Item = Event> + Send + 'static) -> Self {
        Subscription { id, events: Box::pin(events) }
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({})", self.id)
    }
}
