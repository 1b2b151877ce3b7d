//! What each action does, through the crate's own transitions.

use truststream_services::database::{Position, TableName};
use truststream_switch::Route;
use truststream_switch::machine::{
    Act, CutOver, Event, Hold, Part as Named, Phase, Seen, State, Step, Strategy,
};

use super::reader::Reader;
use super::world::{Action, Entry, Gateway, InFlight, Moment, Part, Shortcut, Side, World};

pub const NAMES: [&str; 2] = ["s", "t"];

/// How long fences stand: any moment may be that much later.
const HOLD: Hold = Hold { ms: 1, extended: 0 };

const PART: &str = "p";

fn gateway_name(index: usize) -> String {
    format!("g{index}")
}

fn act(act: Act) -> Event {
    Event::Act { term: 1, act }
}

fn named() -> Named {
    Named { name: PART.to_owned(), tables: vec![TableName::public(PART)], ..Named::default() }
}

impl Moment {
    /// Both sides hold the same; they have yet to be compared, and the parts to be named.
    pub fn first(world: &World) -> Self {
        let mut state = State::first(Route::first(NAMES[0]));
        let joined = (0..world.gateways)
            .map(|index| Event::Join { gateway: gateway_name(index), label: String::new() });
        let leads = Event::Lead { node: "c".to_owned(), still: None };
        let plan =
            Act::Plan { id: 1, to: NAMES[1].to_owned(), strategy: Strategy::Gradual, must_verify: true };
        let phases = [Phase::Preparing, Phase::Copying, Phase::Following, Phase::Verifying];
        let events = joined.chain([leads, act(plan)]).chain(phases.map(Act::Enter).map(act));
        for event in events {
            state = state.apply(&event).unwrap();
        }
        let gateway = Gateway {
            epoch: 1,
            divided: false,
            owner: [0, 0],
            held: [false, false],
            in_flight: None,
            saw_both: false,
        };
        Moment {
            state,
            gateways: vec![gateway; world.gateways],
            cut: None,
            early_end: None,
            logs: [Vec::new(), Vec::new()],
            read: [0, 0],
            next: 0,
            batches: 0,
            acknowledged: [Vec::new(), Vec::new()],
            crashes: 0,
            two_owners: false,
            compared: [false, false],
            unverified: false,
            not_held: false,
            reader: Reader::default(),
        }
    }

    fn store(&mut self, event: &Event) -> Option<()> {
        self.state = self.state.apply(event).ok()?;
        Some(())
    }

