//! Transactions that stay open over several requests.
//!
//! The server's transactions see one moment, so what is asked for as `read committed` gets more.
//! Two that overlap may still both commit what neither would have done after the other; where that
//! must not be (`serializable`) they write one and the same document first, and so take turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::Bson;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use truststream_kernel::{BoxFuture, Context, Error, ErrorKind, Result};
use truststream_services::database::{Begin, Isolation, OpenTransaction, Page, Session, Step};

use crate::clock;
use crate::driver::Shared;
use crate::error::convert;
use crate::work::{Work, pause};

/// How long a transaction may last whose caller set no deadline: the server keeps its moment for it.
const LONGEST: Duration = Duration::from_secs(30);
/// What serializable transactions take turns at; no collection is called so.
const TURN: &str = "serializable";

/// An open transaction; it is undone when the last that knows of it lets go.
struct MongoSession {
    work: Arc<Mutex<Option<Work>>>,
    read_only: bool,
    /// When it began.
    began: i64,
    /// Undoes it at its deadline.
    watch: JoinHandle<()>,
}

/// Begins a transaction; one that takes turns waits until it is its own.
pub(crate) async fn begin(shared: &Shared, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
    let until = Instant::now() + cx.remaining().unwrap_or(LONGEST);
    let mut attempt = 0;
    let work = loop {
        let mut work = shared.start(cx).await?;
        let turn = match op.isolation {
            Some(Isolation::Serializable) if !op.read_only => work.take_turns().await,
            _ => Ok(()),
        };
        match turn {
            Ok(()) => break work,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                attempt += 1;
                let pause = pause(attempt);
                if Instant::now() + pause >= until {
                    return Err(error);
                }
                drop(work);
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    };
    let work = Arc::new(Mutex::new(Some(work)));
    let watched = Arc::clone(&work);
    let watch = tokio::spawn(async move {
        tokio::time::sleep_until(until.into()).await;
        if let Some(mut work) = watched.lock().await.take() {
            // Whoever comes for it is told; the server forgets what can't be undone now.
            let _ = work.session.abort_transaction().await;
            work.watch.over();
        }
    });
    let began = clock::now();
    Ok(OpenTransaction::new(MongoSession { work, read_only: op.read_only, began, watch }))
}

impl Work {
    /// Waits for other serializable transactions, and makes them wait.
    ///
    /// # Errors
    /// `Conflict` while another is open.
    pub(crate) async fn take_turns(&mut self) -> Result<()> {
        self.lock(TURN, &[Bson::Int32(0)]).await
    }
}

impl Session for MongoSession {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            if self.read_only && !step.only_reads() {
                let message = "cannot write in a read-only transaction";
                return Err(Error::new(ErrorKind::InvalidInput, "25006", message));
            }
            let mut held = self.work.lock().await;
            let work = held.as_mut().ok_or_else(too_long)?;
            work.cx = cx.clone();
            work.reading.clear();
            clock::since(self.began, Box::pin(work.step(step))).await
        })
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let Some(mut work) = self.work.lock().await.take() else {
                return if keep { Err(too_long()) } else { Ok(()) };
            };
            let ended = match keep {
                true => work.commit().await,
                false => work.session.abort_transaction().await.map_err(convert),
            };
            work.watch.over();
            ended
        })
    }
}

impl Drop for MongoSession {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn too_long() -> Error {
    Error::timeout("the transaction lasted beyond its deadline and was undone")
        .with_hint("do less in one transaction, or give it more time")
}
