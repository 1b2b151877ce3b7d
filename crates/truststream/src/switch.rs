//! Moving to another backend while reads and writes go on.

use futures::Stream;
use futures::stream;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_runtime::{Runtime, Status};

pub use truststream_switch::{
    Options, PartPhase, PartReport, Phase, Plan, Progress, Record, Rehearsal, Report, Strategy,
    TenantOptions, Verify,
};

/// The switches of a project.
///
/// ```no_run
/// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
/// let plan = db.switch().plan("cloud").await?;
/// println!("{} rows in {} tables", plan.rows, plan.tables.len());
/// db.switch().start("cloud").await?;
/// db.switch().finished().await?; // `cloud` serves; nothing was lost, `back` returns
/// # Ok(())
/// # }
/// ```
pub struct Switch<'r> {
    runtime: &'r Runtime,
}

impl<'r> Switch<'r> {
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        Switch { runtime }
    }

    /// The backend that serves.
    pub fn active(&self) -> String {
        self.runtime.route().owner.clone()
    }

    /// What a switch would move, and what is in its way. Changes nothing.
    ///
    /// # Errors
    /// When a side does not answer, or `BACKEND_001` when there is no such backend.
    pub async fn plan(&self, to: &str) -> Result<Plan> {
        self.runtime.switcher().plan(to).await
    }

    /// Tries a switch on some rows of every table, and removes them again: how long it would take,
    /// and which columns the target does not keep exactly.
    ///
    /// # Errors
    /// When a switch is not over, or the target holds rows already.
    pub async fn rehearse(&self, to: &str) -> Result<Rehearsal> {
        self.runtime.steering().rehearse(to).await
    }

    /// Starts a switch, made as the configuration says; it goes on by itself.
    ///
    /// # Errors
    /// When another one is not over, or something is in its way.
    pub async fn start(&self, to: &str) -> Result<Record> {
        self.start_with(to, self.runtime.switch_options()).await
    }

    /// Starts a switch made in another way than the configuration says.
    ///
    /// # Errors
    /// As [`Switch::start`].
    pub async fn start_with(&self, to: &str, options: Options) -> Result<Record> {
        Box::pin(self.runtime.steering().start(to, options)).await
    }

    /// Has a part of a gradual switch moved next, or all that are left if none is named; what the
    /// parts are is in the report.
    ///
    /// # Errors
    /// When no switch goes part by part at this moment, or there is no such part.
    pub async fn move_part(&self, part: Option<&str>) -> Result<Record> {
        self.runtime.steering().move_part(part).await
    }

    /// Has a part of a gradual switch that has not committed return.
    ///
    /// # Errors
    /// As [`Switch::move_part`].
    pub async fn part_back(&self, part: &str) -> Result<Record> {
        self.runtime.steering().part_back(part).await
    }

    /// How far the running switch is, at every step until it commits or is over.
    pub fn watch(&self) -> impl Stream<Item = Progress> + Unpin + Send + 'static {
        let receiver = self.runtime.switcher().watch();
        Box::pin(stream::unfold((receiver, false), |(receiver, seen)| async move {
            let mut receiver = receiver?;
            if seen {
                if !goes_on(receiver.borrow().phase) {
                    return None;
                }
                receiver.changed().await.ok()?;
            }
            let progress = receiver.borrow_and_update().clone();
            Some((progress, (Some(receiver), true)))
        }))
    }

    /// Waits until the running switch has committed.
    ///
    /// # Errors
    /// `BACKEND_011` with the reason when it was given up; the source serves on, as it was.
    pub async fn finished(&self) -> Result<Record> {
        if let Some(mut receiver) = self.runtime.switcher().watch() {
            // The sender lives as long as the switcher; if it is gone, the record tells all the same.
            let _ = receiver.wait_for(|progress| !goes_on(progress.phase)).await;
        }
        match self.latest().await? {
            Some(record) if record.phase == Phase::Aborted => {
                let reason = record.report.failure.unwrap_or_else(|| "the switch was given up".to_owned());
                Err(Error::new(ErrorKind::Conflict, "BACKEND_011", reason))
            }
            Some(record) => Ok(record),
            None => Err(Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch was started")),
        }
    }

    /// Stops a switch that has not committed, until it is resumed.
    ///
    /// # Errors
    /// When none is under way, or it holds writes at this moment.
    pub async fn pause(&self) -> Result<Record> {
        self.runtime.steering().pause().await
    }

    /// Goes on with a switch that was paused, from where it stands.
    ///
    /// # Errors
    /// When none is under way, or it goes on already.
    pub async fn resume(&self) -> Result<Record> {
        self.runtime.steering().resume().await
    }

    /// Returns to the backend that served before, with everything written since.
    ///
    /// # Errors
    /// When no switch is committed; the present backend serves on.
    pub async fn back(&self) -> Result<Record> {
        self.runtime.steering().back().await
    }

    /// Closes the way back and removes what was installed for it.
    ///
    /// # Errors
    /// When no switch is committed.
    pub async fn finalize(&self) -> Result<Record> {
        self.runtime.steering().finalize().await
    }

    /// Gives up a switch that has not committed; the source is as it was.
    ///
    /// # Errors
    /// When none is running, or it has committed already.
    pub async fn abort(&self) -> Result<Record> {
        self.runtime.steering().abort().await
    }

    /// The latest switch.
    ///
    /// # Errors
    /// When the project's own state can't be read.
    pub async fn latest(&self) -> Result<Option<Record>> {
        self.runtime.switcher().latest().await
    }

    /// Who serves, how every backend is, and where the latest switch stands.
    pub async fn status(&self) -> Status {
        self.runtime.status().await
    }
}

/// Whether a switch still moves towards its target.
fn goes_on(phase: Phase) -> bool {
    phase.is_before_commit()
}
