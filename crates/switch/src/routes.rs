//! The state as it is stored, and its route as it is in force here.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::interval;
use truststream_kernel::{Error, ErrorKind, Outcome, Result};

use crate::control::LOST;
use crate::keeper::Keeper;
use crate::lift::lift_when_due;
use crate::machine::{Act, Event, State};
use crate::node::{Node, Sight};
use crate::{ControlStore, Fleet, Gate, Held, Route, Sides};

const KEY: &str = "route";

/// How often a leader looks whether it still is, if nothing else happens.
const LOOK: Duration = Duration::from_millis(100);

/// How long the control store may take to answer one of several processes: a lease must not be
/// spent on waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// Changes the stored state and the gate together: first what is durable, then what is in force.
#[derive(Clone)]
pub struct Routes {
    pub(crate) control: Arc<dyn ControlStore>,
    gate: Arc<Gate>,
    node: Arc<Node>,
}

/// Who leads switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This process, since long ago.
    Here,
    /// This process, which has yet to take up what is under way.
    New,
    /// Another one, by its name.
    Other(String),
}

impl Routes {
    /// Opens the stored state for the only process there is, whose gate has its route in force;
    /// `first` is the route of a project that has none yet.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn open(control: Arc<dyn ControlStore>, first: Route, held: Held) -> Result<Self> {
        begin(&*control, first).await?;
        let node = Arc::new(Node::new(None));
        let sight = change(&*control, &[Event::Alone { node: node.name() }]).await?;
        node.saw(&sight);
        let routes = Routes { control, gate: Gate::new(sight.state.route, held), node };
        routes.lift_fences();
        Ok(routes)
    }

    /// Opens the stored state as one of several processes. Its gate admits writes for as long as the
    /// others can know of it; backends that are about to serve are opened before they do.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn join(
        control: Arc<dyn ControlStore>,
        first: Route,
        held: Held,
        fleet: Fleet,
        sides: Arc<dyn Sides>,
    ) -> Result<Self> {
        begin(&*control, first).await?;
        let gate = Gate::new(stored(&*control).await?.state.route, held);
        gate.lapse();
        let node = Arc::new(Node::new(Some(fleet)));
        let routes = Routes { control, gate, node };
        let keeper = Keeper::new(&routes, sides);
        keeper.join().await?;
        keeper.spawn();
        routes.lift_fences();
        Ok(routes)
    }

    /// The parts put together.
    pub(crate) fn of(control: Arc<dyn ControlStore>, gate: Arc<Gate>, node: Arc<Node>) -> Self {
        Routes { control, gate, node }
    }

    fn lift_fences(&self) {
        let control = Arc::clone(&self.control);
        self.node.spawn(lift_when_due(control, Arc::downgrade(&self.gate), Arc::downgrade(&self.node)));
    }

    /// The gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// This process.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The term under which this process leads switches.
    pub(crate) fn term(&self) -> u64 {
        self.node.term()
    }

    /// Whether other processes admit writes too.
    pub(crate) fn is_one_of_several(&self) -> bool {
        self.node.fleet.is_some()
    }

    /// Whether this process leads switches and may go on doing so at this moment.
    pub(crate) fn leads(&self) -> bool {
        self.term() != 0 && !self.gate.has_lapsed()
    }

    /// The state as it is stored, whatever is in force here.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn stored(&self) -> Result<State> {
        stored(&*self.control).await.map(|sight| sight.state)
    }

    /// Takes the lead, unless somebody has it.
    ///
    /// # Errors
    /// Whatever the control store reports; `Unavailable` while this process has no lease itself.
    pub(crate) async fn lead(&self) -> Result<Leader> {
        if self.gate.has_lapsed() {
            let message = "this gateway has lost touch with the others";
            return Err(Error::new(ErrorKind::Unavailable, "BACKEND_015", message));
        }
        let seen = stored(&*self.control).await?;
        self.node.saw(&seen);
        if self.term() != 0 {
            return Ok(Leader::Here);
        }
        let holder = &seen.state.coordinator.holder;
        let still = (!seen.state.gateways.contains_key(holder)).then(|| self.node.still()).flatten();
        match change(&*self.control, &[Event::Lead { node: self.node.name(), still }]).await {
            Ok(sight) => {
                self.node.saw(&sight);
                Ok(Leader::New)
            }
            Err(error) if error.code() == LOST => Ok(Leader::Other(self.stored().await?.coordinator.holder)),
            Err(error) => Err(error),
        }
    }

    /// Does what a leader does, for as long as this process leads. It is looked at before each step
    /// of the work: a process that was frozen must not go on where it stood.
    pub(crate) async fn while_leading<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut looks = interval(LOOK);
        poll_fn(|task| {
            while looks.poll_tick(task).is_ready() {}
            if !self.leads() {
                tracing::warn!("the switch broke off: this process leads switches no more");
                return Poll::Ready(None);
            }
            work.as_mut().poll(task).map(Some)
        })
        .await
    }

    /// Ends what runs in the background, and being one of several. With nothing in flight (`drained`) the
    /// others are told; otherwise they wait for the lease to run out.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub(crate) async fn leave(&self, drained: bool) -> Result<()> {
        self.node.rest().await;
        if drained && self.node.fleet.is_some() {
            self.gate.lapse();
            let gateway = self.node.name();
            self.node.saw(&change(&*self.control, &[Event::Leave { gateway }]).await?);
        }
        Ok(())
    }

    /// Waits until every gateway is known to be there, or struck off: a fence that is set after this
    /// need not wait for the lease of one that was gone before.
    pub(crate) async fn settled(&self) {
        let Some(fleet) = &self.node.fleet else { return };
        // The keeper strikes off whoever stays silent.
        let _ = tokio::time::timeout(fleet.lease * 2, async {
            while !self.node.silent(fleet.beat() * 2).is_empty() {
                tokio::time::sleep(fleet.beat() / 4).await;
            }
        })
        .await;
    }

    /// Waits until neither this gateway nor another one has a write of an older epoch in flight.
    /// Returns what has to be stored for that with the next change, and the state with it.
    ///
    /// # Errors
    /// When the epoch is over.
    pub(crate) async fn drained(&self, fenced: &State) -> Result<(Event, State)> {
        self.gate.drained().await;
        self.drained_elsewhere(fenced).await
    }

    /// As [`Routes::drained`], not waiting for this gateway.
    ///
    /// # Errors
    /// When the epoch is over.
    pub(crate) async fn drained_elsewhere(&self, fenced: &State) -> Result<(Event, State)> {
        let own = Event::Acknowledge { gateway: self.node.name(), epoch: fenced.route.epoch };
        let mut states = self.node.states();
        let mut state = fenced.apply(&own)?;
        while !state.unacknowledged().is_empty() {
            // The node, which the routes keep, has the other end.
            let _ = states.changed().await;
            let seen = states.borrow_and_update().clone();
            state = seen.unwrap_or(state).apply(&own)?;
        }
        Ok((own, state))
    }

    /// Does what a coordinator does.
    ///
    /// # Errors
    /// As [`Routes::apply`].
    pub(crate) async fn act(&self, act: Act) -> Result<State> {
        self.apply(&[Event::Act { term: self.term(), act }]).await
    }

    /// Stores the state after these events, as one change, and puts its route into force.
    ///
    /// # Errors
    /// Why they do not apply; whatever the control store reports, with the outcome `Unknown` where
    /// it can't be told what it holds.
    pub(crate) async fn apply(&self, events: &[Event]) -> Result<State> {
        let next = change(&*self.control, events).await?;
        self.gate.adopt(next.state.route.clone());
        self.node.saw(&next);
        Ok(next.state)
    }

    /// The same, if the control store answers soon; the route is left to be put into force.
    pub(crate) async fn change_soon(&self, events: &[Event]) -> Result<Sight> {
        soon(change(&*self.control, events)).await
    }

    /// What is stored, if the control store answers soon.
    pub(crate) async fn look_soon(&self) -> Result<Sight> {
        soon(stored(&*self.control)).await
    }
}

