//! What a coordinator does to a switch.

use truststream_services::database::Position;

use super::{Division, Hold, Part, Phase, Refused, Stage, State, Strategy, Tenancy};

/// What a coordinator does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Begins a switch away from the backend that serves.
    Plan {
        /// Number of the switch.
        id: u64,
        /// The backend to move to.
        to: String,
        /// How it is made.
        strategy: Strategy,
        /// Whether both sides must be compared.
        must_verify: bool,
    },
    /// Enters a phase that does not change the route.
    Enter(Phase),
    /// Both sides have been compared and are equal.
    Verified,
    /// Stops until resumed.
    Pause,
    /// Goes on.
    Resume,
    /// Holds writes.
    Fence {
        /// The epoch that is fenced.
        epoch: u64,
        /// How long it stands if nobody lifts it.
        hold: Hold,
    },
    /// Holds them longer.
    Extend {
        /// The epoch of the fence.
        epoch: u64,
        /// How long it stands if nobody lifts it.
        hold: Hold,
    },
    /// Admits them again on the same side.
    Lift {
        /// The epoch of the fence.
        epoch: u64,
    },
    /// Changes the owner: the commit, there or back.
    HandOver {
        /// The epoch of the fence.
        epoch: u64,
        /// The last position of the present owner's feed.
        end: Position,
        /// Where the new owner's own changes begin.
        start: Position,
    },
    /// Names the parts that are moved one after the other.
    Divide {
        /// The parts.
        parts: Vec<Part>,
    },
    /// Says what tells tenants apart, each of which may be a part.
    DivideByTenants {
        /// What tells them apart.
        tenancy: Box<Tenancy>,
    },
    /// Makes a tenant a part.
    NameTenant {
        /// Its part's name.
        part: String,
    },
    /// Both sides of a part have been compared and are equal.
    PartVerified {
        /// The part.
        part: String,
    },
    /// Holds the writes of a part.
    FencePart {
        /// The part.
        part: String,
        /// The epoch that is fenced.
        epoch: u64,
        /// How long it stands if nobody lifts it.
        hold: Hold,
    },
    /// Changes the owner of the part whose writes are held, there or back.
    MovePart {
        /// The epoch of the fence.
        epoch: u64,
        /// The last position of the feed of the side that served it.
        end: Position,
        /// Where its changes begin in the feed of the other side.
        start: Position,
    },
    /// Gives the switch up, and lifts its fence.
    GiveUp,
    /// Begins to keep a mirror of the backend that serves.
    StandBy {
        /// Number of the mirror.
        id: u64,
        /// The backend that follows.
        to: String,
    },
    /// The mirror has been compared with what it follows.
    StandByVerified {
        /// Its number.
        id: u64,
    },
    /// There is no such mirror any more.
    StandDown {
        /// Its number.
        id: u64,
    },
    /// Holds writes of a backend that is lost.
    FenceLost {
        /// The epoch that is fenced.
        epoch: u64,
        /// How long it stands if nobody lifts it.
        hold: Hold,
    },
    /// The mirror takes the place of a backend that is lost.
    FailOver {
        /// The epoch of the fence.
        epoch: u64,
        /// The last position of the lost backend's feed that the mirror holds.
        end: Position,
        /// Where the mirror's own changes begin.
        start: Position,
    },
}

impl State {
    pub(super) fn act(&mut self, act: &Act) -> Result<(), Refused> {
        match act {
            Act::Plan { id, to, strategy, must_verify } => self.plan(*id, to, *strategy, *must_verify),
            Act::Enter(phase) => self.enter(*phase),
            Act::Verified => self.verified(),
            Act::Pause => self.pause(),
            Act::Resume => self.stage().map(|stage| stage.paused = false),
            Act::Fence { epoch, hold } => self.fence(*epoch, *hold),
            Act::Extend { epoch, hold } => self.extend(*epoch, *hold),
            Act::Lift { epoch } => self.must_be_of(*epoch).and_then(|()| self.lift()),
            Act::HandOver { epoch, end, start } => {
                self.must_be_of(*epoch)?;
                self.hand_over(end.clone(), start.clone())
            }
            Act::Divide { parts } => self.divide(parts),
            Act::DivideByTenants { tenancy } => self.divide_by_tenants(tenancy),
            Act::NameTenant { part } => self.name_tenant(part),
            Act::PartVerified { part } => self.part_verified(part),
            Act::FencePart { part, epoch, hold } => self.fence_part(part, *epoch, *hold),
            Act::MovePart { epoch, end, start } => self.move_part(*epoch, end, start),
            Act::GiveUp => self.give_up(),
            Act::StandBy { id, to } => self.stand_by(*id, to),
            Act::StandByVerified { id } => self.stand_by_verified(*id),
            Act::StandDown { id } => {
                self.stand_down(*id);
                Ok(())
            }
            Act::FenceLost { epoch, hold } => self.fence_lost(*epoch, *hold),
            Act::FailOver { epoch, end, start } => self.fail_over(*epoch, end.clone(), start.clone()),
        }
    }

