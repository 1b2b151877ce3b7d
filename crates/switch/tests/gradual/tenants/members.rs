//! Members of organisations, at work while their rows move.

use super::*;

/// How fast somebody writes.
#[derive(Clone, Copy)]
struct Pace {
    /// Between the first two rows.
    pause: Duration,
    /// What each pause is of the one before.
    growth: f64,
    /// How long what loses to others is repeated, if longer than a provider does by itself.
    patience: Option<Duration>,
}

/// Members that write, each of whom reads at once what was written, and one who only reads.
pub struct Members {
    stop: Arc<AtomicBool>,
    tasks: Vec<(&'static str, JoinHandle<BTreeMap<i64, String>>)>,
    reader: JoinHandle<()>,
}

impl Members {
    pub fn start(runtime: &Arc<Runtime>) -> Self {
        Members::start_at(runtime, 1000)
    }

    /// Their rows are numbered from here on.
    pub fn start_at(runtime: &Arc<Runtime>, first: i64) -> Self {
        let pace = Pace { pause: Duration::from_millis(5), growth: 1.0, patience: None };
        Members::start_with(runtime, first, pace)
    }

    /// They write the less the more rows there are: SecantusDB looks through all rows of a table for a key
    /// of several columns.
    pub fn start_slowly(runtime: &Arc<Runtime>) -> Self {
        let patience = Some(PATIENCE * 5);
        let pace = Pace { pause: Duration::from_millis(100), growth: 1.02, patience };
        Members::start_with(runtime, 1000, pace)
    }

    fn start_with(runtime: &Arc<Runtime>, first: i64, pace: Pace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = ORGS.map(|org| {
            let cx = match pace.patience {
                Some(patience) => member(org).within(patience),
                None => member(org),
            };
            let (database, stop) = (runtime.database().with(cx), Arc::clone(&stop));
            (org, tokio::spawn(write(database, (org, first), pace, stop)))
        });
        let database = runtime.database().with(named_member("acme", "who reads"));
        let reader = tokio::spawn(read(database, pace.pause * 6, Arc::clone(&stop)));
        Members { stop, tasks: tasks.into(), reader }
    }

    /// Stops, and finds all that was acknowledged, once.
    pub async fn finish(self, runtime: &Runtime) {
        for (org, wanted) in self.stop().await {
            assert_eq!(authors_of(runtime.database(), of(org, None)).await.unwrap(), wanted, "{org}");
        }
    }

    /// Stops, and tells what there must be of each.
    pub async fn stop(self) -> BTreeMap<&'static str, BTreeMap<i64, String>> {
        self.stop.store(true, Ordering::SeqCst);
        self.reader.await.unwrap();
        let mut told = BTreeMap::new();
        for (org, task) in self.tasks {
            let mut wanted = task.await.unwrap();
            assert!(wanted.len() > 10, "{org}: {}", wanted.len());
            wanted.insert(1, "first".into());
            told.insert(org, wanted);
        }
        told
    }
}

async fn write(
    database: Database,
    (org, first): (&'static str, i64),
    pace: Pace,
    stop: Arc<AtomicBool>,
) -> BTreeMap<i64, String> {
    let mut told = BTreeMap::new();
    let mut pause = pace.pause;
    for id in first.. {
        if stop.load(Ordering::SeqCst) && told.len() > 10 {
            break;
        }
        database.send(author(org, id, "new")).await.unwrap();
        // What keeps it to its tenant is the policy alone.
        let mut query = Query::all();
        query.and(Filter::eq("id", id.to_string()));
        let name = format!("{org} {id}");
        let values = json!({ "name": name }).to_string();
        database.send(Update::new(table("authors"), values, query.clone())).await.unwrap();
        told.insert(id, name.clone());
        assert_eq!(authors_of(&database, query).await.unwrap(), BTreeMap::from([(id, name)]), "{org}");
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(pace.growth);
    }
    told
}

/// Reads what there is of one tenant: nothing that was there is missing later.
async fn read(database: Database, pause: Duration, stop: Arc<AtomicBool>) {
    let mut seen = 0;
    while !stop.load(Ordering::SeqCst) {
        let rows = authors_of(&database, Query::all()).await.unwrap();
        let written = rows.keys().filter(|id| **id >= 1000).count();
        assert!(written >= seen, "{written} after {seen}");
        seen = written;
        tokio::time::sleep(pause).await;
    }
}
