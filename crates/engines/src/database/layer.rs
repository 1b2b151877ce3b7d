//! The layer: what needs nothing of it goes straight down.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, ErrorKind, Features, Layer, Operation, Result, Retry, Stack,
    send,
};
use truststream_services::database::{
    Batch, Begin, DatabaseFeature, DatabaseOp, DatabaseReply, DatabaseService, Describe, Isolation,
    OpenTransaction, Page, Step,
};

use super::hints::discreet;
use super::idempotency::{self, Found, Keyed};
use super::request::{alone, needs_nothing, options, pages, permit, reply, steps};
use super::session::LayeredSession;
use super::soft_delete::SoftDelete;
use super::version;

/// How long a transaction of the layer's own may last if its caller set no deadline.
const LONGEST: Duration = Duration::from_secs(30);

/// How often a transaction that lost against another is begun again.
const ATTEMPTS: u32 = 10;

/// How often replies whose time is over are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Versions of rows, idempotency keys, soft delete, and who may send SQL.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseLayer;

impl Layer<DatabaseService> for DatabaseLayer {
    fn wrap(&self, inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
        let (soft, forgotten) = (Mutex::default(), Mutex::new(Instant::now()));
        Arc::new(Layered { inner: discreet(inner), soft, forgotten })
    }
}

struct Layered {
    inner: Stack<DatabaseService>,
    soft: Mutex<Arc<SoftDelete>>,
    forgotten: Mutex<Instant>,
}

impl Layered {
    /// The tables with soft delete, looked for again when the catalog has changed.
    async fn soft(&self) -> Result<Arc<SoftDelete>> {
        let catalog = send(&self.inner, &Context::system(), Describe::default()).await?;
        let mut known = self.soft.lock();
        if !Arc::ptr_eq(&known.catalog, &catalog) {
            *known = Arc::new(SoftDelete::of(catalog));
        }
        Ok(Arc::clone(&known))
    }

    async fn answer(&self, cx: &Context, op: &DatabaseOp) -> Result<DatabaseReply> {
        let soft = self.soft().await?;
        if soft.is_empty() && needs_nothing(cx, op) {
            return self.inner.call(cx, op).await.map(|reply| told(op, reply));
        }
        // Boxed, because it is large and most operations need nothing of it.
        Box::pin(self.extended(cx, op, soft)).await
    }

    async fn extended(&self, cx: &Context, op: &DatabaseOp, soft: Arc<SoftDelete>) -> Result<DatabaseReply> {
        if let DatabaseOp::Begin(begin) = op {
            return self.begin(cx, *begin, soft).await.map(DatabaseReply::Begin);
        }
        let Some(steps) = steps(op) else { return self.inner.call(cx, op).await };
        for (index, step) in steps.iter().enumerate() {
            permit(cx, step).map_err(|error| error.at_step(index))?;
        }
        let versioned = steps.iter().filter_map(options).any(|options| options.if_version.is_some());
        let mut steps = steps;
        if versioned || cx.idempotency_key.is_some() {
            for step in &mut steps {
                if let Cow::Owned(read) = step.in_memory().await? {
                    *step = read;
                }
                // The reply is kept, or its version told.
                step.format_mut().into_iter().for_each(|format| format.spooled = false);
            }
        }
        let rolled_back = steps.iter().filter_map(options).any(|options| options.transaction.rollback);
        let keyed = match op.info().effect {
            Effect::Write if !rolled_back => Keyed::of(cx, op, &steps)?,
            _ => None,
        };
        if keyed.is_none() && !versioned {
            return reply(op, self.send_down(cx, op, steps, &soft).await?);
        }
        if !self.features().supported().has(DatabaseFeature::Transactions) {
            let message = "this database has no idempotency keys and no row versions: it lacks transactions";
            return Err(Error::unsupported(message));
        }
        let work = Work { isolation: isolation(op, versioned), steps, keyed, rolled_back };
        reply(op, self.transact(&cx.clone().within(LONGEST), &work, &soft).await?)
    }

    /// The same operation with its steps rewritten.
    async fn send_down(
        &self,
        cx: &Context,
        op: &DatabaseOp,
        steps: Vec<Step>,
        soft: &SoftDelete,
    ) -> Result<Vec<Page>> {
        let whole: Vec<bool> =
            steps.iter().filter(|step| !matches!(step, Step::Expect(_))).map(version::is_whole_row).collect();
        let answered = if soft.is_empty() {
            self.inner.call(cx, op).await?
        } else {
            let mut steps = steps.into_iter().map(|step| soft.rewrite(step)).collect::<Result<Vec<_>>>()?;
            let rewritten = match (op, steps.pop()) {
                (DatabaseOp::Batch(batch), last) => {
                    steps.extend(last);
                    DatabaseOp::Batch(Batch { steps, isolation: batch.isolation })
                }
                (_, Some(step)) => alone(step)?,
                (_, None) => return Err(Error::internal("an operation has no step")),
            };
            self.inner.call(cx, &rewritten).await?
        };
        let pages = pages(answered)?.into_iter().zip(whole);
        Ok(pages.map(|(page, whole)| if whole { version::tell(page) } else { page }).collect())
    }