    fn stage(&mut self) -> Result<&mut Stage, Refused> {
        self.switch.as_mut().ok_or(Refused::NoSwitch)
    }

    fn plan(&mut self, id: u64, to: &str, strategy: Strategy, must_verify: bool) -> Result<(), Refused> {
        if let Some(latest) = &self.switch
            && (!latest.phase.is_over() || id <= latest.id)
        {
            return Err(Refused::NotOver);
        }
        if self.route.owner == to {
            return Err(Refused::NoSwitch);
        }
        self.switch = Some(Stage {
            id,
            from: self.route.owner.clone(),
            to: to.to_owned(),
            strategy,
            must_verify,
            phase: Phase::Planned,
            verified: false,
            paused: false,
            armed: None,
        });
        Ok(())
    }

    fn enter(&mut self, phase: Phase) -> Result<(), Refused> {
        let stage = self.switch.as_mut().ok_or(Refused::NoSwitch)?;
        if !stage.phase.may_enter(phase) {
            return Err(Refused::Phase { present: stage.phase });
        }
        if phase == Phase::Ready && stage.must_verify && !stage.verified {
            return Err(Refused::NotVerified);
        }
        if phase == Phase::Finalizing && self.route.fenced {
            return Err(Refused::WritesHeld);
        }
        let anew = matches!(phase, Phase::Preparing | Phase::Copying | Phase::Following);
        if anew && self.route.division.as_ref().is_some_and(Division::has_moved) {
            return Err(Refused::PartsMoved);
        }
        stage.phase = phase;
        if anew {
            stage.verified = false;
            self.mark_parts(false);
        }
        Ok(())
    }

    fn verified(&mut self) -> Result<(), Refused> {
        let stage = self.stage()?;
        if !matches!(stage.phase, Phase::Verifying | Phase::Committed) {
            return Err(Refused::Phase { present: stage.phase });
        }
        stage.verified = true;
        self.mark_parts(true);
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Refused> {
        if self.route.is_held() {
            return Err(Refused::WritesHeld);
        }
        let stage = self.stage()?;
        if !stage.phase.is_before_commit() {
            return Err(Refused::Phase { present: stage.phase });
        }
        stage.paused = true;
        Ok(())
    }

    fn fence(&mut self, epoch: u64, hold: Hold) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        let fenced = self.route.fenced;
        if self.fenced_part().is_some() {
            return Err(Refused::WritesHeld);
        }
        // A part that came back moves again only once it was compared anew.
        let is_doubtful = self.route.division.as_ref().is_some_and(Division::is_doubtful);
        let stage = self.stage()?;
        if stage.paused {
            return Err(Refused::Paused);
        }
        let early = stage.strategy == Strategy::Immediate && stage.phase.is_before_commit();
        let phase = match stage.phase {
            Phase::Ready => Phase::Fencing,
            Phase::Committed => Phase::FencingBack,
            other if early && other != Phase::Planned => other,
            present => return Err(Refused::Phase { present }),
        };
        let is_verified = stage.verified && !is_doubtful;
        if matches!(phase, Phase::Fencing | Phase::FencingBack) && stage.must_verify && !is_verified {
            return Err(Refused::NotVerified);
        }
        stage.phase = phase;
        // An immediate switch comes to its cut-over with writes held already.
        if fenced {
            self.route.hold = Some(Hold::longer(self.route.hold, hold));
        } else {
            self.route = self.route.fence(hold);
        }
        Ok(())
    }

    fn extend(&mut self, epoch: u64, hold: Hold) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        if !self.route.is_held() {
            return Err(Refused::Stale { present: self.route.epoch });
        }
        self.route.hold = Some(Hold::longer(self.route.hold, hold));
        Ok(())
    }

    fn hand_over(&mut self, end: Position, start: Position) -> Result<(), Refused> {
        let gateways = self.unacknowledged();
        let fenced = self.route.fenced;
        let stage = self.stage()?;
        let (to, phase) = match stage.phase {
            Phase::Fencing if fenced => (stage.to.clone(), Phase::Committed),
            Phase::FencingBack if fenced => (stage.from.clone(), Phase::RolledBack),
            present => return Err(Refused::Phase { present }),
        };
        if stage.must_verify && !stage.verified {
            return Err(Refused::NotVerified);
        }
        if !gateways.is_empty() {
            return Err(Refused::Unacknowledged { gateways });
        }
        stage.phase = phase;
        stage.verified = false;
        self.route = self.route.hand_over(to, end, start);
        Ok(())
    }

    fn give_up(&mut self) -> Result<(), Refused> {
        let stage = self.stage()?;
        if !stage.phase.is_before_commit() && stage.phase != Phase::Aborting {
            return Err(Refused::Phase { present: stage.phase });
        }
        if self.route.division.as_ref().is_some_and(Division::has_moved) {
            return Err(Refused::PartsMoved);
        }
        let stage = self.stage()?;
        stage.phase = Phase::Aborting;
        stage.paused = false;
        if self.route.is_held() {
            self.lift()?;
        }
        self.unite()
    }
}
