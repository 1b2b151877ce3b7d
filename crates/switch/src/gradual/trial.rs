//! Reads while both sides can answer them.
//!
//! A caller reads from the target only what lies behind everything it did or saw: its own last write
//! and its last read of the source. What the target has is known by time: a look into the source's
//! feed that found its end covers all that was acknowledged before the look. Where other gateways admit
//! writes too, nobody knows what a caller did there: the target answers a read once it has everything
//! that was acknowledged anywhere before that read began.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use truststream_kernel::{Caller, Context, Effect, Operation, Result, Stack};
use truststream_services::database::{
    Catalog, DatabaseOp, DatabaseReply, DatabaseService, Page, Select, TableName,
};

use super::ReadReport;
use super::among::Among;
use super::compare::{has_one_answer, lies_between, same};
use super::tally::Tally;
use crate::{Plea, Route, Touch};

/// How far behind the target may be to answer the application at all.
const BEHIND: Duration = Duration::from_secs(1);

/// How often a read whose answer changes is tried again.
const ATTEMPTS: u32 = 5;

/// How long a comparison waits for the target to have what the source had.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a read waits, among several gateways, for the target to have all that there was when it began.
const SOON: Duration = Duration::from_millis(250);

/// Comparisons at once; reads beyond them are not compared.
const AT_ONCE: usize = 8;

/// Callers remembered before those are forgotten that the target has overtaken.
const CALLERS: usize = 10_000;

/// A transaction of several requests writes at a moment that is not seen here.
const PINNED: Duration = Duration::from_secs(24 * 3600);

/// Two sides, and who may be answered by which.
pub(super) struct Trial {
    source: Stack<DatabaseService>,
    target: Stack<DatabaseService>,
    catalog: Arc<Catalog>,
    /// Reads that are compared, in percent.
    sample: u8,
    /// Reads that the target answers, in percent.
    share: AtomicU8,
    counted: AtomicU64,
    fresh: watch::Sender<Option<Instant>>,
    seen: Mutex<HashMap<u64, Instant>>,
    comparing: Arc<Semaphore>,
    pub(super) tally: Mutex<Tally>,
    /// Relations whose reads are under trial, or all but these.
    relations: HashSet<TableName>,
    all_but: bool,
    /// Of these, only reads that touch exactly this under this route.
    touching: Option<(Arc<Route>, Touch)>,
    /// Other gateways have reads under the same trial.
    pub(super) among: Option<Among>,
}

impl Trial {
    pub(super) fn new(
        source: Stack<DatabaseService>,
        target: Stack<DatabaseService>,
        catalog: Arc<Catalog>,
        sample: u8,
    ) -> Self {
        Trial {
            source,
            target,
            catalog,
            sample,
            share: AtomicU8::new(0),
            counted: AtomicU64::new(0),
            fresh: watch::Sender::new(None),
            seen: Mutex::default(),
            comparing: Arc::new(Semaphore::new(AT_ONCE)),
            tally: Mutex::default(),
            relations: HashSet::new(),
            all_but: true,
            touching: None,
            among: None,
        }
    }

    /// Together with other gateways, under a name.
    pub(super) fn among(self, name: String) -> Self {
        Trial { among: Some(Among::new(name)), ..self }
    }

    /// Of reads of these relations only.
    pub(super) fn only(self, relations: impl IntoIterator<Item = TableName>) -> Self {
        Trial { relations: relations.into_iter().collect(), all_but: false, ..self }
    }

    /// Of all reads but those of these relations.
    pub(super) fn without(self, relations: impl IntoIterator<Item = TableName>) -> Self {
        Trial { relations: relations.into_iter().collect(), all_but: true, ..self }
    }

    /// Of reads that touch exactly this under a route, whose division does not change meanwhile.
    pub(super) fn touching(self, route: Arc<Route>, touch: Touch) -> Self {
        Trial { touching: Some((route, touch)), ..self }
    }