    async fn begin(&self, cx: &Context, begin: Begin, soft: Arc<SoftDelete>) -> Result<OpenTransaction> {
        let open = send(&self.inner, cx, begin).await?;
        Ok(open.wrap(|inner| Box::new(LayeredSession { inner, soft })))
    }

    /// Does the work in a transaction, again from its beginning when another one won.
    async fn transact(&self, cx: &Context, work: &Work, soft: &Arc<SoftDelete>) -> Result<Vec<Page>> {
        let mut attempt = 1;
        loop {
            match self.attempt(cx, work, soft).await {
                Ok(Some(pages)) => return Ok(pages),
                Ok(None) => self.forget(cx, Duration::ZERO).await?,
                Err(error) if error.kind() == ErrorKind::Conflict && error.retry() != Retry::Never => {
                    if attempt == ATTEMPTS {
                        return Err(error.with_retry(Retry::Exhausted));
                    }
                    tokio::time::sleep(Duration::from_millis(u64::from(2 * attempt))).await;
                }
                Err(error) => return Err(error),
            }
            if attempt == ATTEMPTS {
                return Err(Error::internal("an idempotency key can neither be taken nor read"));
            }
            attempt += 1;
        }
    }

    /// `None` if the key stands for a write whose time is over.
    async fn attempt(&self, cx: &Context, work: &Work, soft: &Arc<SoftDelete>) -> Result<Option<Vec<Page>>> {
        let begin = Begin { isolation: work.isolation, read_only: false };
        let mut transaction = self.begin(cx, begin, Arc::clone(soft)).await?;
        let done = work.run(cx, &mut transaction).await;
        match done {
            Ok((pages, true)) => {
                transaction.commit().await?;
                // The write is done, whatever becomes of the replies of others.
                if work.keyed.is_some()
                    && let Err(error) = self.forget(cx, FORGET_EVERY).await
                {
                    tracing::warn!(%error, "replies whose time is over stay for now");
                }
                Ok(pages)
            }
            Ok((pages, false)) => transaction.rollback().await.map(|()| pages),
            Err(error) => {
                // What went wrong first is what the caller must know.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Forgets replies whose time is over, at most once in `every`.
    async fn forget(&self, cx: &Context, every: Duration) -> Result<()> {
        {
            let mut last = self.forgotten.lock();
            if last.elapsed() < every {
                return Ok(());
            }
            *last = Instant::now();
        }
        let cx = Context { deadline: cx.deadline, ..Context::system() };
        self.inner.call(&cx, &alone(idempotency::forget())?).await.map(drop)
    }
}

/// What is done in one transaction.
struct Work {
    steps: Vec<Step>,
    isolation: Option<Isolation>,
    keyed: Option<Keyed>,
    rolled_back: bool,
}

impl Work {
    /// The pages, and whether they are to be committed; no pages if the key's time is over.
    async fn run(
        &self,
        cx: &Context,
        transaction: &mut OpenTransaction,
    ) -> Result<(Option<Vec<Page>>, bool)> {
        if let Some(keyed) = &self.keyed {
            match keyed.take(transaction).await? {
                Found::New => {}
                Found::Done(pages) => return Ok((Some(pages), false)),
                Found::Expired => return Ok((None, false)),
            }
        }
        let pages = transaction.steps(cx, &self.steps).await?;
        if let Some(keyed) = &self.keyed {
            keyed.keep(transaction, &pages).await?;
        }
        Ok((Some(pages), !self.rolled_back))
    }
}

/// A version is compared with what the transaction sees from its beginning: whoever changes the row
/// meanwhile makes the write fail, and it is compared again.
fn isolation(op: &DatabaseOp, versioned: bool) -> Option<Isolation> {
    let wanted = match op {
        DatabaseOp::Batch(batch) => batch.isolation,
        _ => None,
    };
    let least = versioned.then_some(Isolation::RepeatableRead);
    match wanted {
        Some(Isolation::Serializable) => wanted,
        other => least.or(other),
    }
}

/// The reply with the version of its row, where that is one whole row.
fn told(op: &DatabaseOp, reply: DatabaseReply) -> DatabaseReply {
    match (op, reply) {
        (DatabaseOp::Select(op), DatabaseReply::Select(page)) if version::reads_whole(op) => {
            DatabaseReply::Select(version::tell(page))
        }
        (DatabaseOp::Insert(op), DatabaseReply::Insert(page))
            if version::returns_whole(&op.query, &op.options) =>
        {
            DatabaseReply::Insert(version::tell(page))
        }
        (DatabaseOp::Update(op), DatabaseReply::Update(page))
            if version::returns_whole(&op.query, &op.options) =>
        {
            DatabaseReply::Update(version::tell(page))
        }
        (_, reply) => reply,
    }
}

impl Call<DatabaseService> for Layered {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        match op {
            DatabaseOp::Select(_)
            | DatabaseOp::Insert(_)
            | DatabaseOp::Update(_)
            | DatabaseOp::Delete(_)
            | DatabaseOp::Invoke(_)
            | DatabaseOp::Raw(_)
            | DatabaseOp::Batch(_)
            | DatabaseOp::Begin(_) => Box::pin(self.answer(cx, op)),
            _ => self.inner.call(cx, op),
        }
    }
}
