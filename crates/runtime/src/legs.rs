//! One change feed for the whole life of a project, whatever backends owned it when.
//!
//! Positions are stamped with the epoch in which their stage began: a reign of one backend, or the
//! time between two parts' cut-overs, in which two backends serve different parts. A consumer reads a
//! stage up to the positions that were noted under the fence that ended it, then goes on with the
//! next: no change is missed or repeated, and a part's changes come in the order in which they were
//! made.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use truststream_kernel::{Context, Error, ErrorKind, Result, Stack, send};
use truststream_services::database::{ChangeBatch, Changes, DatabaseService, Position};
use truststream_switch::machine::{Leg, reaches};
use truststream_switch::{Route, is_stray};

use crate::feed::RoutedDatabase;

/// A stage of the feed.
pub(crate) struct Place<'r> {
    epoch: u64,
    main: &'r str,
    /// The backend that serves some parts, and where its part of the stage begins.
    other: Option<(&'r str, &'r Position)>,
    end: Option<End<'r>>,
}

/// Where a stage ends, and what comes then. Only what moved was fenced there: of everything else more
/// may have been read by then, and is not read again.
struct End<'r> {
    main: &'r Position,
    other: &'r Position,
    next: Next,
}

/// What comes after a stage.
struct Next {
    epoch: u64,
    /// Feeds that go on in it.
    feeds: Feeds,
}

enum Feeds {
    Main,
    Both,
    /// The other backend is the owner of the route.
    Other,
}

impl<'r> Place<'r> {
    /// The stage that has not ended yet.
    pub(crate) fn present(route: &'r Route) -> Self {
        Place::of_reign(&route.owner, route.reign, &route.legs, None, route.legs.len())
    }

    /// The stage that began in an epoch.
    fn find(route: &'r Route, epoch: u64) -> Option<Self> {
        let place = |reign: u64, legs: &[Leg]| match epoch {
            epoch if epoch == reign => Some(0),
            epoch => legs.iter().position(|leg| leg.epoch == epoch).map(|index| index + 1),
        };
        if let Some(index) = place(route.reign, &route.legs) {
            return Some(Place::of_reign(&route.owner, route.reign, &route.legs, None, index));
        }
        // What came last of one that was lost may be nowhere.
        let handover = route.handover.as_ref().filter(|handover| !handover.lost)?;
        let index = place(handover.reign, &handover.legs)?;
        let next = Next { epoch: route.reign, feeds: Feeds::Other };
        let last = End { main: &handover.end, other: &handover.start, next };
        Some(Place::of_reign(&handover.from, handover.reign, &handover.legs, Some(last), index))
    }

    fn of_reign(main: &'r str, reign: u64, legs: &'r [Leg], last: Option<End<'r>>, index: usize) -> Self {
        let began = index.checked_sub(1).map(|before| &legs[before]);
        let other = began.and_then(|leg| Some((leg.with.as_deref()?, &leg.other)));
        let end = match legs.get(index) {
            Some(leg) => {
                let feeds = if leg.with.is_some() { Feeds::Both } else { Feeds::Main };
                let next = Next { epoch: leg.epoch, feeds };
                Some(End { main: &leg.main, other: &leg.other, next })
            }
            None => last,
        };
        Place { epoch: began.map_or(reign, |leg| leg.epoch), main, other, end }
    }

    /// The place of this stage where its main backend's feed stands at `at`, and the other's at its
    /// present end.
    pub(crate) async fn from(
        &self,
        database: &RoutedDatabase,
        cx: &Context,
        at: Position,
    ) -> Result<Position> {
        let at = match self.other {
            None => at,
            Some((other, _)) => {
                let stack = database.stacks.stack(other)?;
                let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
                let end = send(&stack, cx, ask).await?.position;
                Position::Both { main: Box::new(at), other: Box::new(end), of_other: false }
            }
        };
        Ok(Position::Routed { epoch: self.epoch, at: Box::new(at) })
    }
}

