//! The one thread that writes, and commits for all who wait at once.

use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use rusqlite::{Connection, ffi};
use tokio::sync::{oneshot, watch};
use truststream_kernel::{Context, Error, ErrorKind, Outcome, Result};

use crate::config::Synchronous;
use crate::connection::Conn;
use crate::ddl::existing;
use crate::error::convert;
use crate::place::Place;
use crate::words::{Folding, Moment};
use crate::{internal, sequence};

/// Requests that share a commit at most.
const GROUP: usize = 256;

/// Where the log has grown by so many commits, it is moved into the database at the next pause.
const MANY: u32 = 64;
/// A pause, once there are many commits in the log.
const PAUSE: Duration = Duration::from_millis(20);
/// A pause in which few are moved as well, and the wait before an incomplete move is tried again.
const REST: Duration = Duration::from_secs(1);

/// What a request does within its savepoint; `false` undoes it although it went well.
type Work = Box<dyn FnOnce(&Conn) -> Ended + Send>;

/// How a request ended within its savepoint: what to tell the caller once it is known whether the
/// group was committed, and whether its effects stay.
struct Ended {
    keep: bool,
    answer: Box<dyn FnOnce(Option<Error>) + Send>,
}

/// How a request is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// In a transaction shared with others.
    Grouped,
    /// In a transaction of its own.
    Alone,
    /// The same with foreign keys not enforced, which can only be set outside of a transaction.
    Unchecked,
}

struct Job {
    cx: Context,
    mode: Mode,
    work: Work,
}

/// What a request leaves behind.
pub(crate) enum Fate<T> {
    /// It stays.
    Keep(T),
    /// It is undone although it went well.
    Undo(T),
}

/// Sends requests to the thread that writes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    /// Counts commits, so that readers of the feed wake.
    commits: watch::Receiver<u64>,
}

impl Writer {
    /// Opens the database and starts the thread.
    pub(crate) fn start(place: &Place, synchronous: Synchronous) -> Result<Self> {
        let conn = Conn::writer(place, synchronous)?;
        sequence::load(&conn)?;
        let folding = Folding::of(&conn.sql)?;
        let (jobs, queue) = mpsc::channel();
        let (bell, commits) = watch::channel(0);
        std::thread::Builder::new()
            .name("truststream-sqlite".to_owned())
            .spawn(move || run(&conn, &queue, &bell, folding))
            .map_err(|error| Error::unavailable("can't start the writing thread").with_source(error))?;
        Ok(Writer { jobs, commits })
    }

    /// A bell that rings after each commit.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Runs a request in its savepoint of the next group; the answer comes when it is durable.
    pub(crate) async fn run<T, F>(&self, cx: &Context, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<Fate<T>> + Send + 'static,
    {
        self.send(cx, Mode::Grouped, work, |_| ()).await
    }

    /// The same in a transaction of its own.
    pub(crate) async fn run_alone<T, F>(&self, cx: &Context, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<Fate<T>> + Send + 'static,
    {
        self.send(cx, Mode::Alone, work, |_| ()).await
    }

    /// The same in a transaction of its own, with foreign keys not enforced. `committed` is called
    /// before any other request is run.
    pub(crate) async fn run_unchecked<T, F, C>(&self, cx: &Context, work: F, committed: C) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<Fate<T>> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        self.send(cx, Mode::Unchecked, work, committed).await
    }

    async fn send<T, F, C>(&self, cx: &Context, mode: Mode, work: F, committed: C) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<Fate<T>> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |conn| {
            let outcome = work(conn);
            let keep = matches!(outcome, Ok(Fate::Keep(_)));
            let answer = Box::new(move |failed: Option<Error>| {
                let outcome = match (outcome, failed) {
                    (Ok(Fate::Keep(_)), Some(error)) => Err(error),
                    (Ok(Fate::Keep(done)), None) => {
                        committed(&done);
                        Ok(done)
                    }
                    (Ok(Fate::Undo(done)), _) => Ok(done),
                    (Err(error), _) => Err(error),
                };
                // Whoever asked may have gone.
                let _ = answer.send(outcome);
            });
            Ended { keep, answer }
        });
        let stopped = || Error::unavailable("the database is closed").with_outcome(Outcome::Unknown);
        self.jobs.send(Job { cx: cx.clone(), mode, work }).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn run(conn: &Conn, queue: &mpsc::Receiver<Job>, bell: &watch::Sender<u64>, mut folding: Folding) {
    let mut logged = 0;
    let mut next = await_job(conn, queue, &mut logged, &mut folding);
    while let Some(first) = next.take() {
        match first.mode {
            Mode::Unchecked => {
                unchecked(conn, first);
                folding = Folding::of(&conn.sql).unwrap_or(folding);
            }
            Mode::Alone => commit(conn, vec![first]),
            Mode::Grouped => {
                let mut group = vec![first];
                while group.len() < GROUP {
                    match queue.try_recv() {
                        Ok(job) if job.mode != Mode::Grouped => {
                            next = Some(job);
                            break;
                        }
                        Ok(job) => group.push(job),
                        Err(_) => break,
                    }
                }
                commit(conn, group);
            }
        }
        bell.send_modify(|count| *count += 1);
        logged += 1;
        folding.step(&conn.sql, Moment::Busy);
        if next.is_none() {
            next = await_job(conn, queue, &mut logged, &mut folding);
        }
    }
}

/// The next request. What is in the log is moved into the database where there is a pause: readers
/// search the log for every page they need, and pages written often lie in it many times.
fn await_job(
    conn: &Conn,
    queue: &mpsc::Receiver<Job>,
    logged: &mut u32,
    folding: &mut Folding,
) -> Option<Job> {
    if let Some(job) = fold(conn, queue, folding, Moment::Idle) {
        return Some(job);
    }
    let mut pause = if *logged < MANY { REST } else { PAUSE };
    while *logged > 0 {
        match queue.recv_timeout(pause) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(job) = fold(conn, queue, folding, Moment::Rest) {
                    return Some(job);
                }
                if empty_log(&conn.sql) {
                    *logged = 0;
                }
                pause = REST;
            }
        }
    }
    queue.recv().ok()
}

