//! PostgreSQL's snapshots as positions.

use std::fmt;

use truststream_kernel::{Error, Result};
use truststream_services::database::Position;

/// Which transactions are visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// All below are.
    pub(crate) low: u64,
    /// None from here on is.
    high: u64,
    /// Between, those not visible, in order.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads the text of a `pg_snapshot`: `10:20:10,14`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
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
    pub(crate) fn of(position: &Position) -> Result<Self> {
        match position {
            Position::Snapshot { low, high, running } => {
                Ok(Snapshot { low: *low, high: *high, running: running.clone() })
            }
            Position::Routed { at, .. } => Snapshot::of(at),
            Position::Sequence(_) => {
                Err(Error::invalid_input("this position belongs to the feed of another database"))
            }
        }
    }

    /// The position of this snapshot.
    pub(crate) fn position(self) -> Position {
        Position::Snapshot { low: self.low, high: self.high, running: self.running }
    }

    /// Takes transactions out again, as if they were still running.
    pub(crate) fn leave_out(&mut self, transactions: &[u64]) {
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

/// The position of a snapshot's text.
pub(crate) fn position_of(text: &str) -> Result<Position> {
    Snapshot::parse(text).map(Snapshot::position)
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
