//! What each action does, through the crate's own transitions.

use truststream_services::database::Position;
use truststream_switch::Route;
use truststream_switch::machine::{
    Act, CutOver, Event, Hold, Lease, Phase, Seen, State, Step, Still, Strategy,
};

use super::world::{Action, Coordinator, Entry, Gateway, InFlight, Moment, NAMES, Shortcut, World};

/// How long fences stand: any moment may be that much later.
const HOLD: Hold = Hold { ms: 1, extended: 0 };

fn gateway_name(index: usize) -> String {
    format!("g{index}")
}

fn coordinator_name(index: usize) -> String {
    format!("c{index}")
}

impl Moment {
    /// Both sides hold the same and every node is up; they have yet to be compared.
    pub fn first(world: &World) -> Self {
        let mut state = State::first(Route::first(NAMES[0]));
        for gateway in 0..world.gateways {
            state = state.apply(&join(gateway)).unwrap();
        }
        state = state.apply(&Event::Lead { node: coordinator_name(0), still: None }).unwrap();
        let (id, to, strategy) = (1, NAMES[1].to_owned(), Strategy::BlueGreen);
        let phases = [Phase::Preparing, Phase::Copying, Phase::Following, Phase::Verifying];
        let acts = [Act::Plan { id, to, strategy, must_verify: true }]
            .into_iter()
            .chain(phases.into_iter().map(Act::Enter));
        for act in acts {
            state = state.apply(&Event::Act { term: 1, act }).unwrap();
        }
        let gateway = Gateway { epoch: 1, owner: 0, fenced: false, in_flight: None, lapsed: false };
        let mut coordinators = vec![Coordinator::default(); world.coordinators];
        coordinators[0].term = Some(1);
        Moment {
            state,
            gateways: vec![gateway; world.gateways],
            coordinators,
            logs: [Vec::new(), Vec::new()],
            applied: [0, 0],
            next: 0,
            acknowledged: Vec::new(),
            expirations: 0,
            crashes: 0,
            two_owners: false,
            compared: false,
            unverified: false,
            arm_later: false,
            applied_twice: false,
            committers: Vec::new(),
            fencers: Vec::new(),
            leaderless: false,
        }
    }

    pub fn is_registered(&self, gateway: usize) -> bool {
        self.state.gateways.contains_key(&gateway_name(gateway))
    }

    pub fn acknowledged_epoch(&self, gateway: usize) -> u64 {
        self.state.gateways.get(&gateway_name(gateway)).map_or(0, |lease| lease.acknowledged)
    }

    /// The only way in which the stored state changes; `None` if the machine refuses.
    fn store(&mut self, event: &Event) -> Option<()> {
        self.state = self.state.apply(event).ok()?;
        Some(())
    }

