//! Switches steered from any of several processes: one leads, the others ask it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use truststream_kernel::{Error, Result};

use crate::ambient::new_name;
use crate::command::{Answer, Asked, Command};
use crate::machine::{Phase, State};
use crate::routes::Leader;
use crate::{
    ControlStore, FailoverReport, Foreseen, Mirrors, Options, Progress, Record, Rehearsal, Routes, Sides,
    Switcher, TableReport,
};

const COMMANDS: &str = "command/";
const PROGRESS: &str = "progress";

/// How often it is looked who leads and what is asked, although nothing said that it changed.
const LOOK: Duration = Duration::from_millis(250);

/// How often what others are to see of a running switch is stored.
const TELL: Duration = Duration::from_millis(500);

/// When a switch that broke off is taken up again by the process that leads it.
const AGAIN: Duration = Duration::from_secs(2);

/// How often a process that is alone looks whether a way back has been open for long enough.
const CLOSE: Duration = Duration::from_secs(1);

/// How long an answer is kept for whoever asked and went away.
const KEPT: Duration = Duration::from_secs(60);

/// The switches of a project, from any of its processes.
pub struct Steering {
    control: Arc<dyn ControlStore>,
    routes: Routes,
    switcher: Switcher,
    mirrors: OnceLock<Weak<Mirrors>>,
    at_work: Mutex<AtWork>,
    /// What runs until it is closed, or nobody uses it any more.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct AtWork {
    /// Commands that are being done, or were and are still listed, and since when this process knows
    /// of each.
    commands: HashMap<String, Instant>,
    told: Option<(Instant, Progress)>,
    taken_up: Option<Instant>,
    led: bool,
}

impl AtWork {
    /// Since when a command is known; from now on if it was not.
    fn know(&mut self, command: &str) -> Option<Instant> {
        let known = self.commands.get(command).copied();
        if known.is_none() {
            self.commands.insert(command.to_owned(), Instant::now());
        }
        known
    }
}

/// A gateway of several, as one of them sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its name in this life.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// Whether this process is the one.
    pub own: bool,
    /// Whether it leads switches.
    pub leads: bool,
    /// How long ago its lease was seen to be renewed, in milliseconds.
    pub renewed_ms: u64,
    /// The latest fence that it has acknowledged.
    pub acknowledged: u64,
    /// Whether it has yet to acknowledge the fence that stands.
    pub awaited: bool,
}

impl Steering {
    /// Steers the switches of a project.
    pub fn new(control: Arc<dyn ControlStore>, routes: Routes, sides: Arc<dyn Sides>) -> Arc<Self> {
        let switcher = Switcher::new(Arc::clone(&control), routes.clone(), sides);
        let (mirrors, at_work, tasks) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Arc::new(Steering { control, routes, switcher, mirrors, at_work, tasks })
    }

    /// What runs the switches that this process leads, and reads what is stored of all.
    pub fn switcher(&self) -> &Switcher {
        &self.switcher
    }

    /// Has failovers steered as switches are.
    pub fn steer_mirrors(&self, mirrors: &Arc<Mirrors>) {
        // Set before: they are the same.
        let _ = self.mirrors.set(Arc::downgrade(mirrors));
    }

    fn mirrors(&self) -> Option<Arc<Mirrors>> {
        self.mirrors.get().and_then(Weak::upgrade)
    }

