//! Copying and comparing no faster than the application bears.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use truststream_kernel::Result;
use truststream_services::database::Ping;

use crate::signal::Signal;
use crate::{Gate, Options, Side};

/// Longest rest between two chunks.
const LONGEST: Duration = Duration::from_secs(2);

/// How often the share of work changes.
const LOOK: Duration = Duration::from_millis(500);

/// How often work rests to hear how long writes take without it, and for how long.
const LISTEN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(150));

/// The part by which what is usual follows a rest in which writes took longer. A rest is too short for all that
/// work has left behind (a log to be flushed, pages to be written), and the feed goes on in it: followed at
/// once, each of them would make the next slowdown look usual.
const FOLLOW: u32 = 16;

/// Least share of its time that work takes, in percent, and by how much it grows.
const LEAST: u32 = 10;
const STEP: u32 = 5;

/// How the application's writes fare beside a switch, and which share of its time that may work.
pub(crate) struct Manners {
    /// Where writes pass; without it only the side's own answers count.
    gate: Option<Arc<Gate>>,
    state: Mutex<State>,
}

struct State {
    /// In percent.
    share: u32,
    looked: Instant,
    /// How long a write takes while nothing else goes on.
    usual: Option<Duration>,
    listened: Instant,
    /// It gives way to nothing any more.
    hurries: bool,
}

impl Manners {
    /// Of work that begins now; what was written just before says how long writes take without it.
    pub(crate) fn beside(gate: Option<Arc<Gate>>) -> Arc<Self> {
        let now = Instant::now();
        let before = now.checked_sub(LISTEN.0);
        let usual = gate.as_ref().zip(before).and_then(|(gate, before)| gate.tempo(before));
        let state = State { share: 100, looked: now, usual, listened: now, hurries: false };
        Arc::new(Manners { gate, state: Mutex::new(state) })
    }

    /// Has work give way no more, or again. What is inserted with random keys while rows are copied comes
    /// before the end of the copy: one that gives way all the time is outrun by it.
    pub(crate) fn hurry(&self, hurries: bool) {
        self.state.lock().hurries = hurries;
    }

    /// Whether the application writes, so that work has to come in small pieces: in large ones each write that
    /// falls into one waits for all of it.
    pub(crate) fn gives_way(&self) -> bool {
        let state = self.state.lock();
        state.usual.is_some() && !state.hurries
    }

    /// The share that work may take now: less each time that the application has become slower than
    /// `slowdown` percent beyond the usual, or `slow` says so, and more again otherwise.
    fn share(&self, most: u32, slowdown: u32, slow: bool) -> u32 {
        let mut state = self.state.lock();
        if state.hurries {
            return most;
        }
        let lately = state.looked;
        if lately.elapsed() >= LOOK {
            let now = self.gate.as_ref().and_then(|gate| gate.tempo(lately));
            let slowed =
                now.zip(state.usual).is_some_and(|(now, usual)| now * 100 > usual * (100 + slowdown));
            state.share = next(state.share.min(most), slow || slowed, most);
            state.looked = Instant::now();
        }
        state.share.min(most)
    }

    /// Rests now and then, to hear how long writes take without work.
    async fn listen(&self, signal: &Signal) {
        let Some(gate) = &self.gate else { return };
        if self.state.lock().listened.elapsed() < LISTEN.0 {
            return;
        }
        let began = Instant::now();
        signal.sleep(LISTEN.1).await;
        let mut state = self.state.lock();
        state.usual = heard(state.usual, gate.tempo(began));
        (state.listened, state.looked) = (Instant::now(), Instant::now());
    }
}

/// What is usual after a rest in which writes took so long.
fn heard(usual: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    match (usual, now) {
        (Some(usual), Some(now)) if now > usual => Some(usual + (now - usual) / FOLLOW),
        (usual, now) => now.or(usual),
    }
}

/// The share after this one.
fn next(share: u32, slow: bool, most: u32) -> u32 {
    if slow { (share * 3 / 4).max(LEAST) } else { share + STEP }.min(most)
}

/// How long to rest between the chunks of one table.
pub(crate) struct Pace {
    throttle: u32,
    max_latency: Option<Duration>,
    max_slowdown: u32,
    /// Since when it works.
    since: Instant,
}

impl Pace {
    pub(crate) fn new(options: &Options) -> Self {
        Pace {
            throttle: u32::from(options.throttle.clamp(1, 100)),
            max_latency: options.max_latency_ms.map(Duration::from_millis),
            max_slowdown: u32::from(options.max_slowdown),
            since: Instant::now(),
        }
    }

    /// Rests, in proportion to the work since the last rest. Nothing may be on its way meanwhile.
    pub(crate) async fn rest(&mut self, source: &Side, signal: &Signal) -> Result<()> {
        let busy = self.since.elapsed();
        let mut slow = false;
        if let Some(most) = self.max_latency {
            let began = Instant::now();
            source.database.send(Ping).await?;
            slow = began.elapsed() > most;
        }
        let share = signal.manners().share(self.throttle, self.max_slowdown, slow);
        let rest = rest(busy, share);
        if !rest.is_zero() {
            signal.sleep(rest).await;
        }
        signal.manners().listen(signal).await;
        self.since = Instant::now();
        Ok(())
    }
}

