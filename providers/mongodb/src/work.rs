//! Transactions: repeated as a whole while others are in the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::future::BoxFuture;
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ReadConcern, TransactionOptions, WriteConcern};
use mongodb::{ClientSession, Database};
use truststream_kernel::{Context, Error, ErrorKind, Outcome, Result, Retry};

use crate::cancel::Watch;
use crate::driver::Shared;
use crate::error::{DUPLICATE_KEY, convert, unreadable};
use crate::judge::Judged;
use crate::names;
use crate::partition::Share;
use crate::plan::{Plan, Planner};
use crate::schema::Schema;
use crate::sequence::Restarted;

/// Keys locked by one command.
const MANY: usize = 500;

/// How long a transaction is repeated where the caller sets no deadline.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done within one transaction.
pub(crate) struct Work {
    pub(crate) database: Database,
    pub(crate) session: ClientSession,
    pub(crate) schema: Arc<Schema>,
    pub(crate) cx: Context,
    /// Ends on the server what is cut short here.
    pub(crate) watch: Watch,
    /// Whether what is done now is done with the rights of the owner of all.
    pub(crate) owner: bool,
    /// What was judged before the request at hand was planned.
    pub(crate) known: Judged,
    /// The share of a table that the statement at hand writes by the name of a partition.
    pub(crate) share: Option<Share>,
    /// How many triggers led here.
    pub(crate) depth: usize,
    /// What functions set for the rest of the transaction.
    pub(crate) settings: HashMap<String, String>,
    /// What the loops go over that are run at the moment.
    pub(crate) reading: Vec<BTreeSet<String>>,
    /// Numbers that began anew.
    pub(crate) restarted: Vec<Restarted>,
}

/// What becomes of a transaction whose work is done.
pub(crate) enum Fate<T> {
    Keep(T),
    Undo(T),
    /// It only read: that it is over the server is told without waiting for the reply.
    Leave(T),
}

impl Shared {
    /// Does something about a request in a transaction. Where another transaction was first it is all done again.
    pub(crate) async fn transact<T, A, F>(&self, cx: &Context, about: &A, work: F) -> Result<T>
    where
        T: Send,
        A: Sync + ?Sized,
        F: for<'w> Fn(&'w mut Work, &'w A) -> BoxFuture<'w, Result<Fate<T>>> + Send + Sync,
    {
        let until = cx.deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        let mut attempt = 0_u32;
        loop {
            match self.attempt(cx, about, &work).await {
                Err(error) if error.kind() == ErrorKind::Conflict && error.retry() != Retry::Never => {
                    attempt += 1;
                    let pause = pause(attempt);
                    if Instant::now() + pause >= until {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
                other => return other,
            }
        }
    }

    async fn attempt<T, A, F>(&self, cx: &Context, about: &A, work: &F) -> Result<T>
    where
        T: Send,
        A: Sync + ?Sized,
        F: for<'w> Fn(&'w mut Work, &'w A) -> BoxFuture<'w, Result<Fate<T>>> + Send + Sync,
    {
        let mut one = self.start(cx).await?;
        let ended = match work(&mut one, about).await {
            Ok(Fate::Keep(done)) => one.commit().await.map(|()| done),
            Ok(Fate::Undo(done)) => one.session.abort_transaction().await.map(|()| done).map_err(convert),
            // A session that is dropped aborts what it has begun.
            Ok(Fate::Leave(done)) => Ok(done),
            Err(error) => {
                // The error tells what went wrong; that nothing is left to abort is no news.
                let _ = one.session.abort_transaction().await;
                Err(error)
            }
        };
        one.watch.over();
        ended
    }

    /// Starts a transaction on one moment of the database.
    pub(crate) async fn start(&self, cx: &Context) -> Result<Work> {
        let mut session = self.client.start_session().await.map_err(convert)?;
        let durable =
            WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority).journal(true).build();
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(durable)
            .build();
        session.start_transaction().with_options(options).await.map_err(convert)?;
        let database = self.database.clone();
        Ok(Work {
            database,
            session,
            schema: self.schema(),
            cx: cx.clone(),
            watch: Watch::new(&self.client),
            owner: false,
            known: Judged::default(),
            share: None,
            depth: 0,
            settings: HashMap::new(),
            reading: Vec::new(),
            restarted: Vec::new(),
        })
    }
}

/// Commits; where the reply is lost the commit is asked for again, which does it once.
///
/// # Errors
/// A conflict only where it is sure that nothing was done: whoever repeats the rest would do it twice.
async fn commit(session: &mut ClientSession) -> Result<()> {
    let mut attempts = 0;
    loop {
        let error = match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let unsure = error.contains_label("UnknownTransactionCommitResult");
        if unsure && attempts < 5 {
            attempts += 1;
            continue;
        }
        // A server that was started again knows nothing of a transaction that it may have committed.
        if unsure || attempts > 0 {
            return Err(Error::unavailable("the database did not say whether it committed")
                .with_outcome(Outcome::Unknown)
                .with_source(error));
        }
        return Err(convert(error));
    }
}

/// Longer from attempt to attempt, and not the same for all who wait.
pub(crate) fn pause(attempt: u32) -> Duration {
    let most = 1_u64 << attempt.min(6);
    let spread = uuid::Uuid::new_v4().as_u128() as u64 % (most + 1);
    Duration::from_millis(1 + spread)
}

impl Work {
    /// Commits, and lets the numbers go on from where they began anew.
    ///
    /// # Errors
    /// A conflict only where it is sure that nothing was done.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        commit(&mut self.session).await?;
        self.settle().await;
        Ok(())
    }