async fn soon<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::unavailable("the control store took too long to answer"));
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(late)
}

/// Stores the first state of a project that has none.
async fn begin(control: &dyn ControlStore, first: Route) -> Result<()> {
    if control.get(KEY).await?.is_some() {
        return Ok(());
    }
    match control.put(KEY, write(&State::first(first))?, 0).await {
        // Another process began it meanwhile.
        Err(error) if error.code() == LOST => Ok(()),
        done => done,
    }
}

/// When somebody else changed the state meanwhile, the events are judged by what is stored then.
pub(crate) async fn change(control: &dyn ControlStore, events: &[Event]) -> Result<Sight> {
    loop {
        let Sight { state, version } =
            stored(control).await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        let next = events.iter().try_fold(state, |state, event| state.apply(event))?;
        match control.put(KEY, write(&next)?, version).await {
            Ok(()) => return Ok(Sight { state: next, version: version + 1 }),
            Err(error) if error.code() == LOST => {}
            Err(error) => return find_out(control, next, error).await,
        }
    }
}

/// What the store holds decides whether a change was made on which it failed.
async fn find_out(control: &dyn ControlStore, wanted: State, error: Error) -> Result<Sight> {
    match stored(control).await {
        Ok(stored) if stored.state == wanted => {
            tracing::warn!(?error, "the state was stored although the store failed");
            Ok(stored)
        }
        Ok(_) => Err(error.with_outcome(Outcome::NotApplied)),
        Err(_) => {
            tracing::error!(?error, "whether the state is stored can't be told");
            Err(error.with_outcome(Outcome::Unknown))
        }
    }
}

