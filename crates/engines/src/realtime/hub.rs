//! The engine as a driver of the Realtime service.

use std::sync::Arc;

use futures::StreamExt;
use truststream_kernel::{Context, Error, ErrorKind, FeatureSet, Features, Result};
use truststream_services::database::{Database, Describe};
use truststream_services::realtime::{
    ChangeFilter, Event, Publish, RealtimeDriver, RealtimeFeature, Reauthorize, Subscribe, Subscription,
};

use super::filter::RowFilter;
use super::reader::{Reader, table_of};
use super::topics::{Topics, Wanted};

/// Native realtime on a database's change feed.
pub struct RealtimeEngine {
    topics: Arc<Topics>,
    reader: Arc<Reader>,
}

impl RealtimeEngine {
    /// An engine; `database` is the one that serves, above every policy.
    pub fn new(database: Database) -> Self {
        let topics = Arc::new(Topics::default());
        let reader = Arc::new(Reader::new(database, Arc::clone(&topics)));
        RealtimeEngine { topics, reader }
    }

    /// Ends all subscriptions, and waits until nothing holds the database for them.
    pub async fn close(&self) {
        self.reader.close().await;
        self.topics.clear();
    }

    async fn resolve(&self, changes: &[ChangeFilter]) -> Result<Vec<Wanted>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let catalog = self.reader.database.send(Describe::default()).await?;
        let resolve = |filter: &ChangeFilter| {
            let table = match &filter.table {
                None => None,
                Some(name) => Some(table_of(&catalog, &filter.schema, name).ok_or_else(|| {
                    Error::invalid_input(format!("there is no table {}.{name}", filter.schema))
                })?),
            };
            let rows = match (&filter.filter, table) {
                (None, _) => None,
                (Some(_), None) => return Err(Error::invalid_input("a filter needs a table")),
                (Some(text), Some(table)) => Some(RowFilter::parse(text, table)?),
            };
            Ok(Wanted { filter: filter.clone(), rows })
        };
        changes.iter().map(resolve).collect()
    }
}

impl RealtimeDriver for RealtimeEngine {
    fn features(&self) -> Features {
        let all = [RealtimeFeature::Broadcast, RealtimeFeature::Changes];
        Features { native: FeatureSet::of(&all), emulated: FeatureSet::EMPTY }
    }

    async fn subscribe(&self, cx: &Context, op: &Subscribe) -> Result<Subscription> {
        let wanted = self.resolve(&op.changes).await?;
        let follows = !wanted.is_empty();
        let since = if follows { Some(self.reader.present().await?) } else { None };
        let (id, events) = self.topics.add(cx.clone(), &op.topic, wanted, since);
        let gone = Gone { id, topics: Arc::clone(&self.topics) };
        if follows {
            self.reader.follow().await?;
        }
        let events = futures::stream::unfold((events, gone), |(mut events, gone)| async move {
            let event: Event = events.recv().await?;
            Some((event, (events, gone)))
        });
        Ok(Subscription::new(id, events.boxed()))
    }

    async fn reauthorize(&self, cx: &Context, op: &Reauthorize) -> Result<()> {
        if self.topics.reauthorize(op.subscription, cx.clone()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, "42704", "there is no such subscription"))
    }

    async fn publish(&self, _cx: &Context, op: &Publish) -> Result<()> {
        self.topics.publish(&op.topic, &Event::Broadcast(op.message.clone()), op.except);
        Ok(())
    }
}

impl Drop for RealtimeEngine {
    fn drop(&mut self) {
        self.reader.stop();
    }
}

/// Ends a subscription when its stream is dropped.
struct Gone {
    id: u64,
    topics: Arc<Topics>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.topics.remove(self.id);
    }
}
