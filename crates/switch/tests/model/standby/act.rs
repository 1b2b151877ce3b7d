//! What each action does, through the crate's own transitions.

use truststream_services::database::Position;
use truststream_switch::Route;
use truststream_switch::machine::{Act, Event, Hold, Lease, State, Still};

use super::world::{Action, Entry, InFlight, Moment, NAMES, Node, Place, Shortcut, Step, World};

/// How long fences stand: any moment may be that much later.
const HOLD: Hold = Hold { ms: 1, extended: 0 };

/// The mirror there is at first.
const FIRST: u64 = 1;

fn join(gateway: String) -> Event {
    Event::Join { gateway, label: String::new() }
}

impl Moment {
    /// A mirror that holds everything and was compared, kept by the first node.
    pub fn first(world: &World) -> Self {
        let mut state = State::first(Route::first(NAMES[0]));
        let mut nodes = vec![Node { epoch: 1, ..Node::default() }; world.nodes];
        for (index, node) in nodes.iter().enumerate() {
            state = state.apply(&join(name(index, node))).unwrap();
        }
        state = state.apply(&Event::Lead { node: name(0, &nodes[0]), still: None }).unwrap();
        nodes[0].term = Some(1);
        let made = Act::StandBy { id: FIRST, to: NAMES[1].to_owned() };
        for act in [made, Act::StandByVerified { id: FIRST }] {
            state = state.apply(&Event::Act { term: 1, act }).unwrap();
        }
        Moment {
            state,
            nodes,
            main: Vec::new(),
            mirror: Vec::new(),
            place: Place { mirror: FIRST, count: 0, seal: 0 },
            next: 0,
            acknowledged: Vec::new(),
            safe: Vec::new(),
            lost: None,
            crashes: 0,
            expirations: 0,
            remakes: 0,
            compared: true,
            two_owners: false,
            unverified: false,
            fencer: None,
            committer: None,
        }
    }

    fn name(&self, index: usize) -> String {
        name(index, &self.nodes[index])
    }

    pub fn is_registered(&self, index: usize) -> bool {
        self.state.gateways.contains_key(&self.name(index))
    }

    pub fn acknowledged_epoch(&self, index: usize) -> u64 {
        self.state.gateways.get(&self.name(index)).map_or(0, |gateway| gateway.acknowledged)
    }

    /// The only way in which the stored state changes; `None` if the machine refuses.
    fn store(&mut self, event: &Event) -> Option<()> {
        self.state = self.state.apply(event).ok()?;
        Some(())
    }

    fn act(&mut self, index: usize, act: Act) -> Option<()> {
        let term = self.nodes[index].term?;
        self.store(&Event::Act { term, act })
    }

    /// Does it; `None` if it can't be done now.
    pub fn happens(&mut self, world: &World, action: Action) -> Option<()> {
        match action {
            Action::Write(index) => {
                let node = &mut self.nodes[index];
                node.in_flight = Some(InFlight { id: self.next, side: node.owner });
                self.next += 1;
            }
            Action::Accept(index) => self.accept(world, index)?,
            Action::Drop(index) => self.nodes[index].in_flight = None,
            Action::See(index) => self.see(index),
            Action::Acknowledge(index) => {
                let (gateway, epoch) = (self.name(index), self.nodes[index].epoch);
                self.store(&Event::Acknowledge { gateway, epoch })?;
            }
            Action::Expire(index) => {
                self.expirations += 1;
                self.stop(index);
            }
            Action::Crash(index) => {
                self.crashes += 1;
                self.nodes[index].in_flight = None;
                self.stop(index);
            }
            Action::Expel(index) => {
                let gateway = self.name(index);
                let beat = self.state.gateways[&gateway].beat;
                self.store(&Event::Expel { gateway, beat })?;
            }
            Action::Return(index) => {
                self.store(&Event::Leave { gateway: self.name(index) })?;
                self.nodes[index].life += 1;
                self.store(&join(self.name(index)))?;
                self.nodes[index].lapsed = false;
                self.see(index);
            }
            Action::Lead(index) => self.lead(index)?,
            Action::Resume(index) => {
                // A mirror that is made anew has another stream.
                let id = self.state.standby.as_ref()?.id;
                self.nodes[index].at = (id == self.place.mirror).then_some(self.place);
                self.nodes[index].at?;
            }
            Action::Follow(index) => {
                let at = self.nodes[index].at?;
                let id = *self.main.get(usize::from(at.count))?;
                self.nodes[index].sent = Some((at, id));
            }
            Action::Arrive(index) => self.arrive(index)?,
            Action::TakeOver(index) => self.take_over(world, index)?,
            Action::Desist(index) => {
                self.nodes[index].step = Step::Idle;
                let epoch = self.state.route.epoch;
                // It was lifted already, or somebody else leads.
                let _ = self.act(index, Act::Lift { epoch });
            }
            Action::Remake(index) => {
                let id = self.place.mirror + 1;
                self.act(index, Act::StandBy { id, to: NAMES[1].to_owned() })?;
                self.remakes += 1;
                self.mirror.clear();
                self.place = Place { mirror: id, count: 0, seal: 0 };
                self.compared = false;
                self.nodes[index].at = None;
            }
            Action::Compare(index) => {
                let equal = usize::from(self.place.count) == self.main.len();
                if !equal && !world.is(Shortcut::Unverified) {
                    return None;
                }
                self.act(index, Act::StandByVerified { id: self.place.mirror })?;
                self.compared = equal;
            }
            Action::Lift => {
                let epoch = self.state.route.epoch;
                self.store(&Event::Expire { epoch, hold: self.state.route.hold })?;
            }
        }
        Some(())
    }