    /// Does it; `None` if it can't be done now.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Write(index, part) => {
                let gateway = &mut self.gateways[index];
                let (id, side, divided) = (self.next, gateway.owner[part], gateway.divided);
                gateway.in_flight = Some(InFlight { id, part, side, divided });
                self.next += 1;
            }
            Action::WriteBoth(index) => {
                self.batches += 1;
                self.gateways[index].saw_both = true;
            }
            Action::Accept(index) => self.accept(index)?,
            Action::See(index) => {
                let (owner, held) = ([0, 1].map(|part| self.owner(part)), [0, 1].map(|part| self.held(part)));
                let route = &self.state.route;
                let gateway = &mut self.gateways[index];
                (gateway.epoch, gateway.divided) = (route.epoch, route.division.is_some());
                (gateway.owner, gateway.held) = (owner, held);
            }
            Action::Acknowledge(index) => {
                let (gateway, epoch) = (gateway_name(index), self.gateways[index].epoch);
                let tells = self.gateways[index].saw_both && !world.is(Shortcut::UntoldTies);
                let ties = if tells { vec![vec![None, Some(0)]] } else { Vec::new() };
                let told = self.state.apply(&Event::Together { epoch, ties }).ok()?;
                self.state = told.apply(&Event::Acknowledge { gateway, epoch }).ok()?;
            }
            Action::Divide => {
                if self.state.route.division.is_some() {
                    return None;
                }
                self.store(&act(Act::Divide { parts: vec![named()] }))?;
            }
            Action::Verify => self.verify(world)?,
            Action::VerifyPart => self.verify_part(world)?,
            Action::FencePart => {
                let (part, epoch, hold) = (PART.to_owned(), self.state.route.epoch, HOLD);
                self.fence(world, Act::FencePart { part, epoch, hold })?;
            }
            Action::FenceAll => {
                let (epoch, hold) = (self.state.route.epoch, HOLD);
                self.fence(world, Act::Fence { epoch, hold })?;
            }
            Action::Step => self.step(world)?,
            Action::Crash => {
                self.crashes += 1;
                self.cut = None;
            }
            Action::Lift => {
                let epoch = self.state.route.epoch;
                self.store(&Event::Expire { epoch, hold: self.state.route.hold })?;
                self.cut = None;
            }
            Action::GiveUp => {
                if world.is(Shortcut::GivenUpWithParts)
                    && let Some(division) = &mut self.state.route.division
                {
                    division.parts[0].moved = false;
                }
                self.store(&act(Act::GiveUp))?;
                self.cut = None;
            }
            Action::Apply(side) => self.apply(world, side),
            Action::Read(side) => {
                let mut reader = std::mem::take(&mut self.reader);
                let done = reader.read(self, side, world.is(Shortcut::NoStages));
                self.reader = reader;
                done?;
            }
        }
        Some(())
    }

    fn accept(&mut self, index: usize) -> Option<()> {
        let InFlight { id, part, side, .. } = self.gateways[index].in_flight.take()?;
        self.two_owners |= !self.held(part) && side != self.owner(part);
        self.not_held |= part == 1 && self.held(0) && !self.held(1);
        self.logs[side].push(Entry { id, part, applied: false });
        self.acknowledged[part].push(id);
        Some(())
    }

    /// One entry of the other side's feed; what a stream applied is carried by none.
    fn apply(&mut self, world: &World, side: Side) {
        let entry = self.logs[1 - side][self.read[side]];
        self.read[side] += 1;
        if !entry.applied || world.is(Shortcut::Echo) {
            self.logs[side].push(Entry { applied: true, ..entry });
        }
    }

    /// Whether a side has all of a part that the other one has, as far as it has read.
    fn is_equal(&self, part: Part, side: Side) -> bool {
        let read = &self.logs[1 - side][..self.read[side]];
        let has = |entry: &&Entry| self.logs[side].iter().any(|copy| copy.id == entry.id);
        read.iter().filter(|entry| entry.part == part).all(|entry| has(&entry))
    }

    fn verify(&mut self, world: &World) -> Option<()> {
        let side = match self.phase() {
            Phase::Verifying if self.state.switch.as_ref()?.verified => {
                return self.store(&act(Act::Enter(Phase::Ready)));
            }
            Phase::Verifying => 1,
            Phase::Committed => 0,
            _ => return None,
        };
        if !self.is_equal(0, side) || !self.is_equal(1, side) {
            return None;
        }
        self.store(&act(Act::Verified))?;
        self.compared = [!world.is(Shortcut::Unverified); 2];
        Some(())
    }

    fn verify_part(&mut self, world: &World) -> Option<()> {
        if !self.is_equal(0, 1 - self.owner(0)) {
            return None;
        }
        self.store(&act(Act::PartVerified { part: PART.to_owned() }))?;
        self.compared[0] = !world.is(Shortcut::Unverified);
        Some(())
    }

    fn length(&self, side: Side) -> u64 {
        self.logs[side].len() as u64
    }

    fn fence(&mut self, world: &World, fence: Act) -> Option<()> {
        let from = self.owner(if matches!(fence, Act::Fence { .. }) { 1 } else { 0 });
        self.store(&act(fence))?;
        self.early_end = world.is(Shortcut::EndBeforeDrain).then(|| self.length(from));
        Some(())
    }

    /// One step of the cut-over, or its beginning.
    fn step(&mut self, world: &World) -> Option<()> {
        let Some(cut) = self.cut.clone() else {
            self.cut = Some(CutOver::begin(&self.state).ok()?);
            return Some(());
        };
        let part = if self.state.route.fenced { 1 } else { 0 };
        let (from, to) = (self.owner(part), 1 - self.owner(part));
        let seen = match cut.step() {
            Step::Drain => Seen::Drained,
            Step::ReadEnd => {
                Seen::End(Position::Sequence(self.early_end.unwrap_or_else(|| self.length(from))))
            }
            Step::CatchUp { end } if world.is(Shortcut::NoCatchUp) => Seen::Applied(end.clone()),
            Step::CatchUp { .. } => Seen::Applied(Position::Sequence(self.read[to] as u64)),
            Step::Arm { .. } => Seen::Armed(Position::Sequence(self.length(to))),
            Step::Commit { .. } => return self.commit(world, part, &cut.commit(1).ok()?),
        };
        self.cut = Some(cut.saw(seen, &self.state).ok()?);
        Some(())
    }

    fn commit(&mut self, world: &World, part: Part, event: &Event) -> Option<()> {
        let was_armed = self.state.switch.as_ref()?.armed.is_some();
        let late = world.is(Shortcut::LegsNotedLate) && part == 0;
        let event = match event {
            Event::Act { term, act: Act::MovePart { epoch, end, start: Position::Sequence(start) } }
                if late =>
            {
                let start = Position::Sequence(start + 1);
                Event::Act { term: *term, act: Act::MovePart { epoch: *epoch, end: end.clone(), start } }
            }
            event => event.clone(),
        };
        let had_moved = self.has_moved();
        self.store(&event)?;
        self.cut = None;
        // Everything that the owner before served goes with the rest.
        let goes: &[Part] = match part {
            1 if had_moved => &[1],
            1 => &[0, 1],
            _ => &[0],
        };
        for part in goes {
            self.unverified |= !self.compared[*part];
            self.compared[*part] = false;
        }
        let Event::Act { act: Act::MovePart { start, .. } | Act::HandOver { start, .. }, .. } = &event else {
            return Some(());
        };
        let Position::Sequence(start) = *start else { return None };
        let is_last = part == 1 && self.phase() == Phase::Committed;
        if !was_armed || (is_last && world.is(Shortcut::BackwardFromTheLast)) {
            self.read[0] = (start as usize).min(self.logs[1].len());
        }
        Some(())
    }
}
