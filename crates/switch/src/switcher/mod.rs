//! Starting, watching and ending switches.

mod assess;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use truststream_kernel::{Error, ErrorKind, Result};

use crate::ambient::now_ms;
use crate::definitions::Definitions;
use crate::forward::Forward;
use crate::machine::Act;
use crate::progress::Meter;
use crate::records::Records;
use crate::reverse::Reverse;
use crate::shared::Shared;
use crate::signal::{Signal, Wish};
use crate::{ControlStore, Options, Phase, Progress, Record, Routes, Sides, Verify};

/// Runs the switches of one project, one at a time.
pub struct Switcher {
    pub(crate) shared: Arc<Shared>,
    running: tokio::sync::Mutex<Running>,
    meter: Mutex<Option<Arc<Meter>>>,
    /// The switch that was last at work here closes its way back by itself.
    is_limited: AtomicBool,
}

/// The one task a switch may have.
enum Running {
    Nothing,
    Forward { task: JoinHandle<Option<Reverse>>, wish: watch::Sender<Wish> },
    Reverse(Reverse),
}

impl Switcher {
    /// A switcher over the stored route and switches.
    pub fn new(control: Arc<dyn ControlStore>, routes: Routes, sides: Arc<dyn Sides>) -> Self {
        let records = Records::new(control, routes.clone());
        let shared = Arc::new(Shared::new(routes, records, sides));
        let running = tokio::sync::Mutex::new(Running::Nothing);
        Switcher { shared, running, meter: Mutex::default(), is_limited: AtomicBool::default() }
    }

