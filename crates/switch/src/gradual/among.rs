//! Reads under trial on every gateway of several.
//!
//! Whoever leads the switch shows in the control store which reads are under trial, and the target's
//! share of them; every gateway takes part and tells what it found. A gateway that is out of touch
//! stops asking the target by itself, before anybody empties that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use truststream_kernel::Result;
use truststream_services::database::Describe;

use super::trial::Trial;
use super::{ReadReport, Reads};
use crate::follow::Follower;
use crate::machine::{Division, Part, State, Strategy};
use crate::shared::Shared;
use crate::{Record, Touch};

/// How long a gateway that has seen that a trial goes on may let the target answer.
const STANDS: Duration = Duration::from_secs(1);

/// How often it is asked what other gateways found.
const COLLECT: Duration = Duration::from_millis(300);

/// After this what another gateway found is known where the switch is led.
pub(super) const HEARD: Duration = Duration::from_millis(800);

/// Between two looks how far the target is.
const PAUSE: Duration = Duration::from_millis(5);

/// How long taking part may be held up by a side that does not answer: there is more to look after.
const PATIENCE: Duration = Duration::from_secs(1);

/// A trial as the other gateways are shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// Its name; each has another one.
    pub(crate) name: String,
    /// The switch that it belongs to.
    pub(crate) switch: u64,
    /// The part whose reads are under trial; what is left if absent.
    pub(crate) part: Option<String>,
    /// Reads that the target answers, in percent.
    pub(crate) share: u8,
}

/// What a trial needs where other gateways take part in it.
pub(super) struct Among {
    name: String,
    wanted: Notify,
    until: Mutex<Option<Instant>>,
    told: Mutex<(Instant, Vec<ReadReport>)>,
}

impl Among {
    pub(super) fn new(name: String) -> Self {
        let told = Mutex::new((Instant::now(), Vec::new()));
        Among { name, wanted: Notify::new(), until: Mutex::default(), told }
    }

    /// The trial went on at this moment.
    fn went_on(&self, moment: Instant) {
        *self.until.lock() = Some(moment + STANDS);
    }

    /// Whether the target may answer.
    pub(super) fn stands(&self) -> bool {
        self.until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Somebody waits until it is known how far the target is.
    pub(super) fn wants_to_know(&self) {
        self.wanted.notify_one();
    }

    /// What other gateways found.
    pub(super) fn told(&self) -> Vec<ReadReport> {
        self.told.lock().1.clone()
    }
}

/// Looks how far the target is, for as long as this lives.
pub(super) struct Looks {
    _task: JoinSet<()>,
}

impl Looks {
    /// Of a trial that nobody else has a part in.
    pub(super) fn none() -> Self {
        Looks { _task: JoinSet::new() }
    }

    fn of(trial: &Arc<Trial>, target: Follower) -> Self {
        let mut task = JoinSet::new();
        task.spawn(look(Arc::clone(trial), target));
        Looks { _task: task }
    }
}

async fn look(trial: Arc<Trial>, mut target: Follower) {
    let Some(among) = &trial.among else { return };
    loop {
        among.wanted.notified().await;
        let asked = Instant::now();
        match target.is_behind().await {
            Ok(false) => trial.has_all_before(asked),
            Ok(true) => among.wants_to_know(),
            Err(error) => tracing::debug!(?error, "how far the target is can't be told"),
        }
        sleep(PAUSE).await;
    }
}

/// The part that this gateway has in a trial that another one leads.
pub(super) struct Joined {
    trial: Arc<Trial>,
    name: String,
    told: ReadReport,
    _looks: Looks,
}

impl Reads {
    /// Takes part in nothing any more.
    pub(super) fn leave(&self) {
        if self.joined.lock().take().is_some() {
            *self.trial.write() = None;
        }
    }

    fn join(&self, joined: Joined) {
        *self.trial.write() = Some(Arc::clone(&joined.trial));
        *self.joined.lock() = Some(joined);
    }

