//! Sessions that several reads use at once.
//!
//! Where every connection is busy, a read is sent behind the one that is under way in a session that has what
//! its caller sets: the server goes from one to the next, and neither side waits for a connection to be given
//! back first. A read says of itself whether it found the session as it had to ([`Kept`]). Whatever else becomes
//! of it (it failed, somebody's cancellation hit it, functions said something of a reply) has it run again
//! on a connection of its own, so that nobody sees anything of the others.
//!
//! Only statements that were quick before share a session, and nobody overtakes who waits for a connection.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::connector::Connection;
use crate::kept::Kept;
use crate::pool::Lease;
use crate::sql::Sql;

/// Reads in a session at once.
const AT_ONCE: usize = 4;

/// A statement that took longer has its session to itself the next time.
const QUICK: Duration = Duration::from_millis(10);

/// Statements remembered as quick; beyond, all are forgotten.
const REMEMBERED: usize = 1000;

/// The sessions of a pool that are shared at the moment.
#[derive(Default)]
pub(crate) struct Sharing {
    sessions: Mutex<Vec<Weak<Shared>>>,
    /// Hashes of statements' texts.
    quick: Mutex<HashSet<u64>>,
    hasher: foldhash::fast::RandomState,
}

/// A session in use by one read or several.
pub(crate) struct Shared {
    /// Taken only when nobody uses it any more.
    lease: Option<Lease>,
    kept: Arc<Kept>,
    users: AtomicUsize,
    /// Nobody joins any more.
    closed: AtomicBool,
    /// Somebody left while the statement was under way: what runs is stopped, and the connection closed.
    broken: AtomicBool,
    /// Bytes that went over it at once, at most.
    exchanged: AtomicUsize,
}

/// The use that one read makes of a session.
pub(crate) struct Ride {
    session: Arc<Shared>,
    began: Instant,
    is_first: bool,
    is_over: bool,
}

impl Sharing {
    /// A session with these settings that a read may join.
    pub(crate) fn join(&self, settings: &Sql) -> Option<Ride> {
        let mut sessions = self.sessions.lock();
        sessions.retain(|session| session.strong_count() > 0);
        let open = sessions.iter().filter_map(Weak::upgrade).filter(|session| session.takes(settings));
        let session = open.min_by_key(|session| session.users.load(Ordering::Relaxed))?;
        Some(Ride::of(session))
    }

    /// Uses a session, which is shared with who comes meanwhile if `joins`.
    pub(crate) fn open(&self, lease: Lease, kept: Arc<Kept>, joins: bool) -> Ride {
        let session = Arc::new(Shared {
            lease: Some(lease),
            kept,
            users: AtomicUsize::new(0),
            closed: AtomicBool::new(!joins),
            broken: AtomicBool::new(false),
            exchanged: AtomicUsize::new(0),
        });
        if joins {
            let mut sessions = self.sessions.lock();
            sessions.retain(|session| session.strong_count() > 0);
            sessions.push(Arc::downgrade(&session));
        }
        Ride::of(session)
    }

    /// Whether a statement is known to be quick.
    pub(crate) fn is_quick(&self, text: &str) -> bool {
        self.quick.lock().contains(&self.hasher.hash_one(text))
    }

    /// How long a statement took that waited for no other.
    pub(crate) fn took(&self, text: &str, time: Duration) {
        let statement = self.hasher.hash_one(text);
        let mut quick = self.quick.lock();
        if time > QUICK {
            quick.remove(&statement);
            return;
        }
        if quick.len() >= REMEMBERED {
            quick.clear();
        }
        quick.insert(statement);
    }
}

impl Shared {
    fn takes(&self, settings: &Sql) -> bool {
        !self.closed.load(Ordering::Acquire)
            && self.users.load(Ordering::Relaxed) < AT_ONCE
            && self.kept.is_made_by(settings)
    }

    fn connection(&self) -> &Connection {
        // Taken only when nobody uses it any more.
        self.lease.as_ref().unwrap_or_else(|| unreachable!("a shared session holds its connection"))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Dropped otherwise, it is closed.
        if let Some(lease) = self.lease.take().filter(|_| !self.broken.load(Ordering::Acquire)) {
            lease.give_back_after(self.exchanged.load(Ordering::Acquire));
        }
    }
}

impl Ride {
    fn of(session: Arc<Shared>) -> Self {
        let is_first = session.users.fetch_add(1, Ordering::Relaxed) == 0;
        Ride { session, began: Instant::now(), is_first, is_over: false }
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.session.connection()
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.session.kept
    }

    /// Nobody else may join.
    pub(crate) fn close(&self) {
        self.session.closed.store(true, Ordering::Release);
    }

    /// Whether somebody's cancellation may have hit this one.
    pub(crate) fn is_broken(&self) -> bool {
        self.session.broken.load(Ordering::Acquire)
    }

    /// The statement has ended, after so many bytes; returns how long it took if it waited for no other.
    pub(crate) fn end_after(mut self, bytes: usize) -> Option<Duration> {
        self.is_over = true;
        self.session.exchanged.fetch_max(bytes, Ordering::AcqRel);
        self.is_first.then(|| self.began.elapsed())
    }
}

impl Drop for Ride {
    fn drop(&mut self) {
        self.session.users.fetch_sub(1, Ordering::Relaxed);
        if self.is_over {
            return;
        }
        self.close();
        self.session.broken.store(true, Ordering::Release);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let session = Arc::clone(&self.session);
            runtime.spawn(async move { session.connection().cancel().await });
        }
    }
}