    /// Plans for who does this, with what was judged beforehand.
    pub(crate) fn planner<'w>(&'w self, schema: &'w Schema) -> Planner<'w> {
        let planner = Planner::new(schema, &self.cx).by_columns(true);
        planner.owned(self.owner).knowing(&self.known, &self.settings)
    }

    /// All documents that a pipeline answers.
    pub(crate) async fn documents(&mut self, plan: Plan) -> Result<Vec<Document>> {
        let mut found = Vec::new();
        self.each(plan, |document| {
            found.push(Document::try_from(document).map_err(unreadable)?);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Does something with each document that a pipeline answers.
    pub(crate) async fn each(
        &mut self,
        plan: Plan,
        mut work: impl FnMut(&RawDocument) -> Result<()> + Send,
    ) -> Result<()> {
        let collection = self.database.collection::<Document>(&plan.collection);
        let request = collection.aggregate(plan.stages).comment(self.watch.comment());
        let mut request = request.session(&mut self.session);
        if let Some(remaining) = self.cx.remaining() {
            request = request.max_time(remaining);
        }
        let mut cursor = request.await.map_err(convert)?;
        while cursor.advance(&mut self.session).await.map_err(convert)? {
            work(cursor.current())?;
        }
        Ok(())
    }

    /// What stages make of rows that are given by value, in order.
    pub(crate) async fn evaluated(
        &mut self,
        rows: &[Document],
        stages: Vec<Document>,
    ) -> Result<Vec<Document>> {
        self.documents(Plan { collection: names::CATALOG.to_owned(), stages: given(rows, stages) }).await
    }

    /// A command of the transaction, with what it says of itself and how long it may take.
    pub(crate) fn command(&self, mut command: Document) -> Document {
        command.insert("comment", self.watch.comment());
        if let Some(remaining) = self.cx.remaining() {
            let most = i64::try_from(remaining.as_millis()).unwrap_or(i64::MAX).max(1);
            command.insert("maxTimeMS", most);
        }
        command
    }

    /// Documents of a collection that match.
    pub(crate) async fn found(&mut self, collection: &str, filter: Document) -> Result<Vec<Document>> {
        let collection = self.database.collection::<Document>(collection);
        let mut request = collection.find(filter).comment(self.watch.comment());
        if let Some(remaining) = self.cx.remaining() {
            request = request.max_time(remaining);
        }
        let mut cursor = request.session(&mut self.session).await.map_err(convert)?;
        cursor.stream(&mut self.session).try_collect().await.map_err(convert)
    }

    /// Makes other transactions that rely on the same keys wait for this one, and it for them.
    pub(crate) async fn lock(&mut self, collection: &str, keys: &[Bson]) -> Result<()> {
        let update = |key: &Bson| {
            let id = doc! { "t": collection, "k": key.clone() };
            Bson::from(doc! { "q": { "_id": id }, "u": { "$inc": { "n": 1_i64 } }, "upsert": true })
        };
        for keys in keys.chunks(MANY) {
            let updates: Vec<Bson> = keys.iter().map(update).collect();
            let command = self.command(doc! { "update": names::LOCKS, "updates": updates });
            let locked = self.database.run_command(command).session(&mut self.session).await;
            let reply = locked.map_err(|error| match crate::error::code(&error) {
                Some(code) if code == DUPLICATE_KEY => lost().with_source(error),
                _ => convert(error),
            })?;
            // Nothing else of a counter can go wrong.
            if reply.get_array("writeErrors").is_ok_and(|errors| !errors.is_empty()) {
                return Err(lost());
            }
        }
        Ok(())
    }
}

/// Two that lock a key for the first time at once make it twice.
fn lost() -> Error {
    Error::new(ErrorKind::Conflict, "40001", "could not serialize access due to concurrent update")
}

/// A pipeline that starts from documents given by value. It stands on a collection that has one
/// document, because not every server takes documents from nowhere within a transaction.
pub(crate) fn given(rows: &[Document], stages: Vec<Document>) -> Vec<Document> {
    let rows: Vec<Bson> = rows.iter().cloned().map(Bson::Document).collect();
    let mut all = vec![
        doc! { "$match": { "_id": crate::internal::CURRENT } },
        doc! { "$project": { "_id": 0, "r": { "$literal": rows } } },
        doc! { "$unwind": "$r" },
        doc! { "$replaceRoot": { "newRoot": "$r" } },
    ];
    all.extend(stages);
    all
}
