//! Known mistakes, made on purpose.
//!
//! A build with the feature `mutations` makes the one that `TRUSTSTREAM_MUTATION` names, so that tests
//! can show that each would be caught. In every other build none of this exists.

/// A mistake that has lost writes in other systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Now and then a change is not applied.
    DropChange,
    /// A batch is applied once more after the one that follows it.
    #[cfg(feature = "mutations")]
    ApplyTwice,
    /// The end of the feed is read while writes are still in flight.
    EndBeforeDrain,
    /// The way back begins when the target has been serving for a while.
    LateReverse,
    /// A chunk of a copy is kept whoever sent it when.
    UnguardedCopy,
    /// The target is made ready and emptied whoever asks for it when.
    UnguardedPrepare,
}

impl Mutation {
    /// Whether this build, in this process, makes the mistake.
    #[cfg(feature = "mutations")]
    pub(crate) fn is_made(self) -> bool {
        let name = match self {
            Mutation::DropChange => "drop-change",
            Mutation::ApplyTwice => "apply-twice",
            Mutation::EndBeforeDrain => "end-before-drain",
            Mutation::LateReverse => "late-reverse",
            Mutation::UnguardedCopy => "unguarded-copy",
            Mutation::UnguardedPrepare => "unguarded-prepare",
        };
        match crate::ambient::made() {
            Some(made) => made == Some(name),
            None => std::env::var("TRUSTSTREAM_MUTATION").is_ok_and(|made| made == name),
        }
    }

    /// Whether this build, in this process, makes the mistake.
    #[cfg(not(feature = "mutations"))]
    pub(crate) const fn is_made(self) -> bool {
        false
    }
}