    /// Goes on with what had not ended: at once if there is no other process, else whenever nobody
    /// leads it.
    ///
    /// # Errors
    /// When the control store or a side does not answer.
    pub async fn recover(self: &Arc<Self>) -> Result<()> {
        if self.routes.node().fleet.is_none() {
            self.spawn(close_in_time(Arc::downgrade(self)));
            return self.switcher.recover().await;
        }
        self.spawn(watch_over(Arc::downgrade(self)));
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Closes a way back that has been open for as long as it was to be.
    async fn close_in_time(&self) {
        match self.switcher.finalize_in_time().await {
            Ok(None) => {}
            Ok(Some(record)) => {
                tracing::info!(
                    switch = record.id,
                    to = record.to,
                    "the way back was open for its time, and is closed"
                );
            }
            Err(error) => tracing::warn!(?error, "a way back whose time is over can't be closed"),
        }
    }

    /// The gateways; none if there is one process only.
    pub fn members(&self) -> Vec<Member> {
        let node = self.routes.node();
        let (own, ages) = (node.name(), node.ages());
        let Some(state) = node.state().filter(|_| node.fleet.is_some()) else { return Vec::new() };
        let awaited = if state.route.is_held() { state.unacknowledged() } else { Vec::new() };
        let member = |(name, gateway): (&String, &crate::machine::Gateway)| Member {
            name: name.clone(),
            label: gateway.label.clone(),
            own: *name == own,
            leads: *name == state.coordinator.holder,
            renewed_ms: ages.get(name).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            acknowledged: gateway.acknowledged,
            awaited: awaited.contains(name),
        };
        state.gateways.iter().map(member).collect()
    }

    /// How far the running switch is, whoever leads it.
    pub async fn progress(&self) -> Option<Progress> {
        let own = self.switcher.watch().map(|progress| progress.borrow().clone());
        if self.routes.node().fleet.is_none() || self.routes.leads() {
            return own;
        }
        let entry = self.control.get(PROGRESS).await.ok().flatten();
        entry.and_then(|entry| serde_json::from_value(entry.value).ok())
    }

    /// Has it done where switches are led.
    async fn ask<T: DeserializeOwned>(&self, command: Command) -> Result<T> {
        let answer = match self.lead().await? {
            true => Box::pin(command.run(&self.switcher, self.mirrors())).await?,
            false => self.ask_the_leader(command).await?,
        };
        serde_json::from_value(answer)
            .map_err(|error| Error::internal("an answer can't be read").with_source(error))
    }

    /// Whether this process leads, or does from now on.
    async fn lead(&self) -> Result<bool> {
        match self.routes.lead().await? {
            Leader::Here => Ok(true),
            Leader::New => self.take_up().await.map(|()| true),
            Leader::Other(_) => Ok(false),
        }
    }

    /// Goes on with what the leader before has left.
    async fn take_up(&self) -> Result<()> {
        tracing::info!("this process leads switches now");
        self.at_work.lock().led = true;
        self.at_work.lock().taken_up = Some(Instant::now());
        self.switcher.let_go().await;
        self.switcher.recover().await
    }

    /// Until it is answered: whoever leads by then does it.
    async fn ask_the_leader(&self, command: Command) -> Result<Json> {
        let key = format!("{COMMANDS}{}", new_name());
        let mut changes = self.control.watch();
        self.control.put(&key, written(&Asked::new(command))?, 0).await?;
        loop {
            // What does not change by itself is looked at all the same.
            let _ = timeout(LOOK, changes.changed()).await;
            let Ok(entry) = self.control.get(&key).await else { continue };
            let entry = entry.ok_or_else(|| Error::internal("a command is gone from the control store"))?;
            if let Some(answer) = asked(entry.value)?.answer {
                if let Err(error) = self.control.remove(&key).await {
                    tracing::debug!(?error, "an answered command stays for a while");
                }
                return answer.into_result();
            }
        }
    }

    /// Looks who leads, and does what a leader does.
    async fn look(self: &Arc<Self>) -> Result<()> {
        let Some(state) = self.routes.node().state() else { return Ok(()) };
        if self.routes.leads() {
            self.answer_commands().await?;
            self.tell().await?;
            self.close_in_time().await;
            return self.take_up_again(&state).await;
        }
        if std::mem::take(&mut self.at_work.lock().led) {
            tracing::warn!("this process leads switches no more");
            self.switcher.let_go().await;
        }
        let nobody_leads = !state.gateways.contains_key(&state.coordinator.holder);
        // A mirror is kept by whoever leads.
        if nobody_leads && (goes_on(&state) || self.mirrors().is_some() || self.is_asked().await?) {
            self.lead().await?;
            return Ok(());
        }
        self.switcher.shared.take_part(&state).await
    }

    async fn is_asked(&self) -> Result<bool> {
        Ok(!self.control.list(COMMANDS).await?.is_empty())
    }

    /// Takes up what broke off in this process, for a store or a side that did not answer.
    async fn take_up_again(&self, state: &State) -> Result<()> {
        let due = self.at_work.lock().taken_up.is_none_or(|at| at.elapsed() >= AGAIN);
        if goes_on(state) && due && self.switcher.is_idle().await {
            self.at_work.lock().taken_up = Some(Instant::now());
            return self.switcher.recover().await;
        }
        Ok(())
    }

    async fn answer_commands(self: &Arc<Self>) -> Result<()> {
        let listed = self.control.list(COMMANDS).await?;
        // Kept until it is gone: what was listed before it was answered must not have it done again.
        self.at_work.lock().commands.retain(|key, _| listed.iter().any(|(listed, _)| listed == key));
        for (key, entry) in listed {
            let asked = asked(entry.value)?;
            let known = self.at_work.lock().know(&key);
            if asked.answer.is_some() {
                if known.is_some_and(|since| since.elapsed() > KEPT) {
                    self.control.remove(&key).await?;
                }
            } else if known.is_none() {
                self.spawn(Arc::clone(self).answer(key, asked, entry.version));
            }
        }
        Ok(())
    }

    async fn answer(self: Arc<Self>, key: String, mut asked: Asked, version: i64) {
        asked.answer = Some(Answer::from(asked.command.clone().run(&self.switcher, self.mirrors()).await));
        let stored = match written(&asked) {
            Ok(value) => self.control.put(&key, value, version).await,
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            tracing::warn!(?error, "whoever asked for something is not told what came of it");
        }
    }

    /// Stores how far the running switch is, for those who ask elsewhere.
    async fn tell(&self) -> Result<()> {
        let Some(progress) = self.switcher.watch().map(|progress| progress.borrow().clone()) else {
            return Ok(());
        };
        let told = self.at_work.lock().told.clone();
        if told.is_some_and(|(at, told)| at.elapsed() < TELL || told == progress) {
            return Ok(());
        }
        let version = self.control.get(PROGRESS).await?.map_or(0, |entry| entry.version);
        self.control.put(PROGRESS, written(&progress)?, version).await?;
        self.at_work.lock().told = Some((Instant::now(), progress));
        Ok(())
    }

    /// Stops what runs in the background, for shutdown. Somebody else goes on with it, or the next
    /// start. `drained` says that nothing is in flight here, so that nobody need wait for this process.
    pub async fn close(&self, drained: bool) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.switcher.close().await;
        if let Err(error) = self.routes.leave(drained).await {
            tracing::warn!(?error, "the others will wait for the lease of this gateway to run out");
        }
    }
}

