//! Change streams of the server, kept open between two reads of the feed, so that who goes on from
//! where it stopped costs no new cursor.
//!
//! A stream is driven by hand, because how long the server waits for more differs from reply to
//! reply: long while there is nothing, not at all once there is something to hand on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, Timestamp, doc};
use mongodb::change_stream::event::ChangeStreamEvent;
use mongodb::{ClientSession, Database};
use parking_lot::Mutex;
use truststream_kernel::{Error, Result};
use truststream_services::database::Position;

use crate::driver::Shared;
use crate::error::convert;
use crate::names::MARKS;
use crate::storage::integer;

/// An event of a stream.
pub(crate) type Event = ChangeStreamEvent<Document>;

/// Streams kept at most: realtime has one, a switch up to two.
const MOST: usize = 8;
/// The server forgets cursors that rest for ten minutes.
const LONGEST: Duration = Duration::from_secs(300);
/// Where the server keeps the cursors of streams of a whole database.
const PLACE: &str = "$cmd.aggregate";

/// A stream that is open.
pub(crate) struct Stream {
    database: Database,
    /// The server takes a cursor's requests from the session it was opened in only.
    session: ClientSession,
    cursor: i64,
    events: VecDeque<Event>,
    collections: Vec<String>,
    /// The latest moment of which an event has come.
    reached: Option<Timestamp>,
}

impl Stream {
    /// Opens a stream of what happens to collections from a moment on.
    pub(crate) async fn open(shared: &Shared, from: Timestamp, collections: Vec<String>) -> Result<Self> {
        let pipeline = vec![
            doc! { "$changeStream": {
                "startAtOperationTime": from,
                "fullDocument": "whenAvailable",
                "fullDocumentBeforeChange": "whenAvailable",
            } },
            doc! { "$match": {
                "ns.coll": { "$in": &collections },
                "operationType": { "$in": ["insert", "update", "replace", "delete"] },
            } },
        ];
        let command = doc! { "aggregate": 1, "pipeline": pipeline, "cursor": {} };
        let mut session = shared.client.start_session().await.map_err(convert)?;
        let database = shared.database.clone();
        let reply = database.run_command(command).session(&mut session).await.map_err(convert)?;
        let cursor = cursor_of(&reply)?;
        let id = cursor.get("id").and_then(integer).unwrap_or(0);
        let events = VecDeque::new();
        let mut stream = Stream { database, session, cursor: id, events, collections, reached: None };
        stream.take(cursor, "firstBatch")?;
        Ok(stream)
    }

    /// The next event; none if the server sent none for so long. That says nothing of the end: a server
    /// sends none as well while it looks through what the stream is not about, or waits for another one.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<Event>> {
        if self.events.is_empty() {
            let patience = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX).max(1);
            let more = doc! { "getMore": self.cursor, "collection": PLACE, "maxTimeMS": patience };
            let reply = self.database.run_command(more).session(&mut self.session).await.map_err(convert)?;
            self.take(cursor_of(&reply)?, "nextBatch")?;
        }
        Ok(self.events.pop_front())
    }

    /// Puts an event back that belongs to what is read next.
    pub(crate) fn put_back(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// Whether the server, which tells events in their order, has told one of a moment or a later one.
    pub(crate) fn has_reached(&self, moment: Timestamp) -> bool {
        self.events.is_empty() && self.reached.is_some_and(|reached| reached >= moment)
    }

    /// Makes an event that comes behind all that was written before.
    pub(crate) async fn mark(&self) -> Result<()> {
        let marks = self.database.collection::<Document>(MARKS);
        let marked = marks.update_one(doc! { "_id": "end" }, doc! { "$inc": { "n": 1_i64 } }).upsert(true);
        match marked.await {
            Ok(_) => Ok(()),
            // Another reader made the first one at once; who looks for its end looks again.
            Err(error) if crate::error::code(&error) == Some(crate::error::DUPLICATE_KEY) => Ok(()),
            Err(error) => Err(convert(error)),
        }
    }

    fn take(&mut self, cursor: &Document, name: &str) -> Result<()> {
        let found = cursor.get_array(name).map(Vec::as_slice).unwrap_or_default();
        for event in found.iter().filter_map(Bson::as_document) {
            let event = mongodb::bson::deserialize_from_document(event.clone());
            let unreadable = |error| Error::internal("a change of the feed can't be read").with_source(error);
            let event: Event = event.map_err(unreadable)?;
            self.reached = self.reached.max(event.cluster_time);
            self.events.push_back(event);
        }
        Ok(())
    }
}

fn cursor_of(reply: &Document) -> Result<&Document> {
    let missing = |error| Error::internal("the database opened no stream of changes").with_source(error);
    reply.get_document("cursor").map_err(missing)
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("collections", &self.collections).finish_non_exhaustive()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let database = self.database.clone();
        let kill = doc! { "killCursors": PLACE, "cursors": [self.cursor] };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // One that stays is forgotten by the server in time.
            runtime.spawn(async move { database.run_command(kill).await.map(drop) });
        }
    }
}

/// Streams by the position that they stand behind.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Vec<(Position, Instant, Stream)>>);

impl Streams {
    /// The stream that goes on right behind a position; it is the caller's alone from now on.
    pub(crate) fn take(&self, after: &Position, collections: &[String]) -> Option<Stream> {
        let mut streams = self.0.lock();
        streams.retain(|(_, since, _)| since.elapsed() < LONGEST);
        let fits =
            |(at, _, stream): &(Position, Instant, Stream)| at == after && stream.collections == collections;
        let at = streams.iter().position(fits)?;
        Some(streams.swap_remove(at).2)
    }

    /// Keeps a stream for whoever goes on from a position; the one that rested longest goes.
    pub(crate) fn keep(&self, at: Position, stream: Stream) {
        let mut streams = self.0.lock();
        if streams.len() >= MOST
            && let Some(oldest) = (0..streams.len()).min_by_key(|at| streams[*at].1)
        {
            streams.swap_remove(oldest);
        }
        streams.push((at, Instant::now(), stream));
    }
}