/// The rest that makes so long a work this share of the time, in percent.
fn rest(busy: Duration, share: u32) -> Duration {
    (busy * (100 - share) / share).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use truststream_kernel::Effect;

    use super::*;
    use crate::{Held, Route};

    #[test]
    fn a_share_of_the_time() {
        let ms = Duration::from_millis;
        assert_eq!((rest(ms(10), 25), rest(ms(10), 100)), (ms(30), Duration::ZERO));
        assert_eq!((next(100, true, 100), next(11, true, 100), next(98, false, 100)), (75, LEAST, 100));
        // Less than the least is what the operator asked for.
        assert_eq!((next(3, true, 3), next(3, false, 3)), (3, 3));
    }

    async fn write(gate: &Arc<Gate>, count: usize, took: Duration) {
        for _ in 0..count {
            let pass = gate.admit(Effect::Write).await.unwrap();
            tokio::time::advance(took).await;
            drop(pass);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_gives_way_while_writes_are_slower_than_usual() {
        let gate = Gate::new(Route::first("s"), Held::default());
        let ms = Duration::from_millis;
        write(&gate, 100, ms(10)).await;
        let manners = Manners::beside(Some(Arc::clone(&gate)));
        assert!(manners.gives_way() && !Manners::beside(None).gives_way());
        write(&gate, 50, ms(11)).await;
        assert_eq!(manners.share(100, 20, false), 100, "a tenth more is borne");
        write(&gate, 50, ms(13)).await;
        assert_eq!(manners.share(100, 20, false), 75);
        write(&gate, 50, ms(13)).await;
        assert_eq!((manners.share(100, 20, false), manners.share(50, 20, false)), (56, 50));
        write(&gate, 50, ms(10)).await;
        assert_eq!(manners.share(100, 20, false), 61);
        tokio::time::advance(ms(600)).await;
        assert_eq!(manners.share(100, 20, false), 66, "nobody writes");
        tokio::time::advance(ms(600)).await;
        assert_eq!(manners.share(100, 20, true), 49, "the source answers slowly");
    }

    #[test]
    fn what_is_usual_follows_what_is_slower_by_and_by() {
        let (us, some) = (Duration::from_micros, |us| Some(Duration::from_micros(us)));
        assert_eq!((heard(None, some(7)), heard(some(7), None)), (some(7), some(7)));
        assert_eq!(heard(some(800), some(500)), some(500));
        assert_eq!(heard(some(800), some(1600)), some(850));
        let after = (0..60).fold(some(800), |usual, _| heard(usual, some(1600)));
        assert!(after > Some(us(1550)), "it is usual after five minutes: {after:?}");
    }

    /// Copies rows with random keys while others are inserted, each second so many, and writes are slow all
    /// the time; returns how many rows were copied by then. `first` were there when it began.
    async fn copied_under_inserts(first: f64, inserts: f64, hurries: bool) -> f64 {
        /// Rows a second, of work that does nothing else, and in a chunk.
        const RATE: f64 = 20_000.0;
        const CHUNK: f64 = 2_000.0;
        let manners = Manners::beside(None);
        let (mut copied, mut way, began) = (0.0, 0.0, Instant::now());
        while way < 1.0 {
            let busy = Duration::from_secs_f64(CHUNK / RATE);
            tokio::time::advance(busy).await;
            copied += CHUNK;
            way += CHUNK / (first + inserts * began.elapsed().as_secs_f64());
            manners.hurry(hurries && copied > first);
            tokio::time::advance(rest(busy, manners.share(100, 20, true))).await;
        }
        copied
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_gives_way_is_not_outrun_by_inserts() {
        let (first, inserts) = (1_000_000.0, 5_000.0);
        let patient = copied_under_inserts(first, inserts, false).await;
        assert!(patient > 4.0 * first, "it would copy the table several times over: {patient}");
        let copied = copied_under_inserts(first, inserts, true).await;
        assert!(copied < 3.2 * first, "{copied}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_hurries_works_as_much_as_the_operator_allows() {
        let manners = Manners::beside(None);
        tokio::time::advance(LOOK).await;
        assert_eq!(manners.share(100, 20, true), 75);
        manners.hurry(true);
        tokio::time::advance(LOOK).await;
        assert_eq!((manners.share(100, 20, true), manners.share(30, 20, true)), (100, 30));
        manners.hurry(false);
        assert_eq!(manners.share(100, 20, true), 56);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_usual_is_heard_in_a_rest() {
        let gate = Gate::new(Route::first("s"), Held::default());
        let manners = Manners::beside(Some(Arc::clone(&gate)));
        assert!(manners.state.lock().usual.is_none(), "nobody wrote");
        tokio::time::advance(LISTEN.0).await;
        let writes = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move {
                for _ in 0..40 {
                    let pass = gate.admit(Effect::Write).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    drop(pass);
                }
            }
        });
        let (_wish, signal) = Signal::new();
        manners.listen(&signal).await;
        assert_eq!(manners.state.lock().usual, Some(Duration::from_millis(3)));
        writes.await.unwrap();
    }
}
