//! How the steps of a body end, and what loops go over.

use truststream_kernel::{Error, ErrorKind, Result};

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow<T = ()> {
    /// The next one follows.
    On,
    /// A loop is left, or repeated.
    Leave {
        /// Which; the innermost if absent.
        label: Option<String>,
        /// Whether it goes on with the next round.
        next: bool,
    },
    /// The body is over, with what it ends with.
    Over(T),
}

impl<T> Flow<T> {
    /// What a loop ends with after a round that ended like this; `None` if it goes on.
    pub fn round(self, label: Option<&str>) -> Option<Self> {
        match self {
            Flow::On => None,
            Flow::Leave { label: meant, next } if meant.is_none() || meant.as_deref() == label => {
                (!next).then_some(Flow::On)
            }
            other => Some(other),
        }
    }
}

/// The numbers that a `for` goes over, both ends included.
#[derive(Clone, Debug)]
pub struct Numbers {
    at: Option<i64>,
    last: i64,
    by: i64,
}

impl Numbers {
    /// From the first to the last, or down to it.
    ///
    /// # Errors
    /// 22004 for a bound that is null, 22023 for a step that leads nowhere.
    pub fn between([first, last, by]: [Option<i64>; 3], reverse: bool) -> Result<Self> {
        let (Some(first), Some(last), Some(by)) = (first, last, by) else {
            let message = "a bound of a FOR loop cannot be null";
            return Err(Error::new(ErrorKind::InvalidInput, "22004", message));
        };
        if by <= 0 {
            let message = "BY value of FOR loop must be greater than zero";
            return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
        }
        Ok(Numbers { at: Some(first), last, by: if reverse { -by } else { by } })
    }
}

impl Iterator for Numbers {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let at = self.at.filter(|at| if self.by < 0 { *at >= self.last } else { *at <= self.last })?;
        self.at = at.checked_add(self.by);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_ends_its_own_loop_only() {
        let leave = |label: Option<&str>, next| Flow::<()>::Leave { label: label.map(str::to_owned), next };
        assert_eq!(Flow::<()>::On.round(None), None);
        assert_eq!(leave(None, true).round(Some("a")), None);
        assert_eq!(leave(Some("a"), false).round(Some("a")), Some(Flow::On));
        assert_eq!(leave(Some("b"), true).round(Some("a")), Some(leave(Some("b"), true)));
        assert_eq!(Flow::Over(1).round(None), Some(Flow::Over(1)));
    }

    #[test]
    fn numbers_end_where_there_are_no_more() {
        let all =
            |ends: [i64; 3], reverse| Numbers::between(ends.map(Some), reverse).unwrap().collect::<Vec<_>>();
        assert_eq!(all([1, 5, 2], false), [1, 3, 5]);
        assert_eq!(all([5, 2, 2], true), [5, 3]);
        assert_eq!(all([2, 1, 1], false), [0_i64; 0]);
        assert_eq!(all([i64::MAX - 1, i64::MAX, 1], false), [i64::MAX - 1, i64::MAX]);
        assert_eq!(Numbers::between([Some(1), None, Some(1)], false).unwrap_err().code(), "22004");
        assert_eq!(Numbers::between([Some(1), Some(2), Some(0)], false).unwrap_err().code(), "22023");
    }
}
