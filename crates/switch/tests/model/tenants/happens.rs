//! What each action does, through the crate's own transitions.

use truststream_services::database::{Position, TableName};
use truststream_switch::Route;
use truststream_switch::machine::{
    Act, CutOver, Event, Hold, Phase, Seen, State, Step, Strategy, Tenancy, TenantKind,
};

use super::world::{
    ALL, Action, Entry, Gateway, InFlight, Moment, NAMES, Shortcut, Side, Whose, World, is_held, named,
    owner, part,
};

/// How long fences stand: any moment may be that much later.
const HOLD: Hold = Hold { ms: 1, extended: 0 };

fn gateway_name(index: usize) -> String {
    format!("g{index}")
}

fn act(act: Act) -> Event {
    Event::Act { term: 1, act }
}

fn tenancy() -> Box<Tenancy> {
    let tables = vec![(TableName::public("notes"), "org".to_owned())];
    let (across, within) = (Vec::new(), Vec::new());
    Box::new(Tenancy { tables, kind: TenantKind::Text, claim: None, across, within, embeds: true })
}

impl Moment {
    /// Both sides hold the same and were compared; no tenant is named.
    pub fn first(world: &World) -> Self {
        let joined = (0..world.gateways)
            .map(|index| Event::Join { gateway: gateway_name(index), label: String::new() });
        let leads = Event::Lead { node: "c".to_owned(), still: None };
        let acts = [
            Act::Plan { id: 1, to: "t".to_owned(), strategy: Strategy::Gradual, must_verify: true },
            Act::Enter(Phase::Preparing),
            Act::DivideByTenants { tenancy: tenancy() },
            Act::Enter(Phase::Copying),
            Act::Enter(Phase::Following),
            Act::Enter(Phase::Verifying),
            Act::Verified,
            Act::Enter(Phase::Ready),
        ];
        let events = joined.chain([leads]).chain(acts.map(act));
        let state = events.fold(State::first(Route::first("s")), |state, event| state.apply(&event).unwrap());
        let gateway = Gateway { route: state.route.clone(), in_flight: None };
        Moment {
            state,
            gateways: vec![gateway; world.gateways],
            cut: None,
            logs: [Vec::new(), Vec::new()],
            read: [0, 0],
            next: 0,
            acknowledged: [Vec::new(), Vec::new(), Vec::new()],
            two_owners: false,
            compared: [true; 3],
            unverified: false,
            refused: false,
            lifts: 0,
        }
    }

    fn store(&mut self, event: &Event) -> Option<()> {
        self.state = self.state.apply(event).ok()?;
        Some(())
    }

    /// Does it; `None` if it can't be done now.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        let name = |whose: Whose| NAMES[whose].to_owned();
        let epoch = self.state.route.epoch;
        match action {
            Action::Write(index, said, whose) => self.write(world, index, said, whose)?,
            Action::Accept(index) => self.accept(index)?,
            Action::See(index) => self.gateways[index].route = self.state.route.clone(),
            Action::Acknowledge(index) => {
                let (gateway, epoch) = (gateway_name(index), self.gateways[index].route.epoch);
                self.store(&Event::Acknowledge { gateway, epoch })?;
            }
            Action::Name(whose) => self.store(&act(Act::NameTenant { part: name(whose) }))?,
            Action::Fence(whose) => {
                self.store(&act(Act::FencePart { part: name(whose), epoch, hold: HOLD }))?;
            }
            Action::Step => self.step()?,
            Action::Lift => {
                self.store(&Event::Expire { epoch, hold: self.state.route.hold })?;
                self.lifts += 1;
                self.cut = None;
            }
            Action::Verify(whose) => {
                let there = 1 - owner(&self.state.route, whose);
                if self.compared[whose] || !self.is_equal(whose, there) {
                    return None;
                }
                self.store(&act(Act::PartVerified { part: name(whose) }))?;
                self.compared[whose] = true;
            }
            Action::Apply(side) => {
                let entry = self.logs[1 - side][self.read[side]];
                self.read[side] += 1;
                if !entry.applied {
                    self.logs[side].push(Entry { applied: true, ..entry });
                }
            }
        }
        Some(())
    }

    /// What a gateway admits: what one side serves, and of which nothing is held.
    fn write(&mut self, world: &World, index: usize, said: Option<Whose>, whose: Whose) -> Option<()> {
        let route = &self.gateways[index].route;
        let touches: Vec<_> = match said {
            Some(said) => vec![part(route, said)],
            None => ALL.to_vec(),
        };
        if touches.iter().any(|touched| is_held(route, *touched)) {
            return None;
        }
        let mut owners: Vec<_> = touches.iter().map(|touched| owner(route, *touched)).collect();
        owners.dedup();
        let side = match owners[..] {
            [side] => side,
            _ if world.is(Shortcut::SentToTheOwner) => 0,
            _ => {
                self.refused = true;
                return Some(());
            }
        };
        let write = InFlight { id: self.next, whose, side, touches, named: named(route) };
        self.gateways[index].in_flight = Some(write);
        self.next += 1;
        Some(())
    }

    fn accept(&mut self, index: usize) -> Option<()> {
        let InFlight { id, whose, side, .. } = self.gateways[index].in_flight.take()?;
        let route = &self.state.route;
        self.two_owners |= !is_held(route, whose) && side != owner(route, whose);
        self.logs[side].push(Entry { id, whose, applied: false });
        self.acknowledged[whose].push(id);
        Some(())
    }

    /// Whether a side has all of somebody's rows that it has read of the other one.
    fn is_equal(&self, whose: Whose, side: Side) -> bool {
        let read = &self.logs[1 - side][..self.read[side]];
        let has = |entry: &&Entry| self.logs[side].iter().any(|copy| copy.id == entry.id);
        read.iter().filter(|entry| entry.whose == whose).all(|entry| has(&entry))
    }

    fn length(&self, side: Side) -> u64 {
        self.logs[side].len() as u64
    }

    /// One step of the cut-over, or its beginning.
    fn step(&mut self) -> Option<()> {
        let Some(cut) = self.cut.clone() else {
            self.cut = Some(CutOver::begin(&self.state).ok()?);
            return Some(());
        };
        let whose = ALL.into_iter().find(|whose| is_held(&self.state.route, *whose))?;
        let from = owner(&self.state.route, whose);
        let seen = match cut.step() {
            Step::Drain => Seen::Drained,
            Step::ReadEnd => Seen::End(Position::Sequence(self.length(from))),
            Step::CatchUp { .. } => Seen::Applied(Position::Sequence(self.read[1 - from] as u64)),
            Step::Arm { .. } => Seen::Armed(Position::Sequence(self.length(1 - from))),
            Step::Commit { start, .. } => {
                let (first, start) = (self.state.switch.as_ref()?.armed.is_none(), start.clone());
                self.store(&cut.commit(1).ok()?)?;
                self.unverified |= !self.compared[whose];
                self.compared[whose] = false;
                if let (true, Position::Sequence(start)) = (first, start) {
                    self.read[0] = start as usize;
                }
                self.cut = None;
                return Some(());
            }
        };
        self.cut = Some(cut.saw(seen, &self.state).ok()?);
        Some(())
    }
}
