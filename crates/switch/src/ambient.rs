//! What a process takes from its surroundings: the time of day, and names that nobody else has.
//!
//! A build with the feature `mutations` takes both from a test that gives them, for as long as that
//! runs on the same thread: only so can a run be repeated. In every other build none of this exists.

#[cfg(not(feature = "mutations"))]
pub(crate) use real::{new_name, now_ms};

#[cfg(feature = "mutations")]
pub use given::{Given, give, made, take_away};
#[cfg(feature = "mutations")]
pub(crate) use given::{new_name, now_ms};

mod real {
    use std::time::{SystemTime, UNIX_EPOCH};

    /// Milliseconds since 1970.
    pub(crate) fn now_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A name that nothing had before.
    pub(crate) fn new_name() -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }
}

#[cfg(feature = "mutations")]
mod given {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::real;

    thread_local! {
        static GIVEN: RefCell<Option<Given>> = const { RefCell::new(None) };
    }

    /// Surroundings of a test's own.
    #[derive(Clone, Debug)]
    pub struct Given {
        /// A moment, and what time of day it is then, in milliseconds since 1970.
        pub at: (Instant, u64),
        /// Names that were given before.
        pub names: u64,
        /// The mistake that is made on purpose ([`TRUSTSTREAM_MUTATION`](crate) names them).
        pub mutation: Option<&'static str>,
    }

    /// Gives this thread its surroundings.
    pub fn give(given: Given) {
        GIVEN.set(Some(given));
    }

    /// Takes them away, and returns them as they are now.
    pub fn take_away() -> Option<Given> {
        GIVEN.take()
    }

    /// The mistake that is made here; `None` where a test gives nothing.
    pub fn made() -> Option<Option<&'static str>> {
        GIVEN.with_borrow(|given| given.as_ref().map(|given| given.mutation))
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms() -> u64 {
        let given = GIVEN.with_borrow(|given| given.as_ref().map(|given| given.at));
        let Some((at, ms)) = given else { return real::now_ms() };
        ms + u64::try_from(Instant::now().duration_since(at).as_millis()).unwrap_or(u64::MAX)
    }

    /// A name that nothing had before.
    pub(crate) fn new_name() -> String {
        let given = GIVEN.with_borrow_mut(|given| {
            let given = given.as_mut()?;
            given.names += 1;
            Some(format!("{:032x}", given.names))
        });
        given.unwrap_or_else(real::new_name)
    }
}