    fn has_joined(&self, name: &str) -> bool {
        self.joined.lock().as_ref().is_some_and(|joined| joined.name == name)
    }

    /// Goes on as is shown; returns what is news of what was found.
    fn go_on(&self, shown: &Shown, asked: Instant) -> Option<ReadReport> {
        let mut joined = self.joined.lock();
        let joined = joined.as_mut()?;
        joined.trial.serve(shown.share);
        if let Some(among) = &joined.trial.among {
            among.went_on(asked);
        }
        let found = joined.trial.tally.lock().report();
        let is_news = found != joined.told;
        joined.told.clone_from(&found);
        is_news.then_some(found)
    }
}

impl Shared {
    /// Reads of a part, or of what is in none, to be tried on both sides of a follower.
    pub(super) async fn trial(
        &self,
        follower: &Follower,
        division: &Division,
        part: Option<&Part>,
        sample: u8,
    ) -> Result<Trial> {
        let catalog = follower.source.database.send(Describe::default()).await?;
        let (source, target) = (follower.source.database.stack(), follower.target.database.stack());
        let trial = Trial::new(Arc::clone(source), Arc::clone(target), catalog, sample.clamp(1, 100));
        let named =
            |part: &Part| division.tables_of(part).into_iter().chain(part.views.clone()).collect::<Vec<_>>();
        let moved = division.parts.iter().filter(|part| part.moved);
        let trial = match part {
            Some(part) => trial.only(named(part)),
            // Of tables that all tenants have, those that have moved do not take the others along.
            None if division.tenancy.is_some() => trial,
            None => trial.without(moved.flat_map(named)),
        };
        Ok(if division.tenancy.is_some() {
            let touch = Touch::named(division, part.map(|part| part.name.as_str()));
            trial.touching(self.routes.gate().route(), touch)
        } else {
            trial
        })
    }

    /// Looks how far the target is, for a trial among several gateways.
    pub(super) async fn looks(
        &self,
        trial: &Arc<Trial>,
        record: &Record,
        division: &Division,
    ) -> Result<Looks> {
        let mut target = self.forward_follower(record).await?;
        target.leave_out(division.not_forward());
        Ok(Looks::of(trial, target))
    }

    /// Takes part in the trial of reads that another gateway leads, if there is one.
    ///
    /// # Errors
    /// When the control store does not answer, or a side that has to be asked.
    pub(crate) async fn take_part(&self, state: &State) -> Result<()> {
        let asked = Instant::now();
        let is_gradual = state.switch.as_ref().is_some_and(|stage| {
            stage.strategy == Strategy::Gradual && stage.phase.is_before_commit() && !stage.paused
        });
        let shown = if is_gradual { self.records.trial().await? } else { None };
        let Some(shown) = shown else {
            self.reads.leave();
            return Ok(());
        };
        if !self.reads.has_joined(&shown.name) {
            self.reads.leave();
            let joined = timeout(PATIENCE, self.join(&shown)).await;
            let Some(joined) = joined.unwrap_or(Ok(None))? else { return Ok(()) };
            self.reads.join(joined);
        }
        match self.reads.go_on(&shown, asked) {
            Some(found) => self.records.tell_of(&shown.name, &found).await,
            None => Ok(()),
        }
    }

    async fn join(&self, shown: &Shown) -> Result<Option<Joined>> {
        let record = self.records.latest().await?.filter(|record| record.id == shown.switch);
        let division = self.routes.gate().route().division.clone();
        let (Some(record), Some(division)) = (record, division) else { return Ok(None) };
        let part = shown.part.as_ref().map(|name| division.parts.iter().find(|part| part.name == *name));
        if part == Some(None) {
            // The one that leads knows of it sooner.
            return Ok(None);
        }
        let part = part.flatten();
        let follower = self.forward_follower(&record).await?;
        let trial = self.trial(&follower, &division, part, record.options.reads.sample).await?;
        let trial = Arc::new(trial.among(shown.name.clone()));
        let looks = self.looks(&trial, &record, &division).await?;
        let (name, told) = (shown.name.clone(), ReadReport::default());
        Ok(Some(Joined { trial, name, told, _looks: looks }))
    }

