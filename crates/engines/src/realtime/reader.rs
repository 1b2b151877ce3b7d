//! Following the feed and deciding who sees what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use truststream_kernel::{Caller, Context, Error, ErrorKind, Request, Result, Row, Type};
use truststream_services::database::{
    Authorize, Capture, Catalog, Change, ChangeKind, Changes, Database, DatabaseService, Describe, Position,
    Table, TableKind, TableName,
};
use truststream_services::realtime::{Event, RowChange};

use super::filter::concerns;
use super::topics::{Topics, Wanted};

/// Name under which realtime has changes captured.
const CONSUMER: &str = "realtime";
/// Longest wait for a change before looking again.
const WAIT: Duration = Duration::from_secs(1);
/// Longest rest before a feed that could not be read is asked again.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Changes read at once.
const BATCH: usize = 500;

/// Follows the feed for all subscribers.
pub(super) struct Reader {
    pub(super) database: Database,
    topics: Arc<Topics>,
    /// Held while following is begun or ended, so that neither crosses the other.
    turn: tokio::sync::Mutex<()>,
    /// The task that follows the feed, while somebody wants changes.
    task: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

type Columns = Arc<[(String, Type, String)]>;

impl Reader {
    pub(super) fn new(database: Database, topics: Arc<Topics>) -> Self {
        Reader { database, topics, turn: tokio::sync::Mutex::default(), task: parking_lot::Mutex::default() }
    }

    /// Has what is wanted captured, and follows the feed from there if nobody does yet.
    pub(super) async fn follow(self: &Arc<Self>) -> Result<()> {
        let _turn = self.turn.lock().await;
        let start = self.capture().await?;
        let mut task = self.task.lock();
        if task.is_none() {
            *task = Some(tokio::spawn(Arc::clone(self).run(start)));
        }
        Ok(())
    }

    /// Ends following, captures nothing more. Returns whether it did: somebody may want changes again.
    async fn rest(&self) -> bool {
        let _turn = self.turn.lock().await;
        if !self.topics.with_change_subscribers(|(id, _)| Some(*id)).is_empty() {
            return false;
        }
        let nothing = Capture { consumer: CONSUMER.to_owned(), tables: Vec::new() };
        if let Err(error) = self.database.send(nothing).await {
            tracing::warn!(?error, "changes are captured although nobody wants them");
        }
        self.task.lock().take();
        true
    }

    /// Ends following at once.
    pub(super) fn stop(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }

    /// Ends following, and waits until it has let go of the database.
    pub(super) async fn close(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            // It ends by being aborted.
            let _ = task.await;
        }
    }

    /// Has everything captured that subscribers want; returns from where on it is.
    async fn capture(&self) -> Result<Position> {
        let catalog = self.database.send(Describe::default()).await?;
        let wanted: Vec<Wanted> =
            self.topics.with_change_subscribers(|(_, subscriber)| Some(subscriber.wanted.clone())).concat();
        let tables = catalog
            .tables
            .iter()
            .filter(|(name, table)| is_wanted(&wanted, name, table))
            .map(|(name, _)| name.clone())
            .collect();
        self.database.send(Capture { consumer: CONSUMER.to_owned(), tables }).await
    }

    /// The end of the feed at this moment.
    pub(super) async fn present(&self) -> Result<Position> {
        let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
        Ok(self.database.send(ask).await?.position)
    }

    /// Reads changes from `position` on, until nobody wants any.
    async fn run(self: Arc<Self>, mut position: Position) {
        let mut delay = Duration::from_millis(50);
        let mut patience = Patience::default();
        loop {
            if self.topics.with_change_subscribers(|(id, _)| Some(*id)).is_empty() && self.rest().await {
                return;
            }
            let ask = Changes { after: Some(position.clone()), limit: BATCH, wait: WAIT };
            match patience.with(WAIT, self.database.send(ask)).await {
                Ok(batch) => {
                    self.deliver(&batch.changes, &batch.position).await;
                    position = batch.position;
                    delay = Duration::from_millis(50);
                }
                Err(error) if error.code() == "BACKEND_010" => {
                    tracing::error!(?error, "realtime missed changes; subscribers are told");
                    self.tell_all("changes were missed");
                    match self.capture().await {
                        Ok(present) => position = present,
                        Err(error) => tracing::error!(?error, "realtime can't follow the feed"),
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, "the feed could not be read; trying again");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(LONGEST_REST);
                }
            }
        }
    }

    fn tell_all(&self, reason: &str) {
        for id in self.topics.with_change_subscribers(|(id, _)| Some(*id)) {
            self.topics.send(id, Event::Gap(reason.to_owned()));
        }
    }

    async fn deliver(&self, changes: &[Change], read_to: &Position) {
        if changes.is_empty() {
            return;
        }
        let catalog = match persist(&self.database, Describe::default()).await {
            Ok(catalog) => catalog,
            Err(error) => {
                tracing::error!(?error, "realtime missed changes; subscribers are told");
                return self.tell_all("the catalog could not be read");
            }
        };
        let mut columns: HashMap<&TableName, Columns> = HashMap::new();
        for change in changes {
            let Some(table) = catalog.table(&change.table) else { continue };
            let columns = columns.entry(&change.table).or_insert_with(|| columns_of(table));
            self.deliver_one(change, table, columns, read_to).await;
        }
    }

