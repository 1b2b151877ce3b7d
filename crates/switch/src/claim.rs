//! Who may write to a target while it is made: what somebody before the present leader has sent comes too
//! late.

use bytes::Bytes;
use truststream_kernel::{Error, ErrorKind, Result, Row};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Load, Position, Prepare, PrepareClaimed, TableName,
};

use crate::copy::arriving;
use crate::follow::STALE;
use crate::machine::Refused;
use crate::mutation::Mutation;
use crate::shared::Shared;
use crate::{Record, Side};

/// The right to make a target ready or empty it, or to write chunks of a copy to it.
///
/// It lies in the target, as the position of a stream that has no other: the term of whoever leads and
/// how often it was taken. Whatever is done under it is kept only if it still stands there, in the
/// transaction that keeps it. So whoever was held up in the very moment before it sent something, for
/// however long, neither empties what somebody else fills or serves, nor writes into a copy that somebody
/// else goes on with, or that is done.
pub(crate) struct Claim<'a> {
    target: &'a Side,
    origin: String,
    stands: Position,
}

impl Shared {
    /// Takes the right to make a target ready, and to empty it, for this project: from whoever had it in
    /// any switch before, who is waited for where something is being done under it.
    ///
    /// # Errors
    /// When this process does not lead; otherwise as [`Claim::of_copy`].
    pub(crate) async fn claim<'a>(&self, target: &'a Side) -> Result<Claim<'a>> {
        if !self.routes.leads() {
            return Err(Refused::NotLeading.into());
        }
        let origin = format!("project-{}/prepare", self.records.project().await?);
        Claim::take(target, origin, self.routes.term()).await
    }
}

impl<'a> Claim<'a> {
    /// Takes the right to write chunks of a switch's copy, from whoever had it, who is waited for where a
    /// chunk is being written.
    ///
    /// # Errors
    /// `BACKEND_008` when somebody of a later term has it, or was faster.
    pub(crate) async fn of_copy(target: &'a Side, record: &Record, term: u64) -> Result<Self> {
        Claim::take(target, format!("{}copy", record.streams()), term).await
    }

    async fn take(target: &'a Side, origin: String, term: u64) -> Result<Self> {
        let stored = target.database.send(AppliedPosition { origin: origin.clone() }).await?;
        let (held, times) = stored.as_ref().map_or((0, 0), read);
        if held > term {
            return Err(superseded());
        }
        let stands = Position::Routed { epoch: term, at: Box::new(Position::Sequence(times + 1)) };
        let take = Apply {
            origin: origin.clone(),
            expected: stored,
            position: Some(stands.clone()),
            rows: Vec::new(),
            changes: Vec::new(),
        };
        must_be_done(target.database.send(take).await?)?;
        Ok(Claim { target, origin, stands })
    }

    /// Makes the target ready, or empties it.
    ///
    /// # Errors
    /// `BACKEND_008` when somebody else has taken the right: nothing is done then.
    pub(crate) async fn prepare(&self, step: Prepare) -> Result<()> {
        if Mutation::UnguardedPrepare.is_made() {
            return self.target.database.send(step).await;
        }
        let (origin, expected) = (self.origin.clone(), self.stands.clone());
        must_be_done(self.target.database.send(PrepareClaimed { origin, expected, step }).await?)
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// `BACKEND_008` when somebody else has taken the right: nothing is written then.
    pub(crate) async fn put(&self, table: &TableName, rows: Vec<Row>) -> Result<()> {
        let (origin, expected) = self.stream();
        let chunk = Apply { expected, ..arriving(&origin, table, rows) };
        must_be_done(self.target.database.send(chunk).await?)
    }

    /// Writes a chunk in a form of the engine's own.
    ///
    /// # Errors
    /// As [`Claim::put`].
    pub(crate) async fn load(&self, table: &TableName, packing: &str, bytes: Bytes) -> Result<()> {
        let (origin, expected) = self.stream();
        let load = Load { origin, expected, table: table.clone(), packing: packing.to_owned(), bytes };
        must_be_done(self.target.database.send(load).await?)
    }

    /// The stream that chunks come with, and where it has to stand.
    fn stream(&self) -> (String, Option<Position>) {
        if Mutation::UnguardedCopy.is_made() {
            return (format!("{}-unguarded", self.origin), None);
        }
        (self.origin.clone(), Some(self.stands.clone()))
    }
}

/// The term and how often it was taken.
fn read(stored: &Position) -> (u64, u64) {
    match stored {
        Position::Routed { epoch, at } => match **at {
            Position::Sequence(times) => (*epoch, times),
            _ => (*epoch, 0),
        },
        _ => (0, 0),
    }
}

fn must_be_done(applied: Applied) -> Result<()> {
    if applied == Applied::Done { Ok(()) } else { Err(superseded()) }
}

fn superseded() -> Error {
    Error::new(ErrorKind::Conflict, STALE, "another process leads this switch and makes its target")
}
