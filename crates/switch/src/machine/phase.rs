//! How far a switch is.

use serde::{Deserialize, Serialize};

/// Where a switch stands. Stored before the step it names begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Checked; nothing has been touched.
    Planned,
    /// The target gets its schema, the source's changes are being captured.
    Preparing,
    /// Rows and objects are copied.
    Copying,
    /// Changes made since are applied.
    Following,
    /// Both sides are compared.
    Verifying,
    /// Verified and following closely.
    Ready,
    /// Writes are held; the last changes are applied.
    Fencing,
    /// The target serves; the source is kept in sync backwards.
    Committed,
    /// Going back: writes are held; the last changes are applied to the source.
    FencingBack,
    /// The source serves again.
    RolledBack,
    /// The way back is closed; what was installed is being removed.
    Finalizing,
    /// The way back is closed; what was installed is removed.
    Finalized,
    /// Given up before the target served; what was installed is being removed.
    Aborting,
    /// Given up before the target served; the source is as it was.
    Aborted,
}

impl Phase {
    /// All phases, in the order in which a switch passes them.
    pub const ALL: [Phase; 14] = [
        Phase::Planned,
        Phase::Preparing,
        Phase::Copying,
        Phase::Following,
        Phase::Verifying,
        Phase::Ready,
        Phase::Fencing,
        Phase::Committed,
        Phase::FencingBack,
        Phase::RolledBack,
        Phase::Finalizing,
        Phase::Finalized,
        Phase::Aborting,
        Phase::Aborted,
    ];

    /// Whether nothing more will happen by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Phase::RolledBack | Phase::Finalized | Phase::Aborted)
    }

    /// Whether the target has not served yet and may still come to.
    pub fn is_before_commit(self) -> bool {
        matches!(
            self,
            Phase::Planned
                | Phase::Preparing
                | Phase::Copying
                | Phase::Following
                | Phase::Verifying
                | Phase::Ready
                | Phase::Fencing
        )
    }

    /// Whether a coordinator may go from this phase to `next` without the route changing. A step
    /// may be entered again by whoever goes on after a crash; what was compared before is compared
    /// anew.
    pub(crate) fn may_enter(self, next: Phase) -> bool {
        use Phase::{
            Aborted, Aborting, Committed, Copying, Finalized, Finalizing, Following, Planned, Preparing,
            Ready, RolledBack, Verifying,
        };
        match next {
            Preparing => matches!(self, Planned | Preparing),
            Copying => matches!(self, Preparing | Copying),
            Following => matches!(self, Copying | Following | Verifying | Ready),
            Verifying => matches!(self, Following | Verifying),
            Ready => matches!(self, Following | Verifying | Ready),
            Finalizing => matches!(self, Committed | RolledBack | Finalizing),
            Finalized => self == Finalizing,
            Aborted => self == Aborting,
            Planned | Phase::Fencing | Committed | Phase::FencingBack | RolledBack | Aborting => false,
        }
    }

    /// The name people read.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Planned => "planned",
            Phase::Preparing => "preparing",
            Phase::Copying => "copying",
            Phase::Following => "following",
            Phase::Verifying => "verifying",
            Phase::Ready => "ready",
            Phase::Fencing => "fencing",
            Phase::Committed => "committed",
            Phase::FencingBack => "fencing back",
            Phase::RolledBack => "rolled back",
            Phase::Finalizing => "finalizing",
            Phase::Finalized => "finalized",
            Phase::Aborting => "aborting",
            Phase::Aborted => "aborted",
        }
    }
}
