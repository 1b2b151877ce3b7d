//! Part by part: both sides are asked for reads and compared, then the target answers a growing share,
//! then the part's writes move. What is left when all parts have moved, moves last.

mod among;
mod compare;
mod conduct;
mod division;
mod known;
mod move_reads;
mod parts;
mod pinned;
mod report;
mod steer;
mod tally;
mod tenancy;
mod tenants;
mod trial;
mod triggers;
mod wishes;
mod words;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use truststream_kernel::{BoxFuture, Call, Context, Error, ErrorKind, Features, Result, Stack};
use truststream_services::database::{DatabaseOp, DatabaseReply, DatabaseService};

use crate::Switcher;

pub(crate) use among::Shown;
use among::{Joined, Looks};
pub(crate) use conduct::Conduct;
pub use report::{PartPhase, PartReport};
pub use tally::{Different, ReadReport};
use trial::Trial;
pub(crate) use wishes::{PartWish, Wishes};

/// Longest wait for a change: the target is that much behind at least.
const WAIT: Duration = Duration::from_millis(20);

/// Shares of the reads that the target answers, one after the other, in percent.
const SHARES: [u8; 3] = [10, 50, 100];

/// How much longer than a share lasts it is waited for enough comparisons.
const LONGER: u32 = 6;

/// How reads are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// Reads that both sides are asked for, in percent.
    pub sample: u8,
    /// Comparisons before the target answers anybody.
    pub comparisons: u64,
    /// How long each share of the reads lasts, in milliseconds.
    pub step_ms: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { sample: 20, comparisons: 200, step_ms: 10_000 }
    }
}

/// What tells tenants apart, where each of them is a part of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantOptions {
    /// The column that names the tenant, of every table whose rows are a tenant's.
    pub column: String,
    /// The claim that names it, a path such as `app_metadata.org_id`: policies keep everybody to the
    /// rows of that tenant.
    #[serde(default)]
    pub claim: Option<String>,
}

/// Where reads pass while a switch is being made.
#[derive(Default)]
pub struct Reads {
    trial: RwLock<Option<Arc<Trial>>>,
    joined: Mutex<Option<Joined>>,
}

impl Reads {
    /// A database whose reads may be compared with those of the other side, and answered by it.
    pub fn over(self: &Arc<Self>, inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
        Arc::new(Watched { inner, reads: Arc::clone(self) })
    }

    fn trial(&self) -> Option<Arc<Trial>> {
        self.trial.read().clone()
    }

    fn begin(self: &Arc<Self>, trial: &Arc<Trial>, looks: Looks) -> On {
        self.leave();
        *self.trial.write() = Some(Arc::clone(trial));
        On { reads: Arc::clone(self), _looks: looks }
    }
}

impl Switcher {
    /// Where reads of the application pass, so that a switch can move them before it flips.
    pub fn reads(&self) -> &Arc<Reads> {
        &self.shared.reads
    }
}

/// Ends with the trial, however that ends.
struct On {
    reads: Arc<Reads>,
    _looks: Looks,
}

impl Drop for On {
    fn drop(&mut self) {
        *self.reads.trial.write() = None;
    }
}

struct Watched {
    inner: Stack<DatabaseService>,
    reads: Arc<Reads>,
}

impl Call<DatabaseService> for Watched {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        match self.reads.trial() {
            None => self.inner.call(cx, op),
            Some(trial) => Box::pin(trial.call(&self.inner, cx, op)),
        }
    }
}

fn refuse_differences(report: &ReadReport, target: &str) -> Result<()> {
    let Some(first) = report.different.first() else { return Ok(()) };
    let message = format!("{target} answers a read otherwise: {} ({})", first.shape, first.how);
    let details = serde_json::to_value(&report.different).unwrap_or_default();
    Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
        .with_details(details)
        .with_hint("another strategy switches without comparing reads"))
}
