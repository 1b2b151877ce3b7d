//! Changing the owner of the route, with no write lost and none refused.
//!
//! The order of the steps is [`CutOver`]'s; here each of them is done.

use std::time::Duration;

use tokio::time::Instant;
use truststream_kernel::{Error, Outcome, Result};
use truststream_services::database::{Position, Prepare};

use crate::ambient::now_ms;
use crate::control::LOST;
use crate::definitions::{Definitions, Look};
use crate::failpoint::Moment;
use crate::fence::{Closing, is_busy};
use crate::follow::{Follower, end_of};
use crate::machine::{Act, CutOver, Event, Hold, Seen, State, Step};
use crate::mutation::Mutation;
use crate::progress::Meter;
use crate::record::Flip;
use crate::routes::Routes;
use crate::signal::Signal;
use crate::{Options, machine};

/// Longest wait before a cut-over that would pause writes too long is tried again.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// How much longer than the longest pause a fence stands if nobody lifts it: whoever set it may be gone.
const GRACE: Duration = Duration::from_millis(500);

/// A cut-over: the sides are those of the follower.
pub(crate) struct Flipping<'a> {
    pub(crate) routes: &'a Routes,
    pub(crate) follower: &'a mut Follower,
    pub(crate) options: &'a Options,
    pub(crate) meter: &'a Meter,
    pub(crate) signal: &'a Signal,
    /// How often it is tried, if not until it succeeds.
    pub(crate) attempts: u32,
    /// The part whose owner changes, if not everything.
    pub(crate) part: Option<&'a str>,
    /// What the source has to be defined by still.
    pub(crate) defined: Option<&'a Definitions>,
    /// Since when writes wait, if they were held before this began; until it fails once.
    pub(crate) held_since: Option<Instant>,
}

