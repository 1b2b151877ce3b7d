//! The state as it is stored, and its route as it is in force here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use truststream_kernel::{Error, Outcome, Result};

use crate::control::LOST;
use crate::machine::{Act, Event, State};
use crate::record::now_ms;
use crate::{ControlStore, Gate, Held, Route};

const KEY: &str = "route";

/// When a fence that could not be lifted at its deadline is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// Changes the stored state and the gate together: first what is durable, then what is in force.
#[derive(Clone)]
pub struct Routes {
    control: Arc<dyn ControlStore>,
    gate: Arc<Gate>,
    /// Name of this process.
    node: String,
    /// The term under which it leads switches.
    term: u64,
}

impl Routes {
    /// Opens the stored state for the only process there is, whose gate has its route in force;
    /// `first` is the route of a project that has none yet.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn open(control: Arc<dyn ControlStore>, first: Route, held: Held) -> Result<Self> {
        if control.get(KEY).await?.is_none() {
            control.put(KEY, write(&State::first(first))?, 0).await?;
        }
        let node = uuid::Uuid::new_v4().simple().to_string();
        let state = change(&*control, &[Event::Alone { node: node.clone() }]).await?;
        let gate = Gate::new(state.route, held);
        // It ends with the gate.
        tokio::spawn(lift_when_due(Arc::clone(&control), Arc::downgrade(&gate), gate.watch()));
        Ok(Routes { control, gate, node, term: state.coordinator.term })
    }

    /// The gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Name of this process, under which its gate is a gateway of the stored state.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The term under which this process leads switches.
    pub(crate) fn term(&self) -> u64 {
        self.term
    }

    /// The state as it is stored, whatever is in force here.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn stored(&self) -> Result<State> {
        stored(&*self.control).await.map(|(state, _)| state)
    }

    /// Does what a coordinator does.
    ///
    /// # Errors
    /// As [`Routes::apply`].
    pub(crate) async fn act(&self, act: Act) -> Result<State> {
        self.apply(&[Event::Act { term: self.term, act }]).await
    }

    /// Stores the state after these events, as one change, and puts its route into force.
    ///
    /// # Errors
    /// Why they do not apply; whatever the control store reports, with the outcome `Unknown` where
    /// it can't be told what it holds.
    pub(crate) async fn apply(&self, events: &[Event]) -> Result<State> {
        let next = change(&*self.control, events).await?;
        self.gate.adopt(next.route.clone());
        Ok(next)
    }
}

/// Lifts fences whose deadline has passed, whatever became of the coordinator that set them.
async fn lift_when_due(
    control: Arc<dyn ControlStore>,
    gate: Weak<Gate>,
    mut routes: watch::Receiver<Arc<Route>>,
) {
    loop {
        let route = Arc::clone(&routes.borrow_and_update());
        let due = route.deadline.map(|deadline| Duration::from_millis(deadline.saturating_sub(now_ms())));
        tokio::select! {
            changed = routes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                let expire = Event::Expire { epoch: route.epoch, now: now_ms() };
                match (change(&*control, &[expire]).await, gate.upgrade()) {
                    (Ok(state), Some(gate)) => gate.adopt(state.route),
                    (_, None) => return,
                    // It was extended, or the store does not answer.
                    (Err(_), _) => tokio::time::sleep(AGAIN).await,
                }
            }
        }
    }
}

/// When somebody else changed the state meanwhile, the events are judged by what is stored then.
async fn change(control: &dyn ControlStore, events: &[Event]) -> Result<State> {
    loop {
        let (state, version) =
            stored(control).await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        let next = events.iter().try_fold(state, |state, event| state.apply(event))?;
        match control.put(KEY, write(&next)?, version).await {
            Ok(()) => return Ok(next),
            Err(error) if error.code() == LOST => {}
            Err(error) => return find_out(control, next, error).await,
        }
    }
}

/// What the store holds decides whether a change was made on which it failed.
async fn find_out(control: &dyn ControlStore, wanted: State, error: Error) -> Result<State> {
    match stored(control).await {
        Ok((stored, _)) if stored == wanted => {
            tracing::warn!(?error, "the state was stored although the store failed");
            Ok(wanted)
        }
        Ok(_) => Err(error.with_outcome(Outcome::NotApplied)),
        Err(_) => {
            tracing::error!(?error, "whether the state is stored can't be told");
            Err(error.with_outcome(Outcome::Unknown))
        }
    }
}

async fn stored(control: &dyn ControlStore) -> Result<(State, i64)> {
    let entry = control.get(KEY).await?;
    let entry = entry.ok_or_else(|| Error::internal("there is no stored route"))?;
    Ok((read(entry.value)?, entry.version))
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
    use super::*;
    use crate::MemoryStore;
    use crate::machine::{Phase, Strategy};

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

    #[tokio::test]
    async fn a_fence_needs_both_sides_compared_and_ends_at_its_deadline() {
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
        let deadline = now_ms() + 100;
        let fenced = routes.act(Act::Fence { epoch, deadline }).await.unwrap();
        assert_eq!(fenced.switch.unwrap().phase, Phase::Fencing);
        assert!(routes.gate().route().fenced);
        // Whoever set it is gone.
        let mut seen = routes.gate().watch();
        let lifted = seen.wait_for(|route| !route.fenced);
        tokio::time::timeout(Duration::from_secs(5), lifted).await.unwrap().unwrap();
        assert!(now_ms() >= deadline);
        assert_eq!(routes.stored().await.unwrap().switch.unwrap().phase, Phase::Ready);
    }
}
