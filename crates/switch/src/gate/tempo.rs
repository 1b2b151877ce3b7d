//! How long writes take, as the application sees it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Writes that are remembered.
const KEPT: usize = 1024;

/// Fewer writes than this say nothing.
const FEWEST: usize = 16;

/// The latest writes, in the order in which they ended.
#[derive(Default)]
pub(super) struct Tempo(VecDeque<(Instant, Duration)>);

impl Tempo {
    /// A write that began then has ended.
    pub(super) fn note(&mut self, began: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((began, began.elapsed()));
    }

    /// The median of the writes that began since then and have ended; `None` for too few.
    pub(super) fn median(&self, since: Instant) -> Option<Duration> {
        let lately = self.0.iter().filter(|(began, _)| *began >= since);
        let mut took: Vec<_> = lately.map(|(_, took)| *took).collect();
        if took.len() < FEWEST {
            return None;
        }
        let middle = took.len() / 2;
        Some(*took.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_median_is_of_writes_that_began_since() {
        let (mut tempo, ms) = (Tempo::default(), Duration::from_millis);
        let begin = Instant::now();
        for _ in 0..FEWEST {
            let began = Instant::now();
            tokio::time::advance(ms(5)).await;
            tempo.note(began);
        }
        let then = Instant::now();
        assert_eq!((tempo.median(begin), tempo.median(then)), (Some(ms(5)), None));
        for took in 1..=20 {
            let began = Instant::now();
            tokio::time::advance(ms(took)).await;
            tempo.note(began);
        }
        assert_eq!(tempo.median(then), Some(ms(11)));
        (0..KEPT).for_each(|_| tempo.note(Instant::now()));
        assert_eq!((tempo.0.len(), tempo.median(begin)), (KEPT, Some(ms(0))));
    }
}