async fn stored(control: &dyn ControlStore) -> Result<Sight> {
    let entry = control.get(KEY).await?;
    let entry = entry.ok_or_else(|| Error::internal("there is no stored route"))?;
    Ok(Sight { state: read(entry.value)?, version: entry.version })
}

fn read(value: serde_json::Value) -> Result<State> {
    serde_json::from_value(value)
        .map_err(|error| Error::internal("the stored route can't be read").with_source(error))
}

fn write(state: &State) -> Result<serde_json::Value> {
    serde_json::to_value(state)
        .map_err(|error| Error::internal("the route can't be stored").with_source(error))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::MemoryStore;
    use crate::machine::{Hold, Phase, Strategy};

    async fn open(store: &Arc<MemoryStore>) -> Routes {
        let control: Arc<dyn ControlStore> = Arc::<MemoryStore>::clone(store);
        Routes::open(control, Route::first("main"), Held::default()).await.unwrap()
    }

    #[tokio::test]
    async fn what_a_former_process_still_asks_for_is_refused() {
        let store = Arc::new(MemoryStore::default());
        let former = open(&store).await;
        let plan =
            |id| Act::Plan { id, to: "cloud".into(), strategy: Strategy::default(), must_verify: true };
        former.act(plan(1)).await.unwrap();
        let present = open(&store).await;
        let error = former.act(Act::Enter(Phase::Preparing)).await.unwrap_err();
        assert_eq!(error.code(), "BACKEND_007");
        assert_eq!(present.act(plan(2)).await.unwrap_err().code(), "BACKEND_011", "the first is not over");
        let state = present.act(Act::GiveUp).await.unwrap();
        assert_eq!(state.switch.unwrap().phase, Phase::Aborting);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_needs_both_sides_compared_and_ends_by_itself() {
        let routes = open(&Arc::default()).await;
        let plan = Act::Plan { id: 1, to: "cloud".into(), strategy: Strategy::default(), must_verify: true };
        for act in
            [plan, Act::Enter(Phase::Preparing), Act::Enter(Phase::Copying), Act::Enter(Phase::Following)]
        {
            routes.act(act).await.unwrap();
        }
        assert_eq!(routes.act(Act::Enter(Phase::Ready)).await.unwrap_err().code(), "BACKEND_009");
        routes.act(Act::Enter(Phase::Verifying)).await.unwrap();
        routes.act(Act::Verified).await.unwrap();
        routes.act(Act::Enter(Phase::Ready)).await.unwrap();
        let epoch = routes.gate().route().epoch;
        let (began, hold) = (Instant::now(), Hold::of(Duration::from_millis(100)));
        let fenced = routes.act(Act::Fence { epoch, hold }).await.unwrap();
        assert_eq!(fenced.switch.unwrap().phase, Phase::Fencing);
        assert!(routes.gate().route().fenced);
        // Whoever set it is gone.
        let mut seen = routes.gate().watch();
        let lifted = seen.wait_for(|route| !route.fenced);
        tokio::time::timeout(Duration::from_secs(5), lifted).await.unwrap().unwrap();
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert_eq!(routes.stored().await.unwrap().switch.unwrap().phase, Phase::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_that_is_extended_stands_longer_and_ends_by_itself_too() {
        let routes = open(&Arc::default()).await;
        let plan = Act::Plan { id: 1, to: "cloud".into(), strategy: Strategy::Immediate, must_verify: true };
        routes.act(plan).await.unwrap();
        routes.act(Act::Enter(Phase::Preparing)).await.unwrap();
        let (epoch, hold) = (routes.gate().route().epoch, Hold::of(Duration::from_secs(6)));
        routes.act(Act::Fence { epoch, hold }).await.unwrap();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(4)).await;
            routes.act(Act::Extend { epoch: epoch + 1, hold }).await.unwrap();
        }
        let began = Instant::now();
        let mut seen = routes.gate().watch();
        seen.wait_for(|route| !route.fenced).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 6);
    }
}