impl RoutedDatabase {
    pub(crate) async fn changes(&self, cx: &Context, op: &Changes) -> Result<ChangeBatch> {
        let mut routes = self.gate.watch();
        let route = Arc::clone(&routes.borrow_and_update());
        let owner = self.stacks.stack(&route.owner)?;
        self.carry_captures_over(cx, &route, &owner).await?;
        let (epoch, at) = match &op.after {
            None => {
                let batch = send(&owner, cx, op.clone()).await?;
                let position = Place::present(&route).from(self, cx, batch.position.clone()).await?;
                return Ok(ChangeBatch { position, ..foreign_left_out(batch) });
            }
            Some(Position::Routed { epoch, at }) => (*epoch, (**at).clone()),
            Some(other) => (route.reign, other.clone()),
        };
        let place = Place::find(&route, epoch).ok_or_else(gap)?;
        let (main, other, of_other) = match (at, place.other) {
            (Position::Both { main, other, of_other }, Some(_)) => (*main, Some(*other), of_other),
            (Position::Both { main, .. }, None) => (*main, None, false),
            (main, Some((_, begin))) => (main, Some(begin.clone()), false),
            (main, None) => (main, None, false),
        };
        let read = Reading { database: self, cx, op, place: &place, main, other, of_other };
        let Some(end) = &place.end else {
            let still = ChangeBatch {
                changes: Vec::new(),
                position: op.after.clone().unwrap_or_else(|| read.main.clone()),
                at_end: false,
            };
            if self.gate.may_be_behind() {
                // The next look finds out.
                let _ = tokio::time::timeout(op.wait, routes.changed()).await;
                return Ok(still);
            }
            let batch = read.on(&mut routes, &route).await?;
            // What was read since another stage began may belong to that, before its turn.
            let goes_on = !self.gate.may_be_behind() && !is_over(&self.gate.route(), &route);
            return Ok(if goes_on { batch } else { still });
        };
        read.until_its_end(end).await
    }
}

/// One look at a stage.
struct Reading<'r> {
    database: &'r RoutedDatabase,
    cx: &'r Context,
    op: &'r Changes,
    place: &'r Place<'r>,
    main: Position,
    other: Option<Position>,
    /// What was read last was of the other side.
    of_other: bool,
}

