//! Copying no faster than the source bears.

use std::time::Duration;

use tokio::time::Instant;
use truststream_kernel::Result;
use truststream_services::database::Ping;

use crate::signal::Signal;
use crate::{Options, Side};

/// Longest wait between two chunks.
const LONGEST: Duration = Duration::from_secs(2);

/// First wait when the source has become slow.
const FIRST: Duration = Duration::from_millis(10);

/// How long to wait between chunks.
pub(crate) struct Pace {
    throttle: u32,
    max_latency: Option<Duration>,
    wait: Duration,
    busy: Option<Duration>,
}

impl Pace {
    pub(crate) fn new(options: &Options) -> Self {
        Pace {
            throttle: u32::from(options.throttle.clamp(1, 100)),
            max_latency: options.max_latency_ms.map(Duration::from_millis),
            wait: Duration::ZERO,
            busy: None,
        }
    }

    /// A chunk kept the source busy for so long.
    pub(crate) fn took(&mut self, busy: Duration) {
        self.busy = Some(busy);
    }

    /// Waits before the next chunk, if there was one before.
    pub(crate) async fn wait(&mut self, source: &Side, signal: &Signal) -> Result<()> {
        let Some(busy) = self.busy.take() else { return Ok(()) };
        if let Some(most) = self.max_latency {
            let began = Instant::now();
            source.database.send(Ping).await?;
            self.answered(began.elapsed(), most);
        }
        let rest = self.rest(busy) + self.wait;
        if !rest.is_zero() {
            signal.sleep(rest).await;
        }
        Ok(())
    }

    /// The wait that makes so long a work the allowed share of the time.
    fn rest(&self, busy: Duration) -> Duration {
        (busy * (100 - self.throttle) / self.throttle).min(LONGEST)
    }

    /// Doubles the wait while the source is slow, and shortens it again step by step.
    fn answered(&mut self, latency: Duration, most: Duration) {
        self.wait = if latency > most {
            (self.wait * 2).clamp(FIRST, LONGEST)
        } else if self.wait > FIRST {
            self.wait * 3 / 4
        } else {
            Duration::ZERO
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_time_and_a_slow_source() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(&Options { throttle: 25, ..Options::default() });
        assert_eq!(pace.rest(ms(10)), ms(30));
        assert_eq!(Pace::new(&Options::default()).rest(ms(10)), Duration::ZERO);
        pace.answered(ms(30), ms(20));
        pace.answered(ms(30), ms(20));
        assert_eq!(pace.wait, ms(20));
        for _ in 0..4 {
            pace.answered(ms(5), ms(20));
        }
        assert_eq!(pace.wait, Duration::ZERO);
    }
}
