//! Parts on their way: each compared, its reads moved, then its writes; each may come back.

use std::time::{Duration, Instant};

use truststream_kernel::{Error, ErrorKind, Result};

use super::parts::merged;
use super::trial::Trial;
use super::wishes::PartWish;
use super::{PartPhase, PartReport, WAIT, refuse_differences};
use crate::cutover::Flipping;
use crate::follow::Follower;
use crate::machine::{Act, Division, Part, Refused, Tie};
use crate::progress::Meter;
use crate::shared::Shared;
use crate::signal::Signal;
use crate::verify::Comparison;
use crate::{Record, Verify};

/// How often a part's return that would pause its writes too long is tried: somebody waits for it.
const ATTEMPTS: u32 = 20;

/// Moves parts, with a stream for each direction meanwhile.
pub(crate) struct Conduct<'a> {
    pub(super) shared: &'a Shared,
    pub(super) record: &'a mut Record,
    pub(super) forward: &'a mut Follower,
    backward: Option<Follower>,
    pub(super) division: Division,
    pub(super) meter: &'a Meter,
    signal: &'a Signal,
    /// The operator asked for what is being done, so that nothing else comes first.
    is_asked: bool,
}

impl<'a> Conduct<'a> {
    /// Takes up the parts as they are stored.
    pub(crate) async fn begin(
        shared: &'a Shared,
        record: &'a mut Record,
        forward: &'a mut Follower,
        meter: &'a Meter,
        signal: &'a Signal,
    ) -> Result<Self> {
        let backward = shared.parts_backward(record, forward).await?;
        shared.take_wishes_up(record.id).await?;
        let division = shared.division().await?.unwrap_or_default();
        let mut conduct =
            Conduct { shared, record, forward, backward, division, meter, signal, is_asked: false };
        conduct.direct_streams();
        conduct.tell_anew();
        Ok(conduct)
    }

    /// Whoever went before may have ended between a step and what is told of it.
    fn tell_anew(&mut self) {
        for report in &mut self.record.report.parts {
            let part = self.division.parts.iter().find(|part| part.name == report.name);
            report.phase = match part {
                Some(part) if part.moved => PartPhase::Moved,
                _ => PartPhase::Waiting,
            };
        }
    }

    /// Moves parts until all that is left is to be moved at once.
    ///
    /// # Errors
    /// `BACKEND_009` naming the kinds of reads that the target answers otherwise, or rows that differ.
    pub(crate) async fn run(&mut self) -> Result<()> {
        loop {
            self.follow().await?;
            self.merge().await?;
            let wish = self.shared.wishes.next();
            self.is_asked = wish.is_some();
            match wish.or_else(|| self.next_in_order()) {
                Some(PartWish::Move(name)) => self.there(&name).await?,
                Some(PartWish::Back(name)) => self.back(&name).await?,
                Some(PartWish::All) => {
                    self.record.options.by_hand = false;
                    self.shared.records.save(self.record).await?;
                    self.shared.wish_is_over(self.record.id).await?;
                }
                None if self.record.options.by_hand => {
                    self.meter.note("parts move when asked to (`truststream switch move`)".to_owned());
                }
                None => {
                    if self.has_a_rest().await? {
                        self.record.report.reads = Some(self.try_reads(None).await?);
                    }
                    if !self.is_wanted_elsewhere() {
                        // Both streams are close behind; the backward one goes on after the commit.
                        return self.follow().await;
                    }
                }
            }
        }
    }

    /// The next part that moves by itself.
    fn next_in_order(&self) -> Option<PartWish> {
        let left = self.division.parts.iter().find(|part| !part.moved);
        left.filter(|_| !self.record.options.by_hand).map(|part| PartWish::Move(part.name.clone()))
    }

    /// Makes one part of what was touched together since the parts were named, of what has not moved.
    async fn merge(&mut self) -> Result<()> {
        let ties = self.ties();
        if ties.is_empty() {
            return Ok(());
        }
        // What came back is compared before it is one with others.
        let came_back = |part: &&Part| !part.moved && !part.verified;
        for part in self.division.parts.iter().filter(came_back).cloned().collect::<Vec<_>>() {
            if self.record.options.verify != Verify::None {
                self.compare(&part, true).await?;
            }
        }
        let parts = merged(&self.division.parts, &ties);
        let names =
            |parts: &[Part]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>().join(", ");
        self.meter.note(format!("written together, the parts are one; those are now: {}", names(&parts)));
        let reports = &self.record.report.parts;
        let report = |part: &Part| {
            let known =
                reports.iter().find(|report| report.name == part.name && report.tables == part.tables);
            known.cloned().unwrap_or_else(|| {
                let within =
                    reports.iter().filter(|report| report.tables.iter().all(|it| part.tables.contains(it)));
                let mut flips: Vec<_> = within.flat_map(|report| report.flips.clone()).collect();
                flips.sort_by_key(|flip| flip.at_ms);
                PartReport { flips, ..PartReport::of(part) }
            })
        };
        self.record.report.parts = parts.iter().map(report).collect();
        self.shared.routes.act(Act::Divide { parts }).await?;
        self.reread().await
    }