    /// What it sent stays on its way.
    fn stop(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        (node.lapsed, node.term, node.at, node.step) = (true, None, None, Step::Idle);
    }

    fn see(&mut self, index: usize) {
        let owner = self.owner();
        let route = &self.state.route;
        let node = &mut self.nodes[index];
        (node.epoch, node.owner, node.fenced) = (route.epoch, owner, route.fenced);
    }

    fn accept(&mut self, world: &World, index: usize) -> Option<()> {
        let InFlight { id, side } = self.nodes[index].in_flight.take()?;
        if side == 0 {
            self.main.push(id);
        } else {
            self.mirror.push(Entry { id, applied: false });
        }
        // A write of a backend that was replaced meanwhile has an unknown outcome.
        if side == self.nodes[index].owner || world.is(Shortcut::AcknowledgedAfterwards) {
            self.two_owners |= !self.state.route.fenced && side != self.owner();
            self.acknowledged.push(id);
            self.acknowledged.sort_unstable();
        }
        Some(())
    }

    /// Takes the coordinator's lease; another's only once its holder is gone, and was seen to be.
    fn lead(&mut self, index: usize) -> Option<()> {
        let Lease { holder, term, beat } = self.state.coordinator.clone();
        let is_gone =
            !(0..self.nodes.len()).any(|other| self.name(other) == holder && !self.nodes[other].lapsed);
        let still = is_gone.then_some(Still { term, beat });
        self.store(&Event::Lead { node: self.name(index), still })?;
        self.nodes[index].term = Some(self.state.coordinator.term);
        Some(())
    }

    /// Applied only if the stream stands where whoever sent it believed it does.
    fn arrive(&mut self, index: usize) -> Option<()> {
        let (expected, id) = self.nodes[index].sent.take()?;
        if self.place != expected {
            self.nodes[index].at = None;
            return Some(());
        }
        self.place.count += 1;
        self.mirror.push(Entry { id, applied: true });
        if let Some(at) = self.nodes[index].at.as_mut().filter(|at| **at == expected) {
            *at = self.place;
        }
        Some(())
    }

    fn take_over(&mut self, world: &World, index: usize) -> Option<()> {
        match self.nodes[index].step {
            Step::Idle => {
                let epoch = self.state.route.epoch;
                if epoch + 1 > world.epochs {
                    return None;
                }
                self.act(index, Act::FenceLost { epoch, hold: HOLD })?;
                self.fencer = Some(index);
                self.see(index);
                let node = &mut self.nodes[index];
                (node.at, node.step) = (None, Step::Fenced);
            }
            Step::Fenced => {
                if !world.is(Shortcut::NotSealed) {
                    self.place.seal = self.nodes[index].epoch;
                }
                self.nodes[index].step = Step::Sealed { end: self.place.count };
            }
            Step::Sealed { end } => {
                let start = u8::try_from(self.mirror.len()).ok()?;
                self.nodes[index].step = Step::Armed { end, start };
            }
            Step::Armed { end, start } => self.commit(world, index, end, start)?,
        }
        Some(())
    }

    /// Its own writes in flight are not waited for: the backend does not answer.
    fn commit(&mut self, world: &World, index: usize, end: u8, start: u8) -> Option<()> {
        let (epoch, gateway) = (self.nodes[index].epoch, self.name(index));
        let gateways = self.state.gateways.clone();
        if world.is(Shortcut::NotAwaited) {
            self.state.gateways.retain(|name, _| *name == gateway);
        }
        self.store(&Event::Acknowledge { gateway, epoch })?;
        let (end, start) = (Position::Sequence(end.into()), Position::Sequence(start.into()));
        self.act(index, Act::FailOver { epoch, end, start })?;
        if world.is(Shortcut::NotAwaited) {
            self.state.gateways = gateways;
        }
        self.unverified |= !self.compared;
        self.committer = Some(index);
        self.nodes[index].step = Step::Idle;
        self.see(index);
        let held = |id: &u8| self.mirror.iter().any(|entry| entry.id == *id);
        self.lost = Some(self.acknowledged.iter().copied().filter(|id| !held(id)).collect());
        Some(())
    }
}

fn name(index: usize, node: &Node) -> String {
    format!("g{index}.{}", node.life)
}
