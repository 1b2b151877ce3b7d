//! Giving the place of a backend that is lost to its mirror.

use truststream_kernel::Result;
use truststream_runtime::Runtime;

pub use truststream_switch::{FailoverReport, Foreseen, Loss, LostRow, LostRows, Reapplied, Returned};

/// The failovers of a project.
pub struct Failovers<'r> {
    runtime: &'r Runtime,
}

impl<'r> Failovers<'r> {
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        Failovers { runtime }
    }

    /// What a failover at this moment would do, and cost at most. Changes nothing.
    ///
    /// # Errors
    /// `BACKEND_009` when the mirror is not in sync.
    pub async fn foresee(&self) -> Result<Foreseen> {
        self.runtime.steering().foresee().await
    }

    /// Has the mirror take the place of the backend that serves, although that may cost the writes that
    /// it does not hold yet. Where that backend still answers, a switch to the mirror loses nothing.
    ///
    /// # Errors
    /// `BACKEND_009` when the mirror is not in sync; nothing has changed then.
    pub async fn start(&self) -> Result<FailoverReport> {
        self.runtime.steering().fail_over().await
    }

    /// What only lost backends had, once they were back, by failover.
    ///
    /// # Errors
    /// When the control store does not answer.
    pub async fn lost(&self) -> Result<Vec<LostRows>> {
        self.runtime.mirrors().lost().await
    }

    /// Brings what only a lost backend had to the one that serves. Rows that were changed there since
    /// are kept on, unless `force` overwrites them.
    ///
    /// # Errors
    /// `BACKEND_011` if nothing is kept of this failover; whatever keeps writes from being made.
    pub async fn apply_lost(&self, failover: u64, force: bool) -> Result<Reapplied> {
        self.runtime.mirrors().apply_lost(failover, force).await
    }

    /// Forgets what only a lost backend had; returns how many rows it was.
    ///
    /// # Errors
    /// `BACKEND_011` if nothing is kept of this failover.
    pub async fn drop_lost(&self, failover: u64) -> Result<u64> {
        self.runtime.mirrors().drop_lost(failover).await
    }
}
