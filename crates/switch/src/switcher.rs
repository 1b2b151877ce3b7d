//! Starting, watching and ending switches.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Capture, Prepare};

use crate::forward::Forward;
use crate::plan::{Plan, plan};
use crate::progress::Meter;
use crate::records::Records;
use crate::reverse::Reverse;
use crate::{ControlStore, Options, Phase, Progress, Record, Routes, Sides};

/// Runs the switches of one project, one at a time.
pub struct Switcher {
    shared: Arc<Shared>,
    running: tokio::sync::Mutex<Running>,
    meter: Mutex<Option<Arc<Meter>>>,
}

/// What the steps of a switch work with.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) records: Records,
    pub(crate) sides: Arc<dyn Sides>,
}

/// The one task a switch may have.
enum Running {
    Nothing,
    Forward { task: JoinHandle<Option<Reverse>>, cancel: watch::Sender<bool> },
    Reverse(Reverse),
}

impl Switcher {
    /// A switcher over the stored route and switches.
    pub fn new(control: Arc<dyn ControlStore>, routes: Routes, sides: Arc<dyn Sides>) -> Self {
        let shared = Arc::new(Shared { routes, records: Records::new(control), sides });
        Switcher { shared, running: tokio::sync::Mutex::new(Running::Nothing), meter: Mutex::new(None) }
    }

    /// Goes on after a restart: a switch that had not committed is given up, one that had keeps its
    /// old side in sync.
    ///
    /// # Errors
    /// When the control store or a side does not answer.
    pub async fn recover(&self) -> Result<()> {
        let Some(mut record) = self.shared.records.latest().await? else { return Ok(()) };
        let route = self.shared.routes.gate().route();
        match record.phase {
            phase if phase.is_over() => Ok(()),
            Phase::Fencing if route.owner == record.to => self.recover_committed(record).await,
            phase if phase.is_before_commit() => {
                self.lift().await?;
                let reason = "the process ended before the target served";
                self.shared.abandon(&mut record, reason).await
            }
            Phase::FencingBack if route.owner == record.from => {
                record.enter(Phase::RolledBack);
                self.shared.records.save(&record).await
            }
            _ => {
                self.lift().await?;
                self.recover_committed(record).await
            }
        }
    }

    async fn lift(&self) -> Result<()> {
        let route = self.shared.routes.gate().route();
        if route.fenced { self.shared.routes.change(route.lift()).await } else { Ok(()) }
    }

    async fn recover_committed(&self, mut record: Record) -> Result<()> {
        let route = self.shared.routes.gate().route();
        if record.phase != Phase::Committed {
            record.feed_start = route.handover.as_ref().map(|handover| handover.start.clone());
            record.enter(Phase::Committed);
            self.shared.records.save(&record).await?;
        }
        *self.running.lock().await = Running::Reverse(self.new_reverse(&record).await?);
        Ok(())
    }

    /// A way back that goes on where the old side stands.
    async fn new_reverse(&self, record: &Record) -> Result<Reverse> {
        let follower = self.shared.backward_follower(record).await?;
        Ok(Reverse::spawn(follower, self.new_meter(record)))
    }

    fn new_meter(&self, record: &Record) -> Arc<Meter> {
        let meter = Arc::new(Meter::new(record.id, &record.from, &record.to, record.phase));
        *self.meter.lock() = Some(Arc::clone(&meter));
        meter
    }

    /// What a switch to `to` would do.
    ///
    /// # Errors
    /// When a side does not answer.
    pub async fn plan(&self, to: &str) -> Result<Plan> {
        let route = self.shared.routes.gate().route();
        if route.owner == to {
            return Err(Error::invalid_input(format!("`{to}` serves already")));
        }
        plan(&self.shared.sides.side(&route.owner).await?, &self.shared.sides.side(to).await?).await
    }

    /// Starts a switch to `to`; it goes on by itself until the target serves.
    ///
    /// # Errors
    /// When another switch is not over, or the plan has problems.
    pub async fn start(&self, to: &str, options: Options) -> Result<Record> {
        let mut running = self.running.lock().await;
        let latest = self.shared.records.latest().await?;
        if let Some(latest) = latest.as_ref().filter(|latest| !latest.phase.is_over()) {
            return Err(not_over(latest));
        }
        let plan = self.plan(to).await?;
        plan.check()?;
        let id = latest.map_or(1, |latest| latest.id + 1);
        let mut record = Record::new(id, &plan.from, to, options);
        record.tables = plan.tables.clone();
        self.shared.records.save(&record).await?;
        let meter = self.new_meter(&record);
        let (cancel, cancelled) = watch::channel(false);
        let forward = Forward::new(Arc::clone(&self.shared), record.clone(), plan, meter, cancelled);
        *running = Running::Forward { task: tokio::spawn(forward.run()), cancel };
        Ok(record)
    }

    /// Waits until the running switch has committed or ended, keeping what keeps the way back open.
    async fn settle(&self, running: &mut Running) {
        if let Running::Forward { task, .. } = running {
            let reverse = task.await.ok().flatten();
            *running = reverse.map_or(Running::Nothing, Running::Reverse);
        }
    }

