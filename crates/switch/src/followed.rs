//! A value, and those who follow it.

use parking_lot::Mutex;
use tokio::sync::watch;

/// Followers beyond which it is looked which of them are gone.
const MANY: usize = 16;

/// A value, each follower of which has a channel of its own: they are woken in the order in which they
/// came. A single channel wakes those who wait in an order that it leaves to chance, and no simulation
/// could be repeated.
pub(crate) struct Followed<T> {
    present: watch::Sender<T>,
    followers: Mutex<Followers<T>>,
}

struct Followers<T> {
    channels: Vec<watch::Sender<T>>,
    /// When so many are there, those that are gone are forgotten.
    many: usize,
}

impl<T: Clone> Followed<T> {
    /// Of a value that nobody follows yet.
    pub(crate) fn new(value: T) -> Self {
        let followers = Followers { channels: Vec::new(), many: MANY };
        Followed { present: watch::Sender::new(value), followers: Mutex::new(followers) }
    }

    /// The value at this moment, which can't change while it is borrowed.
    pub(crate) fn borrow(&self) -> watch::Ref<'_, T> {
        self.present.borrow()
    }

    /// Follows it from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<T> {
        let mut followers = self.followers.lock();
        if followers.channels.len() >= followers.many {
            followers.channels.retain(|channel| !channel.is_closed());
            followers.many = MANY.max(followers.channels.len() * 2);
        }
        let (channel, follower) = watch::channel(self.present.borrow().clone());
        followers.channels.push(channel);
        follower
    }

    /// Replaces it, and tells all followers, whether it is another one or not.
    pub(crate) fn replace(&self, value: T) {
        let followers = self.followers.lock();
        self.present.send_replace(value.clone());
        for channel in &followers.channels {
            channel.send_replace(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn followers_are_woken_in_the_order_in_which_they_came() {
        for _ in 0..20 {
            let (followed, order) = (Followed::new(0), Arc::new(Mutex::new(Vec::new())));
            let waiting: Vec<_> = (0..8)
                .map(|number| {
                    let (mut follower, order) = (followed.follow(), Arc::clone(&order));
                    tokio::spawn(async move {
                        follower.changed().await.unwrap();
                        order.lock().push((number, *follower.borrow()));
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            followed.replace(7);
            futures::future::join_all(waiting).await;
            assert_eq!(*order.lock(), (0..8).map(|number| (number, 7)).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn who_is_gone_is_forgotten_and_told_of_the_end() {
        let followed = Followed::new(0);
        let mut stays = followed.follow();
        (0..10 * MANY).for_each(|_| drop(followed.follow()));
        assert!(followed.followers.lock().channels.len() <= 2 * MANY);
        followed.replace(1);
        assert_eq!((*followed.borrow(), *stays.borrow_and_update()), (1, 1));
        drop(followed);
        assert!(stays.changed().await.is_err());
    }
}
