//! Keeping this gateway's lease among several, and an eye on those of the others.
//!
//! Writes are admitted only under a lease that was renewed together with the route in force. When it
//! can't be renewed, the gate closes by itself a margin before the others take it as over; whoever
//! was away comes back under another name, with nothing in flight.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use truststream_kernel::Result;

use crate::control::LOST;
use crate::machine::Event;
use crate::node::{Fleet, Node, Sight};
use crate::{ControlStore, Gate, Route, Routes, Sides};

/// How often the stored state is looked at although nothing said that it changed.
const LOOK: Duration = Duration::from_millis(250);

/// When an acknowledgement that could not be stored is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Keeps the lease of one gateway.
pub(crate) struct Keeper {
    control: Arc<dyn ControlStore>,
    gate: Weak<Gate>,
    node: Arc<Node>,
    sides: Arc<dyn Sides>,
    fleet: Fleet,
    /// Backends that are open here.
    open: Mutex<HashSet<String>>,
    /// Backends that were asked to be, because they may come to serve.
    asked: Mutex<HashSet<String>>,
}

impl Keeper {
    /// The keeper of a gateway that is one of several.
    pub(crate) fn new(routes: &Routes, sides: Arc<dyn Sides>) -> Arc<Self> {
        let fleet = routes.node().fleet.clone().unwrap_or_default();
        Arc::new(Keeper {
            control: Arc::clone(&routes.control),
            gate: Arc::downgrade(routes.gate()),
            node: Arc::clone(routes.node()),
            sides,
            fleet,
            open: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// The routes as long as anybody uses them.
    fn routes(&self) -> Option<Routes> {
        let gate = self.gate.upgrade()?;
        Some(Routes::of(Arc::clone(&self.control), gate, Arc::clone(&self.node)))
    }

    /// Works until this process leaves, or nobody uses the routes any more.
    pub(crate) fn spawn(self: &Arc<Self>) {
        self.node.spawn(Arc::clone(self).watch());
        self.node.spawn(Arc::clone(self).renew_again_and_again());
        self.node.spawn(Arc::clone(self).acknowledge());
    }

    /// Looks at what is stored whenever it changes.
    async fn watch(self: Arc<Self>) {
        let mut changes = self.control.watch();
        loop {
            tokio::select! {
                biased;
                changed = changes.changed() => {
                    if changed.is_err() {
                        sleep(LOOK).await;
                    }
                }
                () = sleep(LOOK) => {}
            }
            let Some(routes) = self.routes() else { return };
            match routes.look_soon().await {
                Ok(sight) => self.see(&routes, &sight).await,
                Err(error) => tracing::debug!(?error, "the control store did not answer"),
            }
        }
    }

    /// Puts a stored route into force, if all that serve are open here: until then nothing can be served.
    async fn see(&self, routes: &Routes, sight: &Sight) {
        let state = &sight.state;
        if self.opens(&state.route).await {
            routes.gate().adopt(state.route.clone());
        }
        self.node.saw(sight);
        let target = state.switch.as_ref().filter(|stage| !stage.phase.is_over());
        if let Some(stage) = target {
            self.open_soon(&stage.to);
        }
    }

    /// Opens the backends that serve.
    async fn opens(&self, route: &Route) -> bool {
        for name in serving(route) {
            if self.open.lock().contains(name) {
                continue;
            }
            if let Err(error) = self.sides.side(name).await {
                tracing::error!(?error, backend = name, "a backend that serves can't be reached");
                return false;
            }
            self.open.lock().insert(name.to_owned());
        }
        true
    }

    /// Opens a backend that may come to serve.
    fn open_soon(&self, name: &str) {
        if !self.asked.lock().insert(name.to_owned()) {
            return;
        }
        let (sides, name) = (Arc::clone(&self.sides), name.to_owned());
        self.node.spawn(async move {
            if let Err(error) = sides.side(&name).await {
                tracing::warn!(?error, backend = name, "the other backend of a switch can't be reached");
            }
        });
    }

    async fn renew_again_and_again(self: Arc<Self>) {
        let mut beats = interval(self.fleet.beat());
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let Some(routes) = self.routes() else { return };
            let kept =
                if routes.gate().has_lapsed() { self.come_back().await } else { self.renew(&routes).await };
            if let Err(error) = kept {
                tracing::warn!(?error, "the lease of this gateway could not be renewed");
            }
            for (gateway, beat) in self.node.silent(self.fleet.lease) {
                self.strike_off(&routes, gateway, beat).await;
            }
        }
    }

    /// A lease counts from before it was asked for.
    fn end(&self, asked: Instant) -> Instant {
        asked + self.fleet.lease - self.fleet.margin()
    }

    async fn renew(&self, routes: &Routes) -> Result<()> {
        let gate = routes.gate();
        loop {
            let asked = Instant::now();
            let (route, ties) = gate.touched_together();
            let (epoch, gateway) = (route.epoch, self.node.name());
            let mut events = vec![Event::Renew { gateway: gateway.clone(), epoch }];
            if !ties.is_empty() {
                events.push(Event::Together { epoch, ties });
            }
            if self.node.term() != 0 {
                events.push(Event::Lead { node: gateway.clone(), still: None });
            }
            match routes.change_soon(&events).await {
                Ok(sight) => {
                    gate.renew(self.end(asked));
                    self.see(routes, &sight).await;
                    return Ok(());
                }
                Err(error) if error.code() == LOST => {
                    let sight = routes.look_soon().await?;
                    self.see(routes, &sight).await;
                    if !sight.state.gateways.contains_key(&gateway) {
                        tracing::warn!("this gateway was struck off; what it had in flight is broken off");
                        gate.lapse();
                        return Ok(());
                    }
                    if gate.route().epoch == epoch && self.node.term() != 0 {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a lease under another name, after what was in flight had the time to be broken off.
    async fn come_back(&self) -> Result<()> {
        sleep(self.fleet.margin()).await;
        self.join().await?;
        tracing::warn!("this gateway is one of several again");
        Ok(())
    }

    /// Takes a first lease, or one after another that ended.
    ///
    /// # Errors
    /// Whatever the control store reports; what keeps the backend that serves from being opened.
    pub(crate) async fn join(&self) -> Result<()> {
        let Some(routes) = self.routes() else { return Ok(()) };
        for name in serving(&routes.look_soon().await?.state.route) {
            self.sides.side(name).await?;
            self.open.lock().insert(name.to_owned());
        }
        let (former, asked) = (self.node.name(), Instant::now());
        let gateway = self.node.begin_anew();
        let (leave, label) = (Event::Leave { gateway: former }, self.fleet.label.clone());
        let sight = routes.change_soon(&[leave, Event::Join { gateway, label }]).await?;
        if self.opens(&sight.state.route).await {
            routes.gate().begin_anew(sight.state.route.clone(), self.end(asked));
        }
        self.node.saw(&sight);
        Ok(())
    }

    async fn strike_off(&self, routes: &Routes, gateway: String, beat: u64) {
        let expel = Event::Expel { gateway: gateway.clone(), beat };
        match routes.change_soon(&[expel]).await {
            Ok(sight) => {
                tracing::warn!(gateway, "a gateway was struck off: its lease ran out");
                self.see(routes, &sight).await;
            }
            // It is there after all, or somebody was faster.
            Err(error) => tracing::debug!(?error, gateway, "a gateway was not struck off"),
        }
    }

    /// Acknowledges each fence once nothing is in flight here.
    async fn acknowledge(self: Arc<Self>) {
        let Some(mut seen) = self.gate.upgrade().map(|gate| gate.watch()) else { return };
        loop {
            let route = Arc::clone(&seen.borrow_and_update());
            tokio::select! {
                biased;
                changed = seen.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = self.acknowledge_one(route.epoch), if route.is_held() => {
                    if seen.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn acknowledge_one(&self, epoch: u64) {
        loop {
            let Some(routes) = self.routes() else { return };
            routes.gate().drained().await;
            let (route, ties) = routes.gate().touched_together();
            if route.epoch != epoch {
                return;
            }
            let together = Event::Together { epoch, ties };
            let acknowledge = Event::Acknowledge { gateway: self.node.name(), epoch };
            match routes.change_soon(&[together, acknowledge]).await {
                Ok(sight) => return self.see(&routes, &sight).await,
                // The epoch is over, or this gateway is struck off.
                Err(error) if error.code() == LOST => return,
                Err(error) => tracing::warn!(?error, "a fence could not be acknowledged"),
            }
            sleep(AGAIN).await;
        }
    }
}

/// The backends that serve under a route.
fn serving(route: &Route) -> impl Iterator<Item = &str> {
    let of_parts = route.division.as_ref().filter(|division| division.has_moved());
    [&*route.owner].into_iter().chain(of_parts.map(|division| &*division.to))
}