/// Puts words into their indexes until there are none to be put, or a request comes.
fn fold(conn: &Conn, queue: &mpsc::Receiver<Job>, folding: &mut Folding, moment: Moment) -> Option<Job> {
    while folding.step(&conn.sql, moment) {
        match queue.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
    }
    None
}

/// Moves the log into the database as far as readers allow; whether that was all of it.
fn empty_log(conn: &Connection) -> bool {
    let moved = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match moved {
        Ok((logged, moved)) => logged == moved,
        Err(error) => {
            tracing::warn!(%error, "the log could not be moved into the database");
            false
        }
    }
}

fn unchecked(conn: &Conn, job: Job) {
    let set = |on: &str| conn.sql.execute_batch(&format!("PRAGMA foreign_keys={on}"));
    let off = set("OFF");
    commit(conn, vec![job]);
    if let Err(error) = off.and_then(|()| set("ON")) {
        tracing::error!(%error, "foreign keys can't be switched");
    }
}

/// Runs a group in one transaction, each in a savepoint, and answers when it is committed.
fn commit(conn: &Conn, group: Vec<Job>) {
    let begun = run_kept(&conn.sql, "BEGIN IMMEDIATE").map_err(convert).err();
    let single = group.len() == 1;
    let mut done = Vec::with_capacity(group.len());
    let mut changed = false;
    for job in group {
        conn.session.enter(&job.cx);
        let ended = if single { (job.work)(conn) } else { in_savepoint(conn, job.work) };
        changed |= ended.keep;
        done.push(ended);
    }
    let mut failure = begun.or_else(|| end(conn, changed).err());
    if !conn.sql.is_autocommit() {
        // A commit that failed leaves its transaction open.
        let _ = conn.sql.execute_batch("ROLLBACK");
    }
    let kept = changed && failure.is_none();
    conn.session.count(|counters| if kept { counters.settle() } else { counters.undo(0) });
    for ended in done {
        let told = failure.as_ref().map(copied);
        (ended.answer)(told);
    }
    // What violates a key that is looked at last is the caller's matter.
    if let Some(error) = failure.take().filter(|error| error.kind() != ErrorKind::Constraint) {
        tracing::error!(?error, "a group of writes could not be committed");
    }
}

/// Commits, or undoes what did not change anything.
fn end(conn: &Conn, changed: bool) -> Result<()> {
    if !changed {
        return run_kept(&conn.sql, "ROLLBACK").map_err(convert);
    }
    sequence::keep(conn).map_err(convert)?;
    run_kept(&conn.sql, "COMMIT").map_err(|error| match error.sqlite_error() {
        // Foreign keys that are looked at last.
        Some(native) if native.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            let missing = internal::catalog(&conn.sql).and_then(|all| existing::references(&conn.sql, &all));
            missing.err().unwrap_or_else(|| convert(error))
        }
        _ => convert(error),
    })
}

fn in_savepoint(conn: &Conn, work: Work) -> Ended {
    let run = |sql| run_kept(&conn.sql, sql);
    let restarts = conn.session.count(|counters| counters.restarts());
    let began = run("SAVEPOINT request");
    let ended = work(conn);
    let end = if ended.keep { Ok(()) } else { run("ROLLBACK TO request") };
    if !ended.keep {
        conn.session.count(|counters| counters.undo(restarts));
    }
    if let Err(error) = began.and(end).and_then(|()| run("RELEASE request")) {
        tracing::error!(%error, "a savepoint failed");
    }
    ended
}

/// Runs a statement that is compiled once.
fn run_kept(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

/// Each of a group learns of the failure that met them all.
fn copied(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.code().to_owned(), error.message().to_owned());
    match error.details() {
        Some(details) => copy.with_details(details.clone()),
        None => copy,
    }
}
