//! Connections for reading, lent one by one.

use std::sync::Arc;

use parking_lot::Mutex;
use truststream_kernel::{Context, Error, Result};

use crate::connection::Conn;
use crate::place::Place;

/// A pool of read-only connections. It opens more when all are lent; few stay.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    place: Place,
    kept: usize,
    idle: Arc<Mutex<Vec<Conn>>>,
}

impl Readers {
    pub(crate) fn new(place: Place, kept: usize) -> Self {
        Readers { place, kept: kept.max(1), idle: Arc::default() }
    }

    /// Reads on this very thread: for what is done in less time than a thread takes to wake.
    pub(crate) fn here<T>(&self, cx: &Context, read: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
        let lent = self.idle.lock().pop();
        let conn = lent.map_or_else(|| Conn::reader(&self.place), Ok)?;
        conn.session.enter(cx);
        let outcome = read(&conn);
        let mut idle = self.idle.lock();
        if idle.len() < self.kept {
            idle.push(conn);
        }
        outcome
    }

    /// Reads on a thread that may block.
    pub(crate) async fn elsewhere<T, F>(&self, cx: &Context, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<T> + Send + 'static,
    {
        let (readers, cx) = (self.clone(), cx.clone());
        tokio::task::spawn_blocking(move || readers.here(&cx, read))
            .await
            .map_err(|error| Error::internal("a read stopped").with_source(error))?
    }
}