    /// Does it; `None` if it can't be done now.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Write(gateway) => {
                let (id, side) = (self.next, self.gateways[gateway].owner);
                self.gateways[gateway].in_flight = Some(InFlight { id, side });
                self.next += 1;
            }
            Action::Accept(gateway) => self.accept(gateway)?,
            Action::Drop(gateway) => self.gateways[gateway].in_flight = None,
            Action::See(gateway) => self.see(gateway),
            Action::Acknowledge(index) => {
                let (gateway, epoch) = (gateway_name(index), self.gateways[index].epoch);
                self.store(&Event::Acknowledge { gateway, epoch })?;
            }
            Action::Expire(gateway) => {
                self.expirations += 1;
                self.gateways[gateway].lapsed = true;
            }
            Action::Expel(gateway) => {
                let gateway = gateway_name(gateway);
                let beat = self.state.gateways[&gateway].beat;
                self.store(&Event::Expel { gateway, beat })?;
            }
            Action::Return(index) => {
                self.store(&Event::Leave { gateway: gateway_name(index) })?;
                self.store(&join(index))?;
                self.gateways[index].lapsed = false;
                if !world.is(Shortcut::LeaseWithoutRoute) {
                    self.see(index);
                }
            }
            Action::Coordinate(coordinator) => self.coordinate(world, coordinator)?,
            Action::Crash(coordinator) => {
                self.crashes += 1;
                self.coordinators[coordinator] = Coordinator::default();
                self.leaderless = true;
            }
            Action::CoordinatorLeaseEnds => {
                self.crashes += 1;
                self.leaderless = true;
            }
            Action::Lift => {
                let epoch = self.state.route.epoch;
                self.store(&Event::Expire { epoch, hold: self.state.route.hold })?;
            }
            Action::GiveUp(coordinator) => {
                let term = self.coordinators[coordinator].term?;
                self.store(&Event::Act { term, act: Act::GiveUp })?;
            }
            Action::Apply(side) => self.apply_one(side, self.applied[side])?,
            Action::ApplyAgain(side) => {
                self.applied_twice = true;
                let entry = self.logs[1 - side][0];
                if entry.applied {
                    return None;
                }
                self.logs[side].push(Entry { id: entry.id, applied: true });
            }
            Action::ArmLate => {
                self.arm_later = false;
                self.applied[0] = self.logs[1].len();
            }
        }
        Some(())
    }

    fn accept(&mut self, gateway: usize) -> Option<()> {
        let InFlight { id, side } = self.gateways[gateway].in_flight.take()?;
        self.two_owners |= !self.state.route.fenced && side != self.owner();
        self.logs[side].push(Entry { id, applied: false });
        self.acknowledged.push(id);
        self.acknowledged.sort_unstable();
        Some(())
    }

    fn see(&mut self, gateway: usize) {
        let owner = self.owner();
        let seen = &mut self.gateways[gateway];
        (seen.epoch, seen.owner, seen.fenced) = (self.state.route.epoch, owner, self.state.route.fenced);
    }

    fn apply_one(&mut self, side: usize, at: usize) -> Option<()> {
        let entry = *self.logs[1 - side].get(at)?;
        self.applied[side] = at + 1;
        // What this switch applied itself does not go round in circles.
        if !entry.applied {
            self.logs[side].push(Entry { id: entry.id, applied: true });
        }
        Some(())
    }

    /// One step of a coordinator, which knows what it did itself and reads the rest anew.
    fn coordinate(&mut self, world: &World, index: usize) -> Option<()> {
        let Some(term) = self.coordinators[index].term else {
            self.take_the_lead(index)?;
            self.coordinators[index].term = Some(self.state.coordinator.term);
            return Some(());
        };
        if let Some(cut) = self.coordinators[index].cut.clone() {
            if cut.epoch() != self.state.route.epoch && !world.is(Shortcut::BlindCommit) {
                self.coordinators[index].cut = None;
                return Some(());
            }
            return self.cut_over(world, index, term, &cut);
        }
        let act = |act| Event::Act { term, act };
        match self.phase() {
            Phase::Verifying if self.state.switch.as_ref()?.verified => {
                self.store(&act(Act::Enter(Phase::Ready)))
            }
            Phase::Verifying => self.compare(world, term, 1),
            Phase::Committed if !self.state.switch.as_ref()?.verified => self.compare(world, term, 0),
            Phase::Ready | Phase::Committed => {
                let epoch = self.state.route.epoch;
                if epoch + 1 > world.epochs {
                    return None;
                }
                self.store(&act(Act::Fence { epoch, hold: HOLD }))?;
                self.fencers.push(index);
                self.begin(world, index)
            }
            Phase::Fencing | Phase::FencingBack => self.begin(world, index),
            _ => None,
        }
    }

    /// Takes the coordinator's lease; another's only once it was seen to stand still.
    fn take_the_lead(&mut self, index: usize) -> Option<()> {
        let Lease { term, beat, .. } = self.state.coordinator;
        let still = self.leaderless.then_some(Still { term, beat });
        self.store(&Event::Lead { node: coordinator_name(index), still })?;
        self.leaderless = false;
        Some(())
    }

    /// Compares what both sides hold at the position that the other one has applied.
    fn compare(&mut self, world: &World, term: u64, other: usize) -> Option<()> {
        let applied = &self.logs[1 - other][..self.applied[other]];
        let equal = applied.iter().all(|entry| self.logs[other].iter().any(|copy| copy.id == entry.id));
        if !equal {
            return None;
        }
        self.store(&Event::Act { term, act: Act::Verified })?;
        self.compared = !world.is(Shortcut::Unverified);
        Some(())
    }

    fn begin(&mut self, world: &World, index: usize) -> Option<()> {
        let cut = CutOver::begin(&self.state).ok()?;
        let end = self.logs[self.owner()].len() as u64;
        let coordinator = &mut self.coordinators[index];
        coordinator.early_end = world.is(Shortcut::EndBeforeDrain).then_some(end);
        coordinator.stale = world.is(Shortcut::BlindCommit).then(|| Box::new(self.state.clone()));
        coordinator.cut = Some(cut);
        Some(())
    }

    fn cut_over(&mut self, world: &World, index: usize, term: u64, cut: &CutOver) -> Option<()> {
        let (from, to) = (self.owner(), 1 - self.owner());
        let length = |side: usize, logs: &[Vec<Entry>; 2]| Position::Sequence(logs[side].len() as u64);
        let skips = world.is(Shortcut::SkippingSuccessor) && self.fencers.last() != Some(&index);
        let state = self.coordinators[index].stale.as_deref().unwrap_or(&self.state);
        let seen = match cut.step() {
            Step::Drain if skips => {
                let mut believed = state.clone();
                believed.gateways.clear();
                let next = cut.saw(Seen::Drained, &believed).ok()?;
                self.coordinators[index].cut = Some(next);
                return Some(());
            }
            Step::Drain if world.is(Shortcut::BlindCommit) => {
                // It drains as it must; only what it commits upon is old.
                if !self.state.unacknowledged().is_empty() {
                    return None;
                }
                let mut known = state.clone();
                known.gateways = self.state.gateways.clone();
                let next = cut.saw(Seen::Drained, &known).ok()?;
                self.coordinators[index].stale = Some(Box::new(known));
                self.coordinators[index].cut = Some(next);
                return Some(());
            }
            Step::Drain => Seen::Drained,
            Step::ReadEnd => match self.coordinators[index].early_end {
                Some(end) => Seen::End(Position::Sequence(end)),
                None => Seen::End(length(from, &self.logs)),
            },
            Step::CatchUp { end } if skips || world.is(Shortcut::NoCatchUp) => Seen::Applied(end.clone()),
            Step::CatchUp { .. } => Seen::Applied(Position::Sequence(self.applied[to] as u64)),
            Step::Arm { .. } => Seen::Armed(length(to, &self.logs)),
            Step::Commit { start, .. } => {
                let Position::Sequence(start) = *start else { return None };
                return self.commit(world, index, &cut.commit(term).ok()?, start as usize, skips);
            }
        };
        let next = cut.saw(seen, state).ok()?;
        self.coordinators[index].cut = Some(next);
        Some(())
    }

    fn commit(
        &mut self,
        world: &World,
        index: usize,
        event: &Event,
        start: usize,
        skips: bool,
    ) -> Option<()> {
        let there = self.phase() == Phase::Fencing;
        let coordinator = std::mem::take(&mut self.coordinators[index]);
        self.coordinators[index].term = coordinator.term;
        let stored = match coordinator.stale {
            Some(stale) => stale.apply(event).ok(),
            None if skips => {
                let mut believed = self.state.clone();
                believed.gateways.clear();
                believed
                    .apply(event)
                    .ok()
                    .map(|after| State { gateways: self.state.gateways.clone(), ..after })
            }
            None => self.state.apply(event).ok(),
        };
        // Refused: it has dropped the cut-over and looks at the state anew.
        let Some(stored) = stored else { return Some(()) };
        self.state = stored;
        self.unverified |= !self.compared;
        self.compared = false;
        self.committers.push(index);
        if there {
            self.arm_later = world.is(Shortcut::ArmedLate);
            self.applied[0] = start;
        }
        Some(())
    }
}

fn join(gateway: usize) -> Event {
    Event::Join { gateway: gateway_name(gateway), label: String::new() }
}