impl Flipping<'_> {
    /// Makes the follower's target the owner of the route, or of a part. Returns what happened and the position
    /// of the new owner's feed from which on its own changes follow.
    ///
    /// # Errors
    /// When catching up never ends inside the longest pause, a step fails, or the source's schema is another
    /// one by now: the fence is lifted then, and the old owner serves as before.
    pub(crate) async fn run(&mut self) -> Result<(Flip, Position)> {
        let mut delay = Duration::from_millis(50);
        for attempt in 1..=self.attempts {
            self.signal.check().map_err(before_commit)?;
            let look = match self.defined {
                Some(defined) => Some(defined.look(&self.follower.source).await.map_err(before_commit)?),
                None => None,
            };
            self.follower.catch_up().await.map_err(before_commit)?;
            if let Some((mut flip, start)) = self.try_once(look.as_ref()).await? {
                flip.attempts = attempt;
                return Ok((flip, start));
            }
            let note = format!(
                "writes could not be held for less than {} ms, attempt {attempt}; nothing has changed, again in {} ms",
                self.options.max_pause_ms,
                delay.as_millis()
            );
            tracing::warn!("{note}");
            self.meter.note(note);
            self.signal.sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
        let message = format!("writes could not be held for less than {} ms", self.options.max_pause_ms);
        Err(before_commit(Error::timeout(message))
            .with_hint("try again when there is less to write, or allow a longer pause with --max-pause"))
    }

    async fn try_once(&mut self, look: Option<&Look<'_>>) -> Result<Option<(Flip, Position)>> {
        self.routes.settled().await;
        let gate = self.routes.gate();
        let held_since = self.held_since.take();
        if held_since.is_none() {
            gate.take_held();
        }
        gate.hold(self.options.hold_ms.map(Duration::from_millis));
        let max_pause = Duration::from_millis(self.options.max_pause_ms);
        let hold = Hold::of(max_pause + GRACE);
        let epoch = gate.route().epoch;
        let mut closing = Closing::of(self.follower, self.options.stray, &gate.route());
        if self.part.is_some() {
            // What closes a database closes all of it that was ever to be closed.
            closing = closing.of_nothing();
        }
        match closing.install(epoch).await {
            Err(error) if is_busy(&error) => return Ok(None),
            installed => installed.map_err(before_commit)?,
        }
        let fence = match self.part {
            Some(part) => Act::FencePart { part: part.to_owned(), epoch, hold },
            None => Act::Fence { epoch, hold },
        };
        // Before anybody else can see it.
        let until = Instant::now() + max_pause + GRACE;
        let fenced = self.routes.act(fence).await.map_err(before_commit)?;
        Moment::Fenced.pass();
        let began = held_since.unwrap_or_else(Instant::now);
        let stepped = tokio::time::timeout(max_pause, self.steps(&fenced, look, (&closing, until))).await;
        let events = match stepped {
            Ok(Ok(events)) => events,
            other => {
                closing.undo(&fenced.route).await;
                self.lift(&fenced).await?;
                return match other {
                    Ok(Err(error)) if !is_busy(&error) => Err(before_commit(error)),
                    _ => Ok(None),
                };
            }
        };
        let committed = match self.routes.apply(&events).await {
            Ok(state) => state,
            // Nobody may serve before it is known who does: writes stay held.
            Err(error) if error.outcome() == Outcome::Unknown => return Err(error),
            Err(error) => {
                closing.undo(&fenced.route).await;
                self.lift(&fenced).await?;
                let was_lifted = error.code() == LOST && self.routes.leads();
                return if was_lifted { Ok(None) } else { Err(before_commit(error)) };
            }
        };
        Moment::Committed.pass();
        let pause_ms = began.elapsed().as_secs_f64() * 1000.0;
        let (held, _) = gate.take_held();
        closing.keep(&committed.route).await;
        let mut start = self.start(&committed)?;
        if Mutation::LateReverse.is_made() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            start = end_of(&self.follower.target.database).await?;
        }
        let (from, to) = (self.follower.source.name.clone(), self.follower.target.name.clone());
        Ok(Some((Flip { from, to, at_ms: now_ms(), pause_ms, held, attempts: 1 }, start)))
    }

    /// Where the changes begin that the way back has to bring: those of the new owner, or of the parts
    /// that it served before.
    fn start(&self, committed: &State) -> Result<Position> {
        let armed = committed.switch.as_ref().and_then(|stage| stage.armed.clone());
        let start = armed.or_else(|| Some(committed.route.handover.as_ref()?.start.clone()));
        start.ok_or_else(|| Error::internal("a commit without the start of a feed"))
    }

    async fn lift(&self, fenced: &State) -> Result<()> {
        let lift = Act::Lift { epoch: fenced.route.epoch };
        match self.routes.act(lift).await {
            // It was due, and somebody lifted it.
            Err(error) if error.code() == LOST && self.routes.leads() => {}
            lifted => lifted.map(drop).map_err(before_commit)?,
        }
        Moment::Lifted.pass();
        Ok(())
    }

    /// Does the steps of a fenced epoch; returns what is to be stored for the commit.
    async fn steps(
        &mut self,
        fenced: &State,
        look: Option<&Look<'_>>,
        (closing, until): (&Closing, Instant),
    ) -> Result<Vec<Event>> {
        let mut state = fenced.clone();
        let mut events = Vec::new();
        let mut cut = CutOver::begin(&state)?;
        loop {
            let seen = match cut.step() {
                Step::Drain => {
                    let (drained, known) = if Mutation::EndBeforeDrain.is_made() {
                        self.routes.drained_elsewhere(fenced).await?
                    } else {
                        self.routes.drained(fenced).await?
                    };
                    let (_, ties) = self.routes.gate().touched_together();
                    let together = Event::Together { epoch: fenced.route.epoch, ties };
                    state = known.apply(&together)?;
                    events.extend([together, drained]);
                    Moment::Drained.pass();
                    Seen::Drained
                }
                Step::ReadEnd => {
                    let left = until.saturating_duration_since(Instant::now());
                    closing.close_source(&fenced.route, left).await?;
                    let source = &self.follower.source;
                    let (end, ()) = futures::try_join!(end_of(&source.database), async {
                        match look {
                            Some(look) => look.must_hold(source).await,
                            None => Ok(()),
                        }
                    })?;
                    Moment::End.pass();
                    Seen::End(end)
                }
                Step::CatchUp { end } => {
                    let end = end.clone();
                    Seen::Applied(self.catch_up(end).await?)
                }
                Step::Arm { .. } => {
                    closing.open_target(&fenced.route).await?;
                    self.follower.target.database.send(Prepare::Identities).await?;
                    Moment::Identities.pass();
                    Seen::Armed(end_of(&self.follower.target.database).await?)
                }
                Step::Commit { .. } => {
                    events.push(cut.commit(self.routes.term())?);
                    return Ok(events);
                }
            };
            cut = cut.saw(seen, &state)?;
        }
    }

    /// Applies what is left. A feed that says it is at its end was read after `end` was, so its
    /// follower has reached `end` even where positions only move with changes.
    async fn catch_up(&mut self, end: Position) -> Result<Position> {
        self.follower.catch_up().await?;
        Moment::CaughtUp.pass();
        let at = self.follower.at().clone();
        Ok(if machine::reaches(&at, &end) { at } else { end })
    }
}

/// Whatever an operation on the way left unknown: the route has not changed.
fn before_commit(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}