    /// Has every gateway stop asking the target of a switch that is given up, also those that are out
    /// of touch: it is emptied next.
    pub(crate) async fn end_trials(&self, record: &Record) -> Result<()> {
        if record.options.strategy == Strategy::Gradual && self.routes.is_one_of_several() {
            self.records.hide_trial().await?;
            sleep(STANDS).await;
        }
        Ok(())
    }

    /// Goes on with a trial that this process leads, and hears what the others found.
    pub(super) async fn hear_of(&self, trial: &Trial) -> Result<()> {
        let Some(among) = &trial.among else { return Ok(()) };
        let now = Instant::now();
        if self.routes.leads() {
            among.went_on(now);
        }
        if among.told.lock().0 + COLLECT <= now {
            let told = self.records.told_of(&among.name).await?;
            *among.told.lock() = (now, told);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::{BoxFuture, Call, Context, Features, Stack};
    use truststream_services::database::{
        Catalog, DatabaseOp, DatabaseReply, DatabaseService, Page, Query, Select, TableName,
    };

    use super::*;

    /// A side that answers every read with its name.
    struct Named(&'static str);

    impl Call<DatabaseService> for Named {
        fn features(&self) -> Features {
            Features::default()
        }

        fn call<'a>(&'a self, _: &'a Context, _: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
            let page = Page { body: self.0.into(), ..Page::default() };
            Box::pin(async move { Ok(DatabaseReply::Select(page)) })
        }
    }

    fn side(name: &'static str) -> Stack<DatabaseService> {
        Arc::new(Named(name))
    }

    /// A trial in which the target is to answer every read.
    fn trial() -> Arc<Trial> {
        let trial = Trial::new(side("source"), side("target"), Arc::new(Catalog::default()), 1);
        let trial = Arc::new(trial.among("first".to_owned()));
        trial.serve(100);
        trial
    }

    fn among(trial: &Trial) -> &Among {
        trial.among.as_ref().unwrap()
    }

    async fn answer(trial: &Arc<Trial>) -> String {
        let read = DatabaseOp::from(Select::new(TableName::public("notes"), Query::all()));
        let reply = Arc::clone(trial).call(&side("source"), &Context::system(), &read).await.unwrap();
        let DatabaseReply::Select(page) = reply else { panic!("a read is answered by a page") };
        String::from_utf8(page.body.to_vec()).unwrap()
    }

    /// Says, each time that somebody wants to know, that the target has all there was at a moment.
    fn says(trial: &Arc<Trial>, when: impl Fn() -> Instant + Send + 'static) -> JoinSet<()> {
        let (trial, mut task) = (Arc::clone(trial), JoinSet::new());
        task.spawn(async move {
            loop {
                among(&trial).wanted.notified().await;
                trial.has_all_before(when());
            }
        });
        task
    }

    #[tokio::test]
    async fn the_target_answers_what_it_has_all_that_was_there_before_the_read() {
        let trial = trial();
        among(&trial).went_on(Instant::now());
        let before = Instant::now();
        let old = says(&trial, move || before);
        assert_eq!(answer(&trial).await, "source", "of what was written since somebody may know");
        drop(old);
        let _now = says(&trial, Instant::now);
        assert_eq!(answer(&trial).await, "target");
        assert_eq!(trial.report().served, 1);
    }

    #[tokio::test]
    async fn the_target_answers_only_while_the_trial_is_known_to_go_on() {
        let trial = trial();
        let _now = says(&trial, Instant::now);
        assert_eq!(answer(&trial).await, "source", "nobody has said that it goes on");
        among(&trial).went_on(Instant::now());
        assert_eq!(answer(&trial).await, "target");
        among(&trial).went_on(Instant::now().checked_sub(STANDS).unwrap());
        assert_eq!(answer(&trial).await, "source", "it was asked too long ago");
    }
}
