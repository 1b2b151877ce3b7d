//! The control store as a node reaches it, through its wire.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::watch;
use truststream_kernel::Result;
use truststream_switch::{ControlStore, Entry, MemoryStore};

use super::network::Wire;
use super::witness::Witness;

/// What is stored, and who is told of changes.
pub struct Control {
    pub store: MemoryStore,
    /// Each by a channel of its own: one channel wakes those who wait in an order that it leaves to chance.
    told: Mutex<Vec<(Wire, watch::Sender<()>)>>,
    /// A mistake: what is written is written, whatever was there.
    pub blind: bool,
}

impl Control {
    pub fn new(blind: bool) -> Arc<Self> {
        Arc::new(Control { store: MemoryStore::default(), told: Mutex::default(), blind })
    }

    fn changed(&self) {
        let mut all = self.told.lock();
        all.retain(|(_, told)| !told.is_closed());
        for (wire, told) in &*all {
            let told = told.clone();
            wire.tell(move || told.send_replace(()));
        }
    }
}

/// One node's way to it.
pub struct Reached {
    wire: Wire,
    control: Arc<Control>,
    witness: Arc<Witness>,
}

impl Reached {
    pub fn new(wire: Wire, control: Arc<Control>, witness: Arc<Witness>) -> Arc<Self> {
        Arc::new(Reached { wire, control, witness })
    }

    fn ask<'a, T: Send + 'static>(
        &'a self,
        work: impl for<'b> FnOnce(&'b Control) -> BoxFuture<'b, Result<T>> + Send + 'static,
    ) -> BoxFuture<'a, Result<T>> {
        let control = Arc::clone(&self.control);
        self.wire.call(move || async move { work(&control).await }.boxed()).boxed()
    }
}

impl ControlStore for Reached {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        let key = key.to_owned();
        self.ask(move |control| async move { control.store.get(&key).await }.boxed())
    }

    fn put<'a>(&'a self, key: &'a str, value: Json, expected: i64) -> BoxFuture<'a, Result<()>> {
        let (key, witness) = (key.to_owned(), Arc::clone(&self.witness));
        self.ask(move |control| {
            async move {
                let expected = match control.blind {
                    true => control.store.get(&key).await?.map_or(0, |entry| entry.version),
                    false => expected,
                };
                control.store.put(&key, value.clone(), expected).await?;
                witness.stored(&key, &value);
                control.changed();
                Ok(())
            }
            .boxed()
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, Entry)>>> {
        let prefix = prefix.to_owned();
        self.ask(move |control| async move { control.store.list(&prefix).await }.boxed())
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        let key = key.to_owned();
        self.ask(move |control| {
            async move {
                control.store.remove(&key).await?;
                control.changed();
                Ok(())
            }
            .boxed()
        })
    }

    fn watch(&self) -> watch::Receiver<()> {
        let (told, changed) = watch::channel(());
        self.control.told.lock().push((self.wire.clone(), told));
        changed
    }
}