impl Reading<'_> {
    /// A stage that goes on: whichever side has changes first, and in turn where both have.
    async fn on(self, routes: &mut watch::Receiver<Arc<Route>>, route: &Route) -> Result<ChangeBatch> {
        let still = ChangeBatch { changes: Vec::new(), position: self.main.clone(), at_end: false };
        let Some((name, other)) = self.sides() else {
            let batch = tokio::select! {
                batch = self.ask(self.place.main, &self.main, self.op.wait) => batch?,
                // The consumer stays where it is and asks again.
                () = stage_over(routes, route) => still,
            };
            return Ok(self.of_main(batch));
        };
        let mut at_end = true;
        for is_other in [!self.of_other, self.of_other] {
            let (backend, after) = if is_other { (name, other) } else { (self.place.main, &self.main) };
            let batch = self.ask(backend, after, Duration::ZERO).await?;
            at_end &= batch.at_end;
            if !batch.changes.is_empty() {
                let batch = if is_other { self.of_other(batch) } else { self.of_main(batch) };
                return Ok(ChangeBatch { at_end: false, ..batch });
            }
        }
        if self.op.wait.is_zero() {
            return Ok(ChangeBatch { at_end, ..self.of_main(still) });
        }
        tokio::select! {
            batch = self.ask(self.place.main, &self.main, self.op.wait) => Ok(self.of_main(batch?)),
            batch = self.ask(name, other, self.op.wait) => Ok(self.of_other(batch?)),
            () = stage_over(routes, route) => Ok(self.of_main(still)),
        }
    }

    /// A stage that is over: one side to its end, then the other.
    async fn until_its_end(self, end: &End<'_>) -> Result<ChangeBatch> {
        if !reaches(&self.main, end.main) {
            let batch = self.ask(self.place.main, &self.main, Duration::ZERO).await?;
            return Ok(self.of_main(up_to(batch, end.main)));
        }
        if let Some((name, other)) = self.sides()
            && !reaches(other, end.other)
        {
            let batch = self.ask(name, other, Duration::ZERO).await?;
            return Ok(self.of_other(up_to(batch, end.other)));
        }
        let position = Position::Routed { epoch: end.next.epoch, at: Box::new(self.next(end)) };
        Ok(ChangeBatch { changes: Vec::new(), position, at_end: false })
    }

    fn next(&self, end: &End<'_>) -> Position {
        let other = self.other.clone().unwrap_or_else(|| end.other.clone());
        match end.next.feeds {
            Feeds::Main => self.main.clone(),
            Feeds::Both => {
                Position::Both { main: Box::new(self.main.clone()), other: Box::new(other), of_other: false }
            }
            Feeds::Other => other,
        }
    }

    fn sides(&self) -> Option<(&str, &Position)> {
        Some((self.place.other?.0, self.other.as_ref()?))
    }

    async fn ask(&self, backend: &str, after: &Position, wait: Duration) -> Result<ChangeBatch> {
        let stack: Stack<DatabaseService> = self.database.stacks.stack(backend)?;
        let ask = Changes { after: Some(after.clone()), wait, ..self.op.clone() };
        send(&stack, self.cx, ask).await
    }

    fn of_main(&self, batch: ChangeBatch) -> ChangeBatch {
        let main = batch.position.clone();
        self.stamp(batch, main, self.other.clone(), false)
    }

    fn of_other(&self, batch: ChangeBatch) -> ChangeBatch {
        let other = batch.position.clone();
        self.stamp(batch, self.main.clone(), Some(other), true)
    }

    fn stamp(
        &self,
        batch: ChangeBatch,
        main: Position,
        other: Option<Position>,
        of_other: bool,
    ) -> ChangeBatch {
        let at = match other {
            Some(other) => Position::Both { main: Box::new(main), other: Box::new(other), of_other },
            None => main,
        };
        let position = Position::Routed { epoch: self.place.epoch, at: Box::new(at) };
        ChangeBatch { position, ..foreign_left_out(batch) }
    }
}

/// What was read up to the end of a stage, and the place reached in it.
fn up_to(mut batch: ChangeBatch, end: &Position) -> ChangeBatch {
    let past_end = batch.changes.iter().any(|change| !end.covers(change.mark));
    batch.changes.retain(|change| end.covers(change.mark));
    // A look that found the end of the feed was made after the stage was over.
    let is_done = batch.at_end || past_end || reaches(&batch.position, end);
    let position = if is_done { end.clone() } else { batch.position };
    ChangeBatch { position, at_end: false, ..batch }
}

/// Leaves out what a switch copied: its consumers saw it on the other side.
fn foreign_left_out(mut batch: ChangeBatch) -> ChangeBatch {
    batch.changes.retain(|change| change.origin.as_deref().is_none_or(is_stray));
    batch
}

/// Whether another stage has begun since.
fn is_over(now: &Route, route: &Route) -> bool {
    now.reign != route.reign || now.legs.len() != route.legs.len()
}

/// Completes when another stage has begun.
async fn stage_over(routes: &mut watch::Receiver<Arc<Route>>, route: &Route) {
    loop {
        if routes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if is_over(&routes.borrow_and_update(), route) {
            return;
        }
    }
}

fn gap() -> Error {
    Error::new(ErrorKind::NotFound, "BACKEND_010", "the change feed no longer reaches back to this position")
        .with_hint("read the rows anew and follow the feed from its present end")
}
