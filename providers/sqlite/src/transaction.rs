//! Transactions that stay open over several requests: the writing thread is lent to one of them,
//! and those that wait meanwhile share the commit after it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use truststream_kernel::{BoxFuture, Context, Error, ErrorKind, Outcome, Result};
use truststream_services::database::{Begin, OpenTransaction, Page, Session, Step};

use crate::connection::Conn;
use crate::driver::Shared;
use crate::error::convert;
use crate::write::Write;
use crate::writer::Fate;

/// How long a transaction may last whose caller set no deadline: all other writes wait for it.
const LONGEST: Duration = Duration::from_secs(10);

/// What a session asks of the thread that holds the connection.
enum Message {
    Step { cx: Box<Context>, step: Box<Step>, answer: oneshot::Sender<Result<Page>> },
    End { keep: bool },
}

struct SqliteSession {
    messages: mpsc::Sender<Message>,
    over: JoinHandle<Result<()>>,
}

/// Begins a transaction; returns when the connection is its own.
pub(crate) async fn begin(shared: &Shared, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
    let (messages, queue) = mpsc::channel();
    let (started, ready) = oneshot::channel();
    let deadline = Instant::now() + cx.remaining().unwrap_or(LONGEST);
    let read_only = op.read_only;
    let lease = Lease { shared: shared.clone(), queue, deadline, read_only };
    let (shared, caller) = (shared.clone(), cx.clone());
    let over = tokio::spawn(async move {
        if read_only {
            shared.read(&caller, move |conn| lease.read(conn, started)).await
        } else {
            shared.writer.run_alone(&caller, move |conn| lease.serve(conn, started)).await
        }
    });
    if ready.await.is_ok() {
        return Ok(OpenTransaction::new(SqliteSession { messages, over }));
    }
    over.await.map_err(stopped)?.and(Err(Error::internal("a transaction ended before it began")))
}

/// The connection's side of a session.
struct Lease {
    shared: Shared,
    queue: mpsc::Receiver<Message>,
    deadline: Instant,
    read_only: bool,
}

impl Lease {
    /// Steps on one snapshot; there is nothing to commit.
    fn read(self, conn: &Conn, started: oneshot::Sender<()>) -> Result<()> {
        let snapshot = conn.sql.unchecked_transaction().map_err(convert)?;
        let ended = self.serve(conn, started).map(drop);
        drop(snapshot);
        ended
    }

    /// Steps until the session ends, is dropped or its deadline passes.
    fn serve(self, conn: &Conn, started: oneshot::Sender<()>) -> Result<Fate<()>> {
        if started.send(()).is_err() {
            return Ok(Fate::Undo(()));
        }
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(left) {
                Ok(Message::Step { cx, step, answer }) => {
                    let outcome = self.step(conn, &cx, &step);
                    // Whoever asked may have gone; the next message then tells so.
                    let _ = answer.send(outcome);
                }
                Ok(Message::End { keep: true }) => return Ok(Fate::Keep(())),
                Ok(Message::End { keep: false }) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Fate::Undo(()));
                }
                Err(RecvTimeoutError::Timeout) => return Err(too_long()),
            }
        }
    }

    fn step(&self, conn: &Conn, cx: &Context, step: &Step) -> Result<Page> {
        if self.read_only && !step.only_reads() {
            let message = "cannot write in a read-only transaction";
            return Err(Error::new(ErrorKind::InvalidInput, "25006", message));
        }
        conn.session.go_on(cx);
        let schema = self.shared.schema();
        Write { conn, schema: &schema, cx }.step(step)
    }
}

impl Session for SqliteSession {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let (cx, step) = (Box::new(cx.clone()), Box::new(step.clone()));
            self.messages.send(Message::Step { cx, step, answer }).map_err(|_| too_long())?;
            answered.await.map_err(|_| too_long())?
        })
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            // If the thread has ended the transaction already, its outcome tells why.
            let told = self.messages.send(Message::End { keep });
            let ended = self.over.await.map_err(stopped)?;
            if told.is_err() && keep { ended.and(Err(too_long())) } else { ended }
        })
    }
}

fn too_long() -> Error {
    Error::timeout("the transaction lasted beyond its deadline and was undone")
        .with_hint("do less in one transaction, or give it more time")
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::internal("a transaction stopped").with_outcome(Outcome::Unknown).with_source(error)
}
