//! Moments at which a test can have the process end or stand still.
//!
//! A build with the feature `mutations` ends without a warning when it reaches the moment that
//! `TRUSTSTREAM_END_AT` names; `fenced/2` is the second time it is reached. At the one that
//! `TRUSTSTREAM_STOP_AT` names it stops as by SIGSTOP. In every other build none of this exists.

/// A moment between two steps of a switch: what comes before it is done, what comes after it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The target is about to be emptied for a copy.
    Emptying,
    /// The target is empty.
    Emptied,
    /// The target has the source's schema.
    Prepared,
    /// The source's changes are captured, and nobody has written down since when.
    Captured,
    /// A chunk is about to be sent to the target.
    Sending,
    /// A chunk is in the target, and nobody has written that down.
    Chunk,
    /// How far the copy is has been written down.
    Stored,
    /// All rows are copied.
    Copied,
    /// All objects are copied.
    Objects,
    /// A batch of changes is applied.
    Batch,
    /// Keys are back in the target.
    Keys,
    /// The target's changes are captured.
    Armed,
    /// Both sides were compared, and nobody has written that down.
    Compared,
    /// All is ready for the cut-over.
    Ready,
    /// Writes are held.
    Fenced,
    /// No write is in flight.
    Drained,
    /// The end of the feed is known.
    End,
    /// The target has reached it.
    CaughtUp,
    /// The target counts on where the source stood.
    Identities,
    /// The route has another owner, and the switch does not know it yet.
    Committed,
    /// A fence is lifted after a cut-over that failed.
    Lifted,
    /// It is written down that it is being given up.
    GivingUp,
    /// The target is about to be emptied for good.
    Discarding,
    /// The target holds nothing any more.
    Discarded,
    /// It is written down that it is being finalized.
    Finalizing,
    /// What captured changes is gone.
    Released,
    /// What was received is kept, or discarded, for good.
    Settled,
}

impl Moment {
    /// Ends or stops the process if it is to end or stop here.
    #[cfg(feature = "mutations")]
    pub(crate) fn pass(self) {
        use std::sync::atomic::AtomicU32;

        static ENDS: AtomicU32 = AtomicU32::new(0);
        static STOPS: AtomicU32 = AtomicU32::new(0);
        if self.is_due("TRUSTSTREAM_END_AT", &ENDS) {
            std::process::abort();
        }
        if self.is_due("TRUSTSTREAM_STOP_AT", &STOPS) {
            let own = std::process::id().to_string();
            // It goes on when somebody continues it.
            let stopped = std::process::Command::new("kill").args(["-STOP", &own]).status();
            assert!(stopped.is_ok_and(|stopped| stopped.success()), "`kill` could not be run");
        }
    }

    /// Whether this is the moment that the variable names, for as many times as it says.
    #[cfg(feature = "mutations")]
    fn is_due(self, variable: &str, passed: &std::sync::atomic::AtomicU32) -> bool {
        use std::sync::atomic::Ordering;

        let Ok(wanted) = std::env::var(variable) else { return false };
        let (name, time) = wanted.split_once('/').unwrap_or((&wanted, "1"));
        format!("{self:?}").eq_ignore_ascii_case(name)
            && time == (passed.fetch_add(1, Ordering::SeqCst) + 1).to_string()
    }

    /// Ends or stops the process if it is to end or stop here.
    #[cfg(not(feature = "mutations"))]
    pub(crate) const fn pass(self) {}
}