    /// Returns to the side that served before, with everything written since.
    ///
    /// # Errors
    /// When no switch is committed, or the cut-over fails: the present side then serves on.
    pub async fn back(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        self.settle(&mut running).await;
        let mut record = self.committed().await?;
        let reverse = match std::mem::replace(&mut *running, Running::Nothing) {
            Running::Reverse(reverse) => reverse,
            _ => self.new_reverse(&record).await?,
        };
        let meter = reverse.meter();
        let (mut follower, brought_back) = reverse.stop().await?;
        record.report.changes_back += brought_back;
        match self.shared.go_back(record, &mut follower, &meter).await {
            Ok(record) => Ok(record),
            Err(error) => {
                *running = Running::Reverse(Reverse::spawn(follower, meter));
                Err(error)
            }
        }
    }

    /// Closes the way back and removes what was installed for it.
    ///
    /// # Errors
    /// When no switch is committed or rolled back.
    pub async fn finalize(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        self.settle(&mut running).await;
        let mut record = match self.shared.records.latest().await? {
            Some(record) if matches!(record.phase, Phase::Committed | Phase::RolledBack) => record,
            _ => return Err(nothing_committed()),
        };
        if let Running::Reverse(reverse) = std::mem::replace(&mut *running, Running::Nothing) {
            record.report.changes_back += reverse.stop().await?.1;
        }
        self.shared.clean(&record).await?;
        record.enter(Phase::Finalized);
        self.shared.records.save(&record).await?;
        if let Some(meter) = &*self.meter.lock() {
            meter.enter(Phase::Finalized, 0);
        }
        Ok(record)
    }

    /// Gives up a switch that has not committed; the source is as it was.
    ///
    /// # Errors
    /// When none is running or it has committed already.
    pub async fn abort(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        if let Running::Forward { cancel, .. } = &*running {
            cancel.send_replace(true);
        }
        self.settle(&mut running).await;
        match self.shared.records.latest().await? {
            Some(record) if record.phase == Phase::Aborted => Ok(record),
            Some(record) if record.phase == Phase::Committed => {
                let message = "the target serves already; it can't be aborted any more";
                Err(Error::new(ErrorKind::InvalidInput, "BACKEND_011", message)
                    .with_hint("`truststream switch back` returns with nothing lost"))
            }
            // One whose cleaning up failed, now or at the last start.
            Some(mut record) if record.phase.is_before_commit() => {
                self.lift().await?;
                self.shared.abandon(&mut record, "aborted by the operator").await?;
                Ok(record)
            }
            _ => Err(Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch is running")),
        }
    }

    async fn committed(&self) -> Result<Record> {
        match self.shared.records.latest().await? {
            Some(record) if record.phase == Phase::Committed => Ok(record),
            _ => Err(nothing_committed()),
        }
    }

    /// The latest switch as it is stored.
    ///
    /// # Errors
    /// When the control store does not answer.
    pub async fn latest(&self) -> Result<Option<Record>> {
        self.shared.records.latest().await
    }

    /// Follows the running (or latest) switch of this process.
    pub fn watch(&self) -> Option<watch::Receiver<Progress>> {
        self.meter.lock().as_ref().map(|meter| meter.watch())
    }

    /// Stops what runs in the background, for shutdown. A committed switch goes on at the next
    /// start; one that has not committed is given up now.
    pub async fn close(&self) {
        let mut running = self.running.lock().await;
        if let Running::Forward { cancel, .. } = &*running {
            cancel.send_replace(true);
        }
        self.settle(&mut running).await;
        if let Running::Reverse(reverse) = std::mem::replace(&mut *running, Running::Nothing)
            && let Err(error) = reverse.stop().await
        {
            tracing::warn!(?error, "the way back ended with an error");
        }
    }
}

impl Shared {
    /// Leaves the source as it was and the target empty.
    ///
    /// # Errors
    /// When the target serves: what it holds is then all there is.
    pub(crate) async fn abandon(&self, record: &mut Record, reason: &str) -> Result<()> {
        if self.routes.stored().await?.owner == record.to {
            return Err(Error::internal("the target serves; the switch can't be given up"));
        }
        let source = self.sides.side(&record.from).await?;
        let target = self.sides.side(&record.to).await?;
        let consumer = record.consumer();
        source.database.send(Capture { consumer: consumer.clone(), tables: Vec::new() }).await?;
        target.database.send(Capture { consumer, tables: Vec::new() }).await?;
        target.database.send(Prepare::Discard).await?;
        record.report.failure = Some(reason.to_owned());
        record.enter(Phase::Aborted);
        self.records.save(record).await
    }

    /// Removes what a switch that is over installed.
    async fn clean(&self, record: &Record) -> Result<()> {
        for name in [&record.from, &record.to] {
            let side = self.sides.side(name).await?;
            side.database.send(Capture { consumer: record.consumer(), tables: Vec::new() }).await?;
        }
        let prepare = if record.phase == Phase::RolledBack { Prepare::Discard } else { Prepare::Keep };
        self.sides.side(&record.to).await?.database.send(prepare).await?;
        Ok(())
    }
}

fn not_over(record: &Record) -> Error {
    let message = format!(
        "switch {} from {} to {} is not over ({})",
        record.id,
        record.from,
        record.to,
        record.phase.name()
    );
    Error::new(ErrorKind::Conflict, "BACKEND_011", message).with_hint(
        "`truststream switch finalize` closes its way back, `switch back` returns, `switch abort` gives up",
    )
}

fn nothing_committed() -> Error {
    Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch has committed")
        .with_hint("`truststream switch status` shows where the latest one stands")
}