    /// Asks once for each distinct caller whether it may see the row, then sends it to those who may.
    async fn deliver_one(&self, change: &Change, table: &Table, columns: &Columns, read_to: &Position) {
        let Some(row) = change.new.as_ref().or(change.old.as_ref()) else { return };
        let matching = self.topics.with_change_subscribers(|(id, subscriber)| {
            if subscriber.since.as_ref().is_some_and(|since| is_before(change, since, read_to)) {
                return None;
            }
            let matches = matching(&subscriber.wanted, change, row);
            (!matches.is_empty()).then(|| (*id, subscriber.cx.clone(), matches))
        });
        let mut verdicts: BTreeMap<String, Option<bool>> = BTreeMap::new();
        for (id, cx, matches) in matching {
            let caller = caller_key(&cx);
            let may_see = match verdicts.get(&caller) {
                Some(verdict) => *verdict,
                None => {
                    let verdict = self.may_see(cx, &change.table, row).await;
                    verdicts.insert(caller, verdict);
                    verdict
                }
            };
            match may_see {
                Some(true) => {
                    self.topics.send(id, Event::Change(row_change(change, table, columns, matches)))
                }
                Some(false) => {}
                None => self.topics.send(id, Event::Gap("a change could not be judged".to_owned())),
            }
        }
    }

    /// Fails closed: whoever can't be judged sees nothing. A database that is away is waited for, and
    /// where the answer takes too long again and again there is none: subscribers are told, so that no
    /// change is missed because of it.
    async fn may_see(&self, cx: Context, table: &TableName, row: &Row) -> Option<bool> {
        let database = self.database.with(cx);
        let ask = Authorize { table: table.clone(), rows: vec![row.clone()] };
        match persist(&database, ask).await {
            Ok(verdicts) => Some(verdicts == [true]),
            Err(error) => {
                tracing::warn!(?error, "a change could not be judged and is not sent");
                (error.kind() != ErrorKind::Timeout).then_some(false)
            }
        }
    }
}

/// How often a database is asked again that answers too late. A policy may always take too long, and
/// must not hold up everybody's changes for good.
const LATE: u32 = 8;

/// How long an answer is waited for. One that does not come may be lost on its way, on a connection
/// that is of no more use: it is asked for again, soon at first, and later the slower the database.
struct Patience(Duration);

impl Patience {
    const FIRST: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(60);

    /// Waits for an answer that may take `time` by itself.
    ///
    /// # Errors
    /// The answer's own; `Timeout` if it does not come.
    async fn with<T>(&mut self, time: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
        if let Ok(answered) = tokio::time::timeout(time + self.0, answer).await {
            *self = Patience::default();
            return answered;
        }
        let waited = time + self.0;
        self.0 = (self.0 * 2).min(Patience::LONGEST);
        Err(Error::timeout(format!("no answer came for {waited:?}")))
    }
}

impl Default for Patience {
    fn default() -> Self {
        Patience(Patience::FIRST)
    }
}

/// Asks until the database answers.
///
/// # Errors
/// What it refuses, and what it does not answer in time again and again.
async fn persist<R>(database: &Database, ask: R) -> Result<R::Reply>
where
    R: Request<DatabaseService> + Clone,
{
    let (mut delay, mut late, mut patience) = (Duration::from_millis(20), 0, Patience::default());
    loop {
        match patience.with(Duration::ZERO, database.send(ask.clone())).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            Err(error) if error.kind() == ErrorKind::Timeout && late < LATE => late += 1,
            answered => return answered,
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(1));
    }
}

/// Whether a change lies at or before a position. Positions of another reign say nothing of it: its
/// feed began after them.
fn is_before(change: &Change, since: &Position, read_to: &Position) -> bool {
    since.covers_of_batch(change.mark, read_to)
}

fn is_wanted(wanted: &[Wanted], name: &TableName, table: &Table) -> bool {
    table.kind == TableKind::Table
        && !table.primary_key.is_empty()
        && wanted.iter().any(|wanted| {
            wanted.filter.schema == name.schema
                && wanted.filter.table.as_ref().is_none_or(|table| *table == name.name)
        })
}

fn matching(wanted: &[Wanted], change: &Change, row: &Row) -> Vec<usize> {
    let (schema, table) = (&change.table.schema, &change.table.name);
    wanted
        .iter()
        .enumerate()
        .filter(|(_, wanted)| concerns(&wanted.filter, schema, table, change.kind))
        .filter(|(_, wanted)| wanted.rows.as_ref().is_none_or(|rows| rows.admits(row)))
        .map(|(index, _)| index)
        .collect()
}

fn caller_key(cx: &Context) -> String {
    match &cx.caller {
        Caller::System => String::new(),
        Caller::Role(identity) => format!("{} {}", identity.role, identity.claims_text),
    }
}

fn columns_of(table: &Table) -> Columns {
    table
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.ty.clone(), column.type_name.clone()))
        .collect()
}

fn row_change(change: &Change, table: &Table, columns: &Columns, matches: Vec<usize>) -> RowChange {
    // As with PostgreSQL's default replica identity, of the row before only its key is told.
    let old = change.old.as_ref().filter(|_| change.kind != ChangeKind::Insert).map(|old| key_of(old, table));
    RowChange {
        matches,
        table: change.table.clone(),
        kind: change.kind,
        columns: Arc::clone(columns),
        new: change.new.clone(),
        old,
        made_at: change.made_at,
    }
}

fn key_of(row: &Row, table: &Table) -> Row {
    let pairs = table.primary_key.iter().filter_map(|name| Some((name.clone(), row.get(name)?.clone())));
    let (columns, values): (Vec<_>, Vec<_>) = pairs.unzip();
    Row { columns: columns.into(), values }
}

/// The table a filter is for, where it names one.
pub(super) fn table_of<'a>(catalog: &'a Catalog, schema: &str, table: &str) -> Option<&'a Table> {
    catalog.table(&TableName::new(schema, table))
}
