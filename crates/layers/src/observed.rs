//! Remembers which kinds of requests are answered, and how often: never a value of them.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::fast::{FoldHasher, RandomState};
use parking_lot::RwLock;
use truststream_kernel::{
    BoxFuture, Call, Context, FeatureSet, Features, Layer, Operation, Result, Service, Stack,
};

/// Kinds that are remembered; more are only counted together.
const MOST: usize = 1_024;
/// Longest text of a kind in bytes; a longer one is cut.
const LONGEST: usize = 1_024;
/// So that requests of different kinds don't wait for one another.
const SHARDS: usize = 16;

/// The kinds of requests that were answered: as a layer it counts them, as a value it tells them.
///
/// A request costs the hash of its shape ([`Operation::shape`]) and three atomic numbers; its text is
/// made once a kind. What fails is not counted, so that nobody fills the table with names that don't exist.
#[derive(Clone, Default)]
pub struct Observed(Arc<Kinds>);

#[derive(Default)]
struct Kinds {
    /// By the hash of their shapes. Nobody can tell it beforehand, so nobody's requests are counted as
    /// those of another kind.
    shards: [RwLock<HashMap<u64, Kind>>; SHARDS],
    hashing: RandomState,
    known: AtomicUsize,
    beyond: AtomicU64,
}

struct Kind {
    shape: String,
    needs: FeatureSet,
    count: AtomicU64,
    last: AtomicU64,
}

/// A kind of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedKind {
    /// What they have in common, as [`Operation::shape`] writes it.
    pub shape: String,
    /// The features that they need.
    pub needs: FeatureSet,
    /// How many were answered.
    pub count: u64,
    /// When the last one was, in seconds since 1970.
    pub last: u64,
}

impl Observed {
    /// All kinds, the most frequent first.
    pub fn kinds(&self) -> Vec<ObservedKind> {
        let mut kinds = Vec::new();
        for shard in &self.0.shards {
            kinds.extend(shard.read().values().map(|kind| ObservedKind {
                shape: kind.shape.clone(),
                needs: kind.needs,
                count: kind.count.load(Ordering::Relaxed),
                last: kind.last.load(Ordering::Relaxed),
            }));
        }
        kinds.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.shape.cmp(&other.shape)));
        kinds
    }

    /// Requests that were answered and are of no kind that is remembered, since there were too many.
    pub fn beyond(&self) -> u64 {
        self.0.beyond.load(Ordering::Relaxed)
    }

    fn note(&self, op: &impl Operation) {
        let mut hash = Hash { state: self.0.hashing.build_hasher(), is_empty: true };
        // A hash takes whatever is written.
        let _ = op.shape(&mut hash);
        if hash.is_empty {
            return;
        }
        let hash = hash.state.finish();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let shard = &self.0.shards[hash as usize % SHARDS];
        if let Some(kind) = shard.read().get(&hash) {
            kind.count.fetch_add(1, Ordering::Relaxed);
            return kind.last.store(now, Ordering::Relaxed);
        }
        self.first(shard, hash, op, now);
    }

    #[cold]
    fn first(&self, shard: &RwLock<HashMap<u64, Kind>>, hash: u64, op: &impl Operation, now: u64) {
        if self.0.known.load(Ordering::Relaxed) >= MOST {
            self.0.beyond.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut text = Short::default();
        // What is too long ends where it was cut.
        let _ = op.shape(&mut text);
        let kind = || {
            self.0.known.fetch_add(1, Ordering::Relaxed);
            Kind { shape: text.0, needs: op.needs(), count: AtomicU64::new(0), last: AtomicU64::new(0) }
        };
        let mut shard = shard.write();
        let kind = shard.entry(hash).or_insert_with(kind);
        kind.count.fetch_add(1, Ordering::Relaxed);
        kind.last.store(now, Ordering::Relaxed);
    }
}

/// A text of which only the hash is kept.
struct Hash {
    state: FoldHasher<'static>,
    is_empty: bool,
}

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.is_empty &= text.is_empty();
        self.state.write(text.as_bytes());
        Ok(())
    }
}

/// A text that is cut when it gets too long.
#[derive(Default)]
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            self.0.push('…');
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl<S: Service> Layer<S> for Observed {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Watched { inner, observed: self.clone() })
    }
}

struct Watched<S: Service> {
    inner: Stack<S>,
    observed: Observed,
}

impl<S: Service> Call<S> for Watched<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(async move {
            let reply = self.inner.call(cx, op).await?;
            self.observed.note(op);
            Ok(reply)
        })
    }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::{Effect, OpInfo};

    use super::*;

    #[derive(Debug)]
    struct Asked(String);

    impl Operation for Asked {
        fn info(&self) -> OpInfo {
            OpInfo { name: "asked", effect: Effect::Read, idempotent: true }
        }

        fn needs(&self) -> FeatureSet {
            FeatureSet::EMPTY
        }

        fn shape(&self, out: &mut dyn Write) -> fmt::Result {
            out.write_str(&self.0)
        }
    }

    fn told(observed: &Observed) -> Vec<(String, u64)> {
        observed.kinds().into_iter().map(|kind| (kind.shape, kind.count)).collect()
    }

    #[test]
    fn kinds_are_counted_and_what_has_no_shape_is_not() {
        let observed = Observed::default();
        for shape in ["a", "b", "b", ""] {
            observed.note(&Asked(shape.to_owned()));
        }
        assert_eq!(told(&observed), [("b".to_owned(), 2), ("a".to_owned(), 1)]);
        assert!(observed.kinds().iter().all(|kind| kind.last > 1_700_000_000));
    }

    #[test]
    fn neither_many_kinds_nor_long_ones_take_all_memory() {
        let observed = Observed::default();
        for number in 0..MOST + 10 {
            observed.note(&Asked(number.to_string()));
        }
        assert_eq!((observed.kinds().len(), observed.beyond()), (MOST, 10));
        let observed = Observed::default();
        observed.note(&Asked("é".repeat(LONGEST)));
        assert_eq!(told(&observed), [("…".to_owned(), 1)]);
    }

    #[tokio::test]
    async fn only_what_was_answered_is_counted() {
        use crate::fake::{Fake, read};
        use truststream_kernel::Error;

        let observed = Observed::default();
        let fake = Fake::failing(1, || Error::permission_denied("no"));
        let stack = observed.wrap(fake.stack());
        for _ in 0..3 {
            let _ = stack.call(&Context::system(), &read()).await;
        }
        assert_eq!(told(&observed), [("read".to_owned(), 2)]);
    }
}