    fn concerns(&self, cx: &Context, op: &DatabaseOp, select: &Select) -> bool {
        let touches = |(route, touch): &(Arc<Route>, Touch)| Plea::of(cx, op).touch(route) == *touch;
        self.relations.contains(&select.table) != self.all_but && self.touching.as_ref().is_none_or(touches)
    }

    /// Lets the target answer so many reads of a hundred.
    pub(super) fn serve(&self, share: u8) {
        self.share.store(share, Ordering::Relaxed);
    }

    /// The target has everything that was acknowledged before this moment.
    pub(super) fn has_all_before(&self, moment: Instant) {
        self.fresh.send_if_modified(|fresh| {
            let is_news = fresh.is_none_or(|fresh| fresh < moment);
            if is_news {
                *fresh = Some(moment);
            }
            is_news
        });
    }

    /// What was found, by every gateway.
    pub(super) fn report(&self) -> ReadReport {
        let own = self.tally.lock().report();
        let others = self.among.iter().flat_map(Among::told);
        others.fold(own, ReadReport::and)
    }

    pub(super) async fn call(
        self: Arc<Self>,
        inner: &Stack<DatabaseService>,
        cx: &Context,
        op: &DatabaseOp,
    ) -> Result<DatabaseReply> {
        if let DatabaseOp::Select(select) = op
            && self.concerns(cx, op, select)
        {
            return self.read(inner, cx, op, select).await;
        }
        let reply = inner.call(cx, op).await;
        if op.info().effect == Effect::Write {
            let now = Instant::now();
            self.saw(cx, if matches!(op, DatabaseOp::Begin(_)) { now + PINNED } else { now });
        }
        reply
    }

    async fn read(
        self: Arc<Self>,
        inner: &Stack<DatabaseService>,
        cx: &Context,
        op: &DatabaseOp,
        select: &Select,
    ) -> Result<DatabaseReply> {
        let count = self.counted.fetch_add(1, Ordering::Relaxed);
        // Whatever keeps the target from answering, the source knows better; and of a trial that is over
        // nobody knows what the target holds.
        if self.is_for_the_target(cx, count).await
            && let Ok(reply) = self.target.call(cx, op).await
            && self.among.as_ref().is_none_or(Among::stands)
        {
            self.tally.lock().served += 1;
            return Ok(reply);
        }
        let asked = Instant::now();
        let reply = inner.call(cx, op).await?;
        self.saw(cx, Instant::now());
        if let DatabaseReply::Select(page) = &reply
            && spread(count, self.sample)
        {
            let first = (!select.as_values).then(|| page.clone());
            self.compare_soon(cx, select, first, asked.elapsed());
        }
        Ok(reply)
    }

