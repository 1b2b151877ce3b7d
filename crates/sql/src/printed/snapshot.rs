//! PostgreSQL's snapshots as positions.

use std::fmt;

use truststream_kernel::{Error, Result};
use truststream_services::database::Position;

/// Which transactions are visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All below are.
    pub low: u64,
    /// None from here on is.
    high: u64,
    /// Between, those not visible, in order.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads the text of a `pg_snapshot`: `10:20:10,14`.
    ///
    /// # Errors
    /// If the text is none.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = || Error::internal("a snapshot could not be read");
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or_else(malformed);
        let (low, high, running) = (next()?, next()?, next()?);
        let number = |text: &str| text.parse::<u64>().map_err(|_| malformed());
        let running = running.split(',').filter(|text| !text.is_empty());
        Ok(Snapshot {
            low: number(low)?,
            high: number(high)?,
            running: running.map(number).collect::<Result<_>>()?,
        })
    }

    /// The snapshot of a position.
    ///
    /// # Errors
    /// If the position is of another kind of feed.
    pub fn of(position: &Position) -> Result<Self> {
        match position {
            Position::Snapshot { low, high, running } => {
                Ok(Snapshot { low: *low, high: *high, running: running.clone() })
            }
            Position::Routed { at, .. } => Snapshot::of(at),
            Position::Sequence(_) | Position::Both { .. } => {
                Err(Error::invalid_input("this position belongs to the feed of another database"))
            }
        }
    }

    /// The position of this snapshot.
    pub fn position(self) -> Position {
        Position::Snapshot { low: self.low, high: self.high, running: self.running }
    }

    /// Says nothing of transactions above `newest`, the newest whose changes were read, unless it was
    /// said before. After a crash PostgreSQL gives numbers out again that were taken by transactions
    /// that left nothing on the disk, such as those that were rolled back: a position that counts them
    /// as done would pass over the changes of those who get them next.
    pub fn until(mut self, after: &Snapshot, newest: Option<u64>) -> Self {
        self.high = newest.map_or(after.high, |newest| after.high.max(newest + 1));
        self.running.retain(|xid| *xid < self.high);
        self.low = self.low.min(self.high);
        self
    }

    /// Takes transactions out again, as if they were still running.
    pub fn leave_out(&mut self, transactions: &[u64]) {
        self.running.extend(transactions);
        self.running.sort_unstable();
        self.running.dedup();
        if let Some(first) = self.running.first() {
            self.low = self.low.min(*first);
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.low, self.high)?;
        for (index, xid) in self.running.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            write!(f, "{separator}{xid}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_back() {
        for text in ["10:10:", "10:20:10,14"] {
            assert_eq!(Snapshot::parse(text).unwrap().to_string(), text);
        }
        assert!(Snapshot::parse("10").is_err());
    }

    #[test]
    fn numbers_that_may_be_given_out_again_are_not_counted_as_done() {
        let (before, now) = (Snapshot::parse("10:12:10").unwrap(), Snapshot::parse("18:20:18").unwrap());
        assert_eq!(now.clone().until(&before, Some(14)).to_string(), "15:15:");
        assert_eq!(now.clone().until(&before, Some(19)).to_string(), "18:20:18");
        // What ran before has ended, and nothing else is known.
        assert_eq!(now.until(&before, None).to_string(), "12:12:");
    }

    #[test]
    fn what_is_left_out_is_read_later() {
        let mut snapshot = Snapshot::parse("10:20:14").unwrap();
        snapshot.leave_out(&[16, 8]);
        assert_eq!(snapshot.to_string(), "8:20:8,14,16");
        let position = snapshot.position();
        let covers =
            |transaction| position.covers(truststream_services::database::Mark { transaction, sequence: 1 });
        assert_eq!(
            [7, 8, 9, 14, 15, 16, 19, 20].map(covers),
            [true, false, true, false, true, false, true, false]
        );
    }
}