    /// What any gateway has told to be touched together, of what has not moved.
    fn ties(&self) -> Vec<Tie> {
        let (present, own) = self.shared.routes.gate().touched_together();
        let states = self.shared.routes.node().states();
        let seen = states.borrow().as_ref().and_then(|state| state.route.division.clone());
        let told =
            seen.filter(|seen| seen.is_alike(&self.division)).map(|seen| seen.ties).unwrap_or_default();
        let is_present = present.division.as_ref().is_some_and(|present| present.is_alike(&self.division));
        let own = own.into_iter().filter(|_| is_present);
        own.chain(told).filter_map(|tie| self.division.staying(&tie)).collect()
    }

    async fn reread(&mut self) -> Result<()> {
        self.division = self.shared.division().await?.unwrap_or_default();
        self.direct_streams();
        self.shared.records.save(self.record).await
    }

    /// What each stream carries. Called only where neither has anything left of what changes.
    fn direct_streams(&mut self) {
        if let Some(backward) = &mut self.backward {
            let left_out = self.division.not_backward(backward.keys());
            backward.leave_out(left_out);
        }
        self.forward.leave_out(self.division.not_forward());
    }

    /// Parts that the target serves.
    pub(super) fn moved(&self) -> Vec<Part> {
        self.division.parts.iter().filter(|part| part.moved).cloned().collect()
    }

    fn part(&self, name: &str) -> Result<Part> {
        let place = self.division.place(name);
        place
            .map(|place| self.division.parts[place].clone())
            .ok_or_else(|| no_such_part(name, &self.division))
    }

    /// Brings both streams on; the reads under trial learn how far the target is.
    async fn follow(&mut self) -> Result<()> {
        self.follow_for(None, WAIT).await
    }

