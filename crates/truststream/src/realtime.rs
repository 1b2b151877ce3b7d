//! Changes of rows as they are committed, and messages between subscribers.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use futures::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use truststream_kernel::value::Type;
use truststream_kernel::{Error, ErrorKind, Result, Row};
use truststream_services::realtime as ops;
use truststream_services::realtime::{Event, RowChange, Subscription};

use crate::decode::decode;

pub use truststream_services::database::ChangeKind;
pub use truststream_services::realtime::{ChangeFilter, Message, Payload};

/// Changes and messages, for one caller.
///
/// ```no_run
/// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
/// use futures::StreamExt;
/// # #[derive(serde::Deserialize)] struct Track { title: String }
///
/// let mut changes = db.realtime().changes::<Track>("tracks", None).await?;
/// while let Some(change) = changes.next().await {
///     if let Some(track) = change?.new {
///         println!("{}", track.title);
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Realtime {
    realtime: ops::Realtime,
    schema: Arc<str>,
}

impl Realtime {
    pub(crate) fn new(realtime: ops::Realtime, schema: Arc<str>) -> Self {
        Realtime { realtime, schema }
    }

    /// The changes of a table's rows that commit from now on and that the caller may see; only of
    /// rows that meet a condition such as `artist_id=eq.7`, if one is given.
    ///
    /// # Errors
    /// When the table is not there or the condition can't be read.
    pub async fn changes<T: DeserializeOwned>(
        &self,
        table: &str,
        filter: Option<&str>,
    ) -> Result<Changes<T>> {
        let wish = ChangeFilter {
            kind: None,
            schema: self.schema.to_string(),
            table: Some(table.to_owned()),
            filter: filter.map(str::to_owned),
        };
        // The topic is nobody's: changes are delivered by their filter, messages by their topic.
        let topic = format!("changes:{}.{table}", self.schema);
        let subscribe = ops::Subscribe { topic, changes: vec![wish] };
        Ok(Changes { events: self.realtime.send(subscribe).await?, rows: PhantomData })
    }

    /// The messages that are sent to a topic from now on.
    ///
    /// # Errors
    /// When the caller may not listen.
    pub async fn messages(&self, topic: &str) -> Result<Messages> {
        let subscribe = ops::Subscribe { topic: topic.to_owned(), changes: Vec::new() };
        Ok(Messages { events: self.realtime.send(subscribe).await? })
    }

    /// Sends a message to all subscribers of a topic, here and behind the gateway.
    ///
    /// # Errors
    /// When the payload can't be written as JSON, or the caller may not send.
    pub async fn send(&self, topic: &str, event: &str, payload: &(impl Serialize + ?Sized)) -> Result<()> {
        let json = serde_json::to_string(payload).map_err(|error| {
            Error::invalid_input(format!("the message can't be written as JSON: {error}")).with_source(error)
        })?;
        let message = Message { event: event.to_owned(), payload: Payload::Json(json) };
        self.realtime.send(ops::Publish { topic: topic.to_owned(), message, except: None }).await
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<T> {
    /// What happened.
    pub kind: ChangeKind,
    /// The row as it is now; `None` when it was deleted.
    pub new: Option<T>,
    /// The key of the row before an update or delete, as a JSON object.
    pub old: Option<serde_json::Value>,
    /// When it was committed: microseconds since 1970-01-01 UTC.
    pub made_at: i64,
}

/// Changes of a table's rows. Ends with an error of kind `Unavailable` when some were missed.
pub struct Changes<T> {
    events: Subscription,
    rows: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream for Changes<T> {
    type Item = Result<Change<T>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.events).poll_next(task)) {
                None => return Poll::Ready(None),
                Some(Event::Broadcast(_)) => {}
                Some(Event::Change(change)) => return Poll::Ready(Some(typed(&change))),
                Some(Event::Gap(reason)) => return Poll::Ready(Some(Err(missed(reason)))),
            }
        }
    }
}

/// Messages of a topic. Ends with an error of kind `Unavailable` when some were missed.
pub struct Messages {
    events: Subscription,
}

impl Stream for Messages {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.events).poll_next(task)) {
                None => return Poll::Ready(None),
                Some(Event::Change(_)) => {}
                Some(Event::Broadcast(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Event::Gap(reason)) => return Poll::Ready(Some(Err(missed(reason)))),
            }
        }
    }
}

fn typed<T: DeserializeOwned>(change: &RowChange) -> Result<Change<T>> {
    let new = change.new.as_ref().filter(|_| change.kind != ChangeKind::Delete);
    Ok(Change {
        kind: change.kind,
        new: new.map(|row| decode(json(row, change).as_bytes())).transpose()?,
        old: change.old.as_ref().map(|row| decode(json(row, change).as_bytes())).transpose()?,
        made_at: change.made_at,
    })
}

/// A row as the JSON that a read would return.
fn json(row: &Row, change: &RowChange) -> String {
    let mut text = String::from("{");
    for (name, value) in row.columns.iter().zip(&row.values) {
        let column = change.columns.iter().find(|(column, ..)| column == name);
        let ty = column.map_or(&Type::Text, |(_, ty, _)| ty);
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(&value.to_json_as(ty));
    }
    text.push('}');
    text
}

fn missed(reason: String) -> Error {
    Error::new(ErrorKind::Unavailable, "BACKEND_010", reason)
        .with_hint("read the rows again, then subscribe anew")
}