    /// Goes on with whatever had not ended and does not run here: on the way there from the step that
    /// is stored, after the commit by keeping the old side in sync, else by doing again what was begun.
    ///
    /// # Errors
    /// When the control store or a side does not answer.
    pub async fn recover(&self) -> Result<()> {
        // A fence is nobody's only as long as nothing can begin.
        let mut running = self.running.lock().await;
        let Running::Nothing = *running else { return Ok(()) };
        let state = self.shared.unfence().await?;
        let Some(mut record) = self.shared.records.latest().await? else { return Ok(()) };
        match record.phase {
            Phase::Aborting => {
                let reason = record.report.failure.clone().unwrap_or_else(|| "aborted".to_owned());
                self.shared.as_leader(self.shared.abandon(&mut record, &reason)).await
            }
            Phase::Finalizing => self.shared.as_leader(self.shared.finalize(&mut record)).await,
            Phase::Committed => {
                let armed = state.switch.and_then(|stage| stage.armed);
                record.feed_start = armed.or(state.route.handover.map(|handover| handover.start));
                self.shared.records.save(&record).await?;
                if let Err(error) = self.shared.keep_closed(&record).await {
                    tracing::warn!(
                        ?error,
                        backend = record.from,
                        "its database is not closed to direct writers"
                    );
                }
                *running = Running::Reverse(self.new_reverse(&record).await?);
                Ok(())
            }
            phase if phase.is_before_commit() && !record.paused => {
                *running = self.forward(record);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A task that brings a switch on from where it stands.
    fn forward(&self, record: Record) -> Running {
        let meter = self.new_meter(&record);
        let (wish, signal) = Signal::beside(self.shared.routes.gate());
        let forward = Forward::new(Arc::clone(&self.shared), record, meter, signal);
        let routes = self.shared.routes.clone();
        let task = tokio::spawn(async move { routes.while_leading(Box::pin(forward.run())).await.flatten() });
        Running::Forward { task, wish }
    }

    /// A way back that goes on where the old side stands.
    async fn new_reverse(&self, record: &Record) -> Result<Reverse> {
        let follower = self.shared.backward_follower(record).await?;
        Ok(Reverse::spawn(follower, self.new_meter(record)))
    }

    fn new_meter(&self, record: &Record) -> Arc<Meter> {
        let meter = Arc::new(Meter::new(record.id, &record.from, &record.to, record.phase));
        *self.meter.lock() = Some(Arc::clone(&meter));
        self.is_limited.store(record.options.rollback_window_ms.is_some(), Ordering::Relaxed);
        meter
    }

    /// Starts a switch to `to`; it goes on by itself until the target serves.
    ///
    /// # Errors
    /// When another switch is not over, or the plan has problems, or tenants are to be parts that
    /// can't be told apart.
    pub async fn start(&self, to: &str, options: Options) -> Result<Record> {
        let mut running = self.running.lock().await;
        let latest = self.shared.records.latest().await?;
        if let Some(latest) = latest.as_ref().filter(|latest| !latest.phase.is_over()) {
            return Err(not_over(latest));
        }
        let source = self.shared.sides.side(&self.shared.routes.gate().route().owner).await?;
        // Before the tables are looked at that are moved: what comes after it is found at the cut-over.
        let defined = Definitions::of(&source).await?;
        let plan = Box::pin(self.weighed(to)).await?;
        plan.check()?;
        let options = options.settled()?;
        Box::pin(self.shared.tenancy_of(&source, &options)).await?;
        let id = latest.map_or(1, |latest| latest.id + 1);
        let (strategy, must_verify) = (options.strategy, options.verify != Verify::None);
        let mut record = Record::new(id, &plan.from, to, options);
        record.tables = plan.tables;
        record.defined = Some(defined);
        // A record without its plan is one that was never begun; the other way round it would be lost.
        self.shared.records.save(&record).await?;
        self.shared.routes.act(Act::Plan { id, to: to.to_owned(), strategy, must_verify }).await?;
        *running = self.forward(record.clone());
        Ok(record)
    }

    /// Stops a switch that has not committed, until it is resumed; a restart does not resume it.
    ///
    /// # Errors
    /// When none is under way, or it holds writes at this moment.
    pub async fn pause(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        let latest = self.shared.records.latest().await?;
        if !latest.is_some_and(|record| record.phase.is_before_commit()) {
            return Err(none_under_way());
        }
        self.shared.routes.act(Act::Pause).await?;
        self.stop(&mut running, Wish::Stop).await;
        self.shared.records.latest().await?.ok_or_else(nothing_committed)
    }

    /// Goes on with a switch that was paused, or that stopped because a side did not answer.
    ///
    /// # Errors
    /// When none is under way, or it goes on already.
    pub async fn resume(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        if matches!(&*running, Running::Forward { task, .. } if !task.is_finished()) {
            return Err(Error::new(ErrorKind::Conflict, "BACKEND_011", "the switch goes on already")
                .with_hint("`truststream switch status` shows how far it is"));
        }
        let latest = self.shared.records.latest().await?;
        let Some(mut record) = latest.filter(|record| record.phase.is_before_commit()) else {
            return Err(none_under_way());
        };
        self.shared.routes.act(Act::Resume).await?;
        record.paused = false;
        *running = self.forward(record.clone());
        Ok(record)
    }

    async fn stop(&self, running: &mut Running, how: Wish) {
        if let Running::Forward { wish, .. } = &*running {
            wish.send_replace(how);
        }
        self.settle(running).await;
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
        match Box::pin(self.shared.go_back(record, &mut follower, &meter)).await {
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
        let closes = |record: &Record| {
            matches!(record.phase, Phase::Committed | Phase::RolledBack | Phase::Finalizing)
        };
        self.finalize_if(closes).await?.ok_or_else(nothing_committed)
    }

    /// Closes the way back if it has been open for as long as it was to be; tells of the switch if so.
    ///
    /// # Errors
    /// When the control store or a side does not answer: what was begun is finished by the next call.
    pub async fn finalize_in_time(&self) -> Result<Option<Record>> {
        let is_over = |record: &Record| {
            record.phase == Phase::Finalizing || record.closes_at_ms().is_some_and(|at| at <= now_ms())
        };
        // Nothing waits for a switch that is on its way.
        if !self.is_limited.load(Ordering::Relaxed) || !self.latest().await?.is_some_and(|one| is_over(&one))
        {
            return Ok(None);
        }
        self.finalize_if(is_over).await
    }

    async fn finalize_if(&self, closes: impl Fn(&Record) -> bool) -> Result<Option<Record>> {
        let mut running = self.running.lock().await;
        self.settle(&mut running).await;
        let latest = self.shared.records.latest().await?;
        let Some(mut record) = latest.filter(closes) else { return Ok(None) };
        if let Running::Reverse(reverse) = std::mem::replace(&mut *running, Running::Nothing) {
            record.report.changes_back += reverse.stop().await?.1;
        }
        self.shared.as_leader(self.shared.finalize(&mut record)).await?;
        if let Some(meter) = &*self.meter.lock() {
            meter.enter(Phase::Finalized, 0);
        }
        self.is_limited.store(false, Ordering::Relaxed);
        Ok(Some(record))
    }

    /// Gives up a switch that has not committed; the source is as it was.
    ///
    /// # Errors
    /// When none is running or it has committed already.
    pub async fn abort(&self) -> Result<Record> {
        let mut running = self.running.lock().await;
        self.stop(&mut running, Wish::Abort).await;
        match self.shared.records.latest().await? {
            Some(record) if record.phase == Phase::Aborted => Ok(record),
            Some(record) if record.phase == Phase::Committed => {
                let message = "the target serves already; it can't be aborted any more";
                Err(Error::new(ErrorKind::InvalidInput, "BACKEND_011", message)
                    .with_hint("`truststream switch back` returns with nothing lost"))
            }
            // One whose cleaning up failed, now or at the last start.
            Some(mut record) if record.phase.is_before_commit() || record.phase == Phase::Aborting => {
                self.shared.as_leader(self.shared.abandon(&mut record, "aborted by the operator")).await?;
                Ok(record)
            }
            _ => Err(Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch is running")
                .with_hint("`truststream switch status` shows where the latest one stands")),
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

    /// Whether a switch is on its way to its target here.
    pub(crate) async fn is_on_its_way(&self) -> bool {
        matches!(&*self.running.lock().await, Running::Forward { task, .. } if !task.is_finished())
    }

    /// Whether nothing runs here.
    pub(crate) async fn is_idle(&self) -> bool {
        let Ok(mut running) = self.running.try_lock() else { return false };
        if matches!(&*running, Running::Forward { task, .. } if task.is_finished()) {
            self.settle(&mut running).await;
        }
        matches!(*running, Running::Nothing)
    }

    /// Ends at once what runs in the background: another process leads switches.
    pub(crate) async fn let_go(&self) {
        let mut running = self.running.lock().await;
        match std::mem::replace(&mut *running, Running::Nothing) {
            Running::Nothing => {}
            Running::Forward { task, .. } => task.abort(),
            Running::Reverse(reverse) => reverse.abort(),
        }
    }

    /// Stops what runs in the background, for shutdown. The next start goes on with it.
    pub async fn close(&self) {
        let mut running = self.running.lock().await;
        self.stop(&mut running, Wish::Stop).await;
        if let Running::Reverse(reverse) = std::mem::replace(&mut *running, Running::Nothing)
            && let Err(error) = reverse.stop().await
        {
            tracing::warn!(?error, "the way back ended with an error");
        }
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
    let next = match record.phase {
        Phase::Committed => {
            "`truststream switch finalize` closes its way back, `truststream switch back` returns"
        }
        Phase::RolledBack => "`truststream switch finalize` removes what was installed for it",
        phase if phase.is_before_commit() => {
            "`truststream switch status` shows how far it is, `truststream switch abort` gives it up"
        }
        _ => "`truststream switch status` shows how far it is",
    };
    Error::new(ErrorKind::Conflict, "BACKEND_011", message).with_hint(next)
}

fn none_under_way() -> Error {
    Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch is under way")
        .with_hint("`truststream switch start` begins one")
}

pub(crate) fn nothing_committed() -> Error {
    Error::new(ErrorKind::NotFound, "BACKEND_011", "no switch has committed")
        .with_hint("`truststream switch status` shows where the latest one stands")
}