    pub(super) async fn follow_for(&mut self, trial: Option<&Trial>, time: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            self.signal.check()?;
            let asked = Instant::now();
            let step = self.forward.step(WAIT).await?;
            self.record.report.changes += step.applied;
            self.meter.followed(step);
            if let Some(backward) = &mut self.backward {
                self.record.report.changes_back += backward.step(Duration::ZERO).await?.applied;
                backward.aside.clear();
            }
            self.set_strays_down().await?;
            if let Some(trial) = trial {
                if step.at_end {
                    trial.has_all_before(asked);
                }
                self.shared.hear_of(trial).await?;
                refuse_differences(&trial.report(), &self.forward.target.name)?;
            }
            if began.elapsed() >= time || (trial.is_some() && self.is_wanted_elsewhere()) {
                return Ok(());
            }
        }
    }

    /// What somebody wrote to a part on the side that does not serve it any more.
    async fn set_strays_down(&mut self) -> Result<()> {
        let strays = std::mem::take(&mut self.forward.aside);
        if strays.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            count = strays.len(),
            "somebody writes directly to a part that another backend serves"
        );
        let mut log = self.shared.records.strays(self.record.id).await?.unwrap_or_default();
        log.seen += strays.len() as u64;
        log.keep(&strays);
        self.shared.records.save_strays(self.record.id, &log).await
    }

    /// A part goes to the target: its reads first.
    async fn there(&mut self, name: &str) -> Result<()> {
        if let Err(error) = self.name_tenant(name).await {
            return self.cannot(Some(error)).await;
        }
        let part = match self.part(name) {
            Ok(part) if !part.moved => part,
            other => return self.cannot(other.err()).await,
        };
        self.phase(name, PartPhase::Comparing).await?;
        let reads = self.try_reads(Some(&part)).await?;
        self.report(name, |report| report.reads = Some(reads));
        if self.is_wanted_elsewhere() {
            return self.phase(name, PartPhase::Waiting).await;
        }
        if self.record.options.verify != Verify::None && !part.verified {
            self.compare(&part, true).await?;
        }
        match self.cut_over(&part, u32::MAX).await {
            // It was seen only now; what was asked for is looked at again with the parts as they are then.
            Err(error) if error.native() == Some(&Refused::Tied) => return self.merge().await,
            moved => moved?,
        }
        if self.is_asked {
            self.shared.wish_is_over(self.record.id).await?;
        }
        Ok(())
    }

    /// A part returns because the operator wants it to.
    async fn back(&mut self, name: &str) -> Result<()> {
        self.record.options.by_hand = true;
        match self.part(name) {
            Ok(part) if part.moved => match self.bring_back(&part).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => return self.cannot(Some(error)).await,
                Ok(()) => {}
            },
            other => return self.cannot(other.err()).await,
        }
        self.shared.wish_is_over(self.record.id).await
    }

    /// What was asked for can't be done; the switch goes on as it was.
    async fn cannot(&mut self, error: Option<Error>) -> Result<()> {
        let refusal = match error {
            Some(error) => {
                [Some(error.message()), error.hint()].into_iter().flatten().collect::<Vec<_>>().join("; ")
            }
            None => "the part is there already".to_owned(),
        };
        tracing::warn!(refusal, "a part stays where it is");
        self.record.report.refusals.push(refusal);
        self.shared.records.save(self.record).await?;
        self.shared.wish_is_over(self.record.id).await
    }

    pub(super) async fn bring_back(&mut self, part: &Part) -> Result<()> {
        if self.record.options.verify != Verify::None {
            self.compare(part, false).await?;
        }
        self.cut_over(part, ATTEMPTS).await
    }

    /// Compares both sides of a part, following the side that serves it.
    async fn compare(&mut self, part: &Part, there: bool) -> Result<()> {
        let options = self.record.options.clone();
        let follower = if there { Some(&mut *self.forward) } else { self.backward.as_mut() };
        let follower = follower.ok_or_else(never_armed)?;
        follower.catch_up().await?;
        follower.only = self.division.rows_of(part);
        let tables = self.division.tables_of(part);
        let compared = Comparison::of(follower, &options, self.meter, self.signal).run(&tables).await;
        follower.only = None;
        compared?;
        self.shared.routes.act(Act::PartVerified { part: part.name.clone() }).await?;
        Ok(())
    }

    /// The part's writes go to the other side.
    async fn cut_over(&mut self, part: &Part, attempts: u32) -> Result<()> {
        let there = !part.moved;
        self.phase(&part.name, PartPhase::Fencing).await?;
        let options = self.record.options.clone();
        let flipped = {
            let follower = if there { Some(&mut *self.forward) } else { self.backward.as_mut() };
            let follower = follower.ok_or_else(never_armed)?;
            let (routes, meter, signal) = (&self.shared.routes, self.meter, self.signal);
            let options = &options;
            let part = Some(part.name.as_str());
            let known = if there { &self.record.defined } else { &self.record.defined_there };
            let defined = known.as_ref();
            let held_since = None;
            Flipping { routes, follower, options, meter, signal, attempts, part, defined, held_since }
                .run()
                .await
        };
        let flip = match flipped {
            Ok((flip, _)) => flip,
            Err(error) => {
                let phase = if there { PartPhase::Waiting } else { PartPhase::Moved };
                self.phase(&part.name, phase).await?;
                return Err(error);
            }
        };
        if self.backward.is_none() {
            self.backward = self.shared.parts_backward(self.record, self.forward).await?;
        }
        let phase = if there { PartPhase::Moved } else { PartPhase::Waiting };
        self.report(&part.name, |report| {
            report.phase = phase;
            report.flips.push(flip);
        });
        self.meter.note(format!("part {} is served by {}", part.name, self.serving(there)));
        self.reread().await
    }

    fn serving(&self, there: bool) -> &str {
        if there { &self.forward.target.name } else { &self.forward.source.name }
    }

    /// Whether the operator asked for something while something else is done by itself.
    pub(super) fn is_wanted_elsewhere(&self) -> bool {
        !self.is_asked && self.shared.wishes.is_asked()
    }

    pub(super) async fn phase(&mut self, name: &str, phase: PartPhase) -> Result<()> {
        self.report(name, |report| report.phase = phase);
        self.shared.records.save(self.record).await
    }

    fn report(&mut self, name: &str, change: impl FnOnce(&mut PartReport)) {
        if let Some(report) = self.record.report.parts.iter_mut().find(|part| part.name == name) {
            change(report);
        }
    }
}

fn never_armed() -> Error {
    Error::internal("no part has moved, so that there is no way back")
}

/// The error of a part that is none.
pub(crate) fn no_such_part(name: &str, division: &Division) -> Error {
    let names = division.parts.iter().map(|part| part.name.as_str());
    let tenants = division.tenancy.is_some().then_some("tenant:VALUE for any tenant");
    Error::new(ErrorKind::NotFound, "BACKEND_011", format!("there is no part `{name}`"))
        .with_hint(format!("parts are: {}", names.chain(tenants).collect::<Vec<_>>().join(", ")))
}

impl PartReport {
    pub(super) fn of(part: &Part) -> Self {
        PartReport {
            name: part.name.clone(),
            tables: part.tables.clone(),
            phase: PartPhase::Waiting,
            reads: None,
            flips: Vec::new(),
        }
    }
}
