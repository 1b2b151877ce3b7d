//! Subscribers and their queues.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use truststream_kernel::Context;
use truststream_services::database::Position;
use truststream_services::realtime::{ChangeFilter, Event};

use super::filter::RowFilter;

/// Events that wait for one subscriber; one that falls further behind is cut off with a gap.
const QUEUE: usize = 1024;

/// A change filter that was resolved against the catalog.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) filter: ChangeFilter,
    pub(super) rows: Option<RowFilter>,
}

/// One subscriber.
pub(super) struct Subscriber {
    pub(super) cx: Context,
    pub(super) wanted: Vec<Wanted>,
    /// What is not after it was there before the subscription.
    pub(super) since: Option<Position>,
    topic: String,
    queue: mpsc::Sender<Event>,
}

/// All subscribers.
#[derive(Default)]
pub(super) struct Topics {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    subscribers: BTreeMap<u64, Subscriber>,
    by_topic: HashMap<String, Vec<u64>>,
}

impl Topics {
    /// Adds a subscriber; its events come out of the receiver.
    pub(super) fn add(
        &self,
        cx: Context,
        topic: &str,
        wanted: Vec<Wanted>,
        since: Option<Position>,
    ) -> (u64, mpsc::Receiver<Event>) {
        // One place more than is ever filled by events: the gap itself.
        let (queue, events) = mpsc::channel(QUEUE + 1);
        let mut state = self.state.lock();
        state.last += 1;
        let id = state.last;
        state.subscribers.insert(id, Subscriber { cx, wanted, since, topic: topic.to_owned(), queue });
        state.by_topic.entry(topic.to_owned()).or_default().push(id);
        (id, events)
    }

    /// Removes a subscriber.
    pub(super) fn remove(&self, id: u64) {
        self.state.lock().remove(id);
    }

    /// Removes all subscribers: what was sent to them before still comes.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.subscribers.clear();
        state.by_topic.clear();
    }

    /// Gives a subscriber other rights; false if it is gone.
    pub(super) fn reauthorize(&self, id: u64, cx: Context) -> bool {
        let mut state = self.state.lock();
        state.subscribers.get_mut(&id).map(|subscriber| subscriber.cx = cx).is_some()
    }

    /// Puts an event into the queue of each subscriber of a topic.
    pub(super) fn publish(&self, topic: &str, event: &Event, except: Option<u64>) {
        let mut state = self.state.lock();
        let ids = state.by_topic.get(topic).cloned().unwrap_or_default();
        for id in ids.into_iter().filter(|id| Some(*id) != except) {
            state.send(id, event.clone());
        }
    }

    /// Puts an event into one subscriber's queue.
    pub(super) fn send(&self, id: u64, event: Event) {
        self.state.lock().send(id, event);
    }

    /// Calls `each` for every subscriber that wants changes.
    pub(super) fn with_change_subscribers<T>(
        &self,
        each: impl FnMut((&u64, &Subscriber)) -> Option<T>,
    ) -> Vec<T> {
        let state = self.state.lock();
        state
            .subscribers
            .iter()
            .filter(|(_, subscriber)| !subscriber.wanted.is_empty())
            .filter_map(each)
            .collect()
    }
}

impl State {
    fn send(&mut self, id: u64, event: Event) {
        let Some(subscriber) = self.subscribers.get(&id) else { return };
        let last_place = subscriber.queue.capacity() <= 1;
        let event = if last_place { Event::Gap("the subscriber is too slow".to_owned()) } else { event };
        let ends = last_place || matches!(event, Event::Gap(_));
        // A closed queue means that the subscriber has gone.
        if subscriber.queue.try_send(event).is_err() || ends {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(subscriber) = self.subscribers.remove(&id) else { return };
        if let Some(ids) = self.by_topic.get_mut(&subscriber.topic) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_topic.remove(&subscriber.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use truststream_services::realtime::{Message, Payload};

    use super::*;

    fn message() -> Event {
        Event::Broadcast(Message { event: "e".to_owned(), payload: Payload::Json("1".to_owned()) })
    }

    #[test]
    fn a_slow_subscriber_is_told_that_it_missed_something() {
        let topics = Topics::default();
        let (_, mut events) = topics.add(Context::system(), "t", Vec::new(), None);
        for _ in 0..QUEUE + 10 {
            topics.publish("t", &message(), None);
        }
        let mut received = Vec::new();
        while let Ok(event) = events.try_recv() {
            received.push(event);
        }
        assert_eq!(received.len(), QUEUE + 1);
        assert!(matches!(received.last(), Some(Event::Gap(_))));
        assert!(events.is_closed());
    }

    #[test]
    fn a_message_reaches_its_topic_but_not_its_sender() {
        let topics = Topics::default();
        let (sender, mut own) = topics.add(Context::system(), "t", Vec::new(), None);
        let (_, mut other) = topics.add(Context::system(), "t", Vec::new(), None);
        let (_, mut elsewhere) = topics.add(Context::system(), "u", Vec::new(), None);
        topics.publish("t", &message(), Some(sender));
        assert!(own.try_recv().is_err());
        assert!(other.try_recv().is_ok());
        assert!(elsewhere.try_recv().is_err());
    }
}
