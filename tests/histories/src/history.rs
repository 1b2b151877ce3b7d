//! What clients asked for and what they were told: all that the checker knows.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A new row; `number` grows with every note of a client.
    AddNote {
        id: String,
        number: i64,
    },
    /// Removes a note of its own that was acknowledged.
    RemoveNote {
        id: String,
    },
    /// Appends to a list if it still has `length` items (compare and set).
    Append {
        list: i64,
        item: String,
        length: usize,
    },
    ReadList {
        list: i64,
    },
    /// Sets a register that only this client writes; values grow.
    Set {
        register: i64,
        value: i64,
    },
    Get {
        register: i64,
    },
    /// Moves money between two accounts and writes the transfer down, atomically.
    Transfer {
        id: String,
        from: i64,
        to: i64,
        amount: i64,
    },
    ReadBalances,
    /// Exchanges a session's refresh token for the next one.
    Rotate {
        session: i64,
    },
    /// Writes version `number` of a file that only this client writes.
    PutFile {
        file: i64,
        number: i64,
    },
    GetFile {
        file: i64,
    },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done(Seen),
    /// Another client was faster; nothing happened, and nothing failed.
    Lost,
    /// Refused with the promise that nothing happened.
    Refused(String),
    /// It may have happened or not.
    Unknown(String),
}

/// What came back with an acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Nothing,
    Number(i64),
    Items(Vec<String>),
    Balances(BTreeMap<i64, i64>),
    /// The content is of no version that was ever written.
    Damaged(String),
}

/// One request of one client; times are since the beginning.
#[derive(Clone, Debug)]
pub struct Operation {
    pub client: i64,
    pub action: Action,
    pub began: Duration,
    pub ended: Duration,
    pub outcome: Outcome,
}

impl Operation {
    /// Whether the client was told that it happened.
    pub fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done(_))
    }

    /// Whether it may have happened.
    pub fn may_have_happened(&self) -> bool {
        matches!(self.outcome, Outcome::Done(_) | Outcome::Unknown(_))
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused(reason) | Outcome::Unknown(reason) => Some(reason),
            Outcome::Done(_) | Outcome::Lost => None,
        }
    }

    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        !matches!(
            self.action,
            Action::ReadList { .. } | Action::Get { .. } | Action::ReadBalances | Action::GetFile { .. }
        )
    }
}

/// A new note that a subscriber was told of.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    pub client: i64,
    pub number: i64,
}

/// What one subscriber saw.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    /// When it was told that it is subscribed.
    pub since: Duration,
    pub events: Vec<Event>,
    /// Whether its connection broke, so that it may have missed something.
    pub broken: bool,
}

/// A gateway that had lost touch with the others for a time: what it reads then is of the side that it
/// knew last.
#[derive(Clone, Copy, Debug)]
pub struct Away {
    pub gateway: usize,
    pub from: Duration,
    pub to: Duration,
}

/// All that clients asked for and saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub operations: Vec<Operation>,
    pub subscriptions: Vec<Subscription>,
    /// How many gateways the clients were spread over, by their numbers.
    pub gateways: usize,
    pub away: Vec<Away>,
}

impl History {
    /// Whether a read may have seen less than was acknowledged before it, which is said of gateways that
    /// have lost touch.
    pub fn may_be_stale(&self, read: &Operation) -> bool {
        let client = usize::try_from(read.client - 1).unwrap_or_default();
        let is_through = |away: &&Away| away.gateway == client % self.gateways.max(1);
        let mut away = self.away.iter().filter(is_through);
        away.any(|away| read.began <= away.to && away.from <= read.ended)
    }
}

/// What is stored at the end, as it is read when all clients have stopped.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Id of each note; one that is there twice is here twice.
    pub notes: Vec<String>,
    pub lists: BTreeMap<i64, Vec<String>>,
    pub registers: BTreeMap<i64, i64>,
    pub balances: BTreeMap<i64, i64>,
    /// Id, from, to, amount.
    pub transfers: Vec<(String, i64, i64, i64)>,
    /// Id of each transfer that a receipt was written of, in the same transaction.
    pub receipts: Vec<String>,
    /// The version that each file has, or what it has instead.
    pub files: BTreeMap<i64, Seen>,
}