/// The methods of [`Switcher`], done where switches are led; errors are the same.
#[allow(clippy::missing_errors_doc)]
impl Steering {
    /// As [`Switcher::start`].
    pub async fn start(&self, to: &str, options: Options) -> Result<Record> {
        self.ask(Command::Start { to: to.to_owned(), options }).await
    }

    /// As [`Switcher::pause`].
    pub async fn pause(&self) -> Result<Record> {
        self.ask(Command::Pause).await
    }

    /// As [`Switcher::resume`].
    pub async fn resume(&self) -> Result<Record> {
        self.ask(Command::Resume).await
    }

    /// As [`Switcher::back`].
    pub async fn back(&self) -> Result<Record> {
        self.ask(Command::Back).await
    }

    /// As [`Switcher::move_part`].
    pub async fn move_part(&self, part: Option<&str>) -> Result<Record> {
        self.ask(Command::Move { part: part.map(str::to_owned) }).await
    }

    /// As [`Switcher::part_back`].
    pub async fn part_back(&self, part: &str) -> Result<Record> {
        self.ask(Command::PartBack { part: part.to_owned() }).await
    }

    /// As [`Switcher::finalize`].
    pub async fn finalize(&self) -> Result<Record> {
        self.ask(Command::Finalize).await
    }

    /// As [`Switcher::abort`].
    pub async fn abort(&self) -> Result<Record> {
        self.ask(Command::Abort).await
    }

    /// As [`Switcher::rehearse`].
    pub async fn rehearse(&self, to: &str) -> Result<Rehearsal> {
        self.ask(Command::Rehearse { to: to.to_owned() }).await
    }

    /// As [`Mirrors::foresee`].
    pub async fn foresee(&self) -> Result<Foreseen> {
        self.ask(Command::Foresee).await
    }

    /// As [`Mirrors::fail_over`], because somebody wants it.
    pub async fn fail_over(&self) -> Result<FailoverReport> {
        self.ask(Command::FailOver).await
    }

    /// As [`Switcher::verify`].
    pub async fn verify(&self, source: &str, target: &str, options: &Options) -> Result<Vec<TableReport>> {
        let (source, target, options) = (source.to_owned(), target.to_owned(), options.clone());
        self.ask(Command::Verify { source, target, options }).await
    }
}

async fn close_in_time(steering: Weak<Steering>) {
    loop {
        sleep(CLOSE).await;
        let Some(steering) = steering.upgrade() else { return };
        steering.close_in_time().await;
    }
}

async fn watch_over(steering: Weak<Steering>) {
    let Some(mut changes) = steering.upgrade().map(|steering| steering.control.watch()) else { return };
    loop {
        match timeout(LOOK, changes.changed()).await {
            Ok(Err(_)) => sleep(LOOK).await,
            _ => drop(changes.borrow_and_update()),
        }
        let Some(steering) = steering.upgrade() else { return };
        if let Err(error) = steering.look().await {
            tracing::warn!(?error, "the switches can't be looked after");
        }
    }
}

/// Whether a switch needs somebody who leads it.
fn goes_on(state: &State) -> bool {
    let goes_on = |phase: Phase| !phase.is_over();
    state.switch.as_ref().is_some_and(|stage| goes_on(stage.phase) && !stage.paused)
}

fn asked(value: Json) -> Result<Asked> {
    serde_json::from_value(value)
        .map_err(|error| Error::internal("a command can't be read").with_source(error))
}

fn written(value: &impl Serialize) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::internal("this can't be stored").with_source(error))
}