    /// Whether this read is one of the target's share, and the target has all that its caller knows.
    async fn is_for_the_target(&self, cx: &Context, count: u64) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        let chosen = match subject(cx) {
            // One caller stays with one side.
            Some(_) => spread(caller(cx), share),
            None => spread(count, share),
        };
        if !chosen {
            return false;
        }
        if let Some(among) = &self.among {
            return among.stands() && self.has_reached(Instant::now(), SOON).await;
        }
        let Some(fresh) = *self.fresh.borrow() else { return false };
        fresh.elapsed() <= BEHIND && self.seen.lock().get(&caller(cx)).is_none_or(|seen| *seen < fresh)
    }

    fn saw(&self, cx: &Context, moment: Instant) {
        let mut seen = self.seen.lock();
        if seen.len() >= CALLERS
            && let Some(fresh) = *self.fresh.borrow()
        {
            seen.retain(|_, seen| *seen >= fresh);
        }
        let last = seen.entry(caller(cx)).or_insert(moment);
        *last = moment.max(*last);
    }

    fn compare_soon(self: Arc<Self>, cx: &Context, select: &Select, first: Option<Page>, took: Duration) {
        let key = self.catalog.table(&select.table).map(|table| table.primary_key.as_slice());
        if !has_one_answer(select, key.unwrap_or_default()) {
            self.tally.lock().not_compared += 1;
            return;
        }
        let Ok(permit) = Arc::clone(&self.comparing).try_acquire_owned() else { return };
        // Nobody waits for it.
        let cx = Context { deadline: None, ..cx.clone() };
        let mut select = Select { as_values: false, ..select.clone() };
        select.format.spooled = false;
        let first = first.filter(|page| page.spooled.is_none());
        tokio::spawn(async move {
            self.compare(&cx, select, first, took).await;
            drop(permit);
        });
    }

    async fn compare(&self, cx: &Context, select: Select, first: Option<Page>, took: Duration) {
        let op = DatabaseOp::from(select);
        let mut known = Instant::now();
        let mut here = match first {
            Some(page) => page,
            None => match ask(&self.source, cx, &op).await {
                Ok(page) => page,
                Err(_) => return,
            },
        };
        let mut differed = false;
        for attempt in 0..ATTEMPTS {
            if !self.has_reached(known, PATIENCE).await {
                break;
            }
            let asked = Instant::now();
            let there = ask(&self.target, cx, &op).await;
            if attempt == 0 {
                self.tally.lock().took(took, asked.elapsed());
            }
            if there.as_ref().is_ok_and(|there| same(&here, there)) {
                self.tally.lock().equal += 1;
                return;
            }
            let Ok(again) = ask(&self.source, cx, &op).await else { break };
            let stood_still = same(&here, &again);
            // What the target has lies between the two moments at which the source was asked.
            if !stood_still && there.as_ref().is_ok_and(|there| lies_between(&here, there, &again)) {
                self.tally.lock().equal += 1;
                return;
            }
            // Once it may have been changed and changed back in between.
            if stood_still && differed {
                self.tally.lock().differs(shape(&op), difference(&here, there));
                return;
            }
            differed = stood_still;
            (here, known) = (again, Instant::now());
        }
        self.tally.lock().undecided += 1;
    }

    /// Waits until the target has everything that was acknowledged before this moment.
    async fn has_reached(&self, moment: Instant, patience: Duration) -> bool {
        if let Some(among) = &self.among {
            among.wants_to_know();
        }
        let mut fresh = self.fresh.subscribe();
        let reached = fresh.wait_for(|fresh| fresh.is_some_and(|fresh| fresh >= moment));
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }
}

async fn ask(stack: &Stack<DatabaseService>, cx: &Context, op: &DatabaseOp) -> Result<Page> {
    match stack.call(cx, op).await? {
        DatabaseReply::Select(page) => Ok(page),
        _ => Err(truststream_kernel::Error::internal("a read was not answered by a page")),
    }
}

fn shape(op: &DatabaseOp) -> String {
    let mut shape = String::new();
    // Writing to a text does not fail.
    let _ = op.shape(&mut shape);
    shape
}

/// How the target's answer differs, without a value of it.
fn difference(here: &Page, there: Result<Page>) -> String {
    match there {
        Err(error) => format!("it fails with {}", error.code()),
        Ok(there) if there.rows != here.rows => "another number of rows".to_owned(),
        Ok(there) if there.total != here.total => "another count".to_owned(),
        Ok(_) => "other values".to_owned(),
    }
}

fn subject(cx: &Context) -> Option<&str> {
    match &cx.caller {
        Caller::System => None,
        Caller::Role(identity) => identity.subject(),
    }
}

/// Who asks: a user, or all who share a role.
fn caller(cx: &Context) -> u64 {
    let mut hasher = DefaultHasher::new();
    cx.tenant.hash(&mut hasher);
    match &cx.caller {
        Caller::System => "system".hash(&mut hasher),
        Caller::Role(identity) => (&identity.role, identity.subject()).hash(&mut hasher),
    }
    hasher.finish()
}

/// Whether one of a number of things is among so many of a hundred.
fn spread(number: u64, percent: u8) -> bool {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 < (u64::from(percent) << 32) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_about_as_large_as_it_should_be() {
        for percent in [0_u8, 10, 50, 100] {
            let chosen = (0..10_000).filter(|number| spread(*number, percent)).count();
            assert!(chosen.abs_diff(usize::from(percent) * 100) < 100, "{percent}: {chosen}");
        }
    }
}
