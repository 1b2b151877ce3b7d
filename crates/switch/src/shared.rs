//! What all steps of a switch work with, and how one is entered, given up and finalized.

use std::sync::Arc;

use truststream_kernel::{Error, Result};
use truststream_services::database::{Capture, Prepare};

use crate::failpoint::Moment;
use crate::gradual::Wishes;
use crate::machine::{Act, Refused, State};
use crate::objects::forget;
use crate::records::Records;
use crate::{Phase, Reads, Record, Routes, Sides};

/// What the steps of a switch work with.
pub(crate) struct Shared {
    pub(crate) routes: Routes,
    pub(crate) records: Records,
    pub(crate) sides: Arc<dyn Sides>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) wishes: Wishes,
}

impl Shared {
    /// What steps work with, before any of them.
    pub(crate) fn new(routes: Routes, records: Records, sides: Arc<dyn Sides>) -> Self {
        Shared { routes, records, sides, reads: Arc::default(), wishes: Wishes::default() }
    }

    /// Does what only a leader may do, for as long as this process leads: one that was frozen does not
    /// go on where it stood.
    ///
    /// # Errors
    /// When it leads no more; otherwise the work's own.
    pub(crate) async fn as_leader<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let done = self.routes.while_leading(Box::pin(work)).await;
        done.unwrap_or_else(|| Err(Error::from(Refused::NotLeading)))
    }

    /// Enters a phase that does not change the route.
    pub(crate) async fn enter(&self, record: &mut Record, phase: Phase) -> Result<()> {
        self.routes.act(Act::Enter(phase)).await?;
        record.enter(phase);
        self.records.save(record).await
    }

    /// Lifts the fence of a cut-over that nobody is in the middle of.
    pub(crate) async fn unfence(&self) -> Result<State> {
        let state = self.routes.stored().await?;
        let phase = state.switch.as_ref().map(|stage| stage.phase);
        let is_cut_over = matches!(phase, None | Some(Phase::Fencing | Phase::FencingBack));
        if (state.route.fenced && is_cut_over) || state.fenced_part().is_some() {
            let state = self.routes.act(Act::Lift { epoch: state.route.epoch }).await?;
            if let Err(error) = self.open_owner(&state.route).await {
                tracing::warn!(?error, "direct writers stay refused until the fence is due");
            }
            return Ok(state);
        }
        Ok(state)
    }

    /// Leaves the source as it was and the target empty.
    ///
    /// # Errors
    /// When the target serves, or a part that it serves can't be brought back: what it holds is then
    /// all there is.
    pub(crate) async fn abandon(&self, record: &mut Record, reason: &str) -> Result<()> {
        self.forget_wishes(record.id).await?;
        self.bring_parts_back(record).await?;
        self.routes.act(Act::GiveUp).await?;
        Moment::GivingUp.pass();
        record.report.failure = Some(reason.to_owned());
        record.enter(Phase::Aborting);
        record.paused = false;
        self.records.save(record).await?;
        let source = self.sides.side(&record.from).await?;
        let target = self.sides.side(&record.to).await?;
        let consumer = record.consumer();
        self.remove_fences(record).await?;
        self.end_trials(record).await?;
        source.database.send(Capture { consumer: consumer.clone(), tables: Vec::new() }).await?;
        target.database.send(Capture { consumer, tables: Vec::new() }).await?;
        // A mirror goes on from where the switch brought it.
        if record.stream.is_none() {
            // Until then the target was only found to be empty, or not to be.
            if record.history.iter().any(|(phase, _)| *phase == Phase::Copying) {
                forget(&source, &target, &record.options).await?;
            }
            let claim = self.claim(&target).await?;
            Moment::Discarding.pass();
            claim.prepare(Prepare::Discard).await?;
        }
        Moment::Discarded.pass();
        self.enter(record, Phase::Aborted).await
    }

    /// Closes the way back and removes what a switch installed. The side that does not serve is
    /// emptied if it is the target.
    pub(crate) async fn finalize(&self, record: &mut Record) -> Result<()> {
        self.enter(record, Phase::Finalizing).await?;
        Moment::Finalizing.pass();
        self.remove_fences(record).await?;
        for name in [&record.from, &record.to] {
            let side = self.sides.side(name).await?;
            side.database.send(Capture { consumer: record.consumer(), tables: Vec::new() }).await?;
        }
        Moment::Released.pass();
        let rolled_back = self.routes.stored().await?.route.owner == record.from;
        let prepare = if rolled_back && record.stream.is_none() { Prepare::Discard } else { Prepare::Keep };
        let target = self.sides.side(&record.to).await?;
        if matches!(prepare, Prepare::Discard) {
            forget(&self.sides.side(&record.from).await?, &target, &record.options).await?;
        }
        self.claim(&target).await?.prepare(prepare).await?;
        Moment::Settled.pass();
        self.enter(record, Phase::Finalized).await
    }
}
