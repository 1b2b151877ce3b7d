//! `Server-Timing`: where the time of a request went.

use std::time::{Duration, Instant};

/// Phases of a request, each measured from the end of the one before.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    last: Instant,
    phases: [Option<Duration>; 4],
}

const NAMES: [&str; 4] = ["jwt", "parse", "plan", "transaction"];

impl Timing {
    pub(super) fn start() -> Self {
        Timing { last: Instant::now(), phases: [None; 4] }
    }

    /// The caller is known.
    pub(super) fn authenticated(&mut self) {
        self.end(0);
    }

    /// The request is read.
    pub(super) fn parsed(&mut self) {
        self.end(1);
    }

    /// The operation is made.
    pub(super) fn planned(&mut self) {
        self.end(2);
    }

    /// The database has answered.
    pub(super) fn done(&mut self) {
        self.end(3);
    }

    fn end(&mut self, phase: usize) {
        let now = Instant::now();
        self.phases[phase] = Some(now - self.last);
        self.last = now;
    }

    /// The header's value; what is left is the making of the reply.
    pub(super) fn header(&self) -> String {
        let mut text = String::new();
        for (name, duration) in NAMES.iter().zip(self.phases) {
            if let Some(duration) = duration {
                text += &format!("{name};dur={:.1}, ", duration.as_secs_f64() * 1000.0);
            }
        }
        text += &format!("response;dur={:.1}", self.last.elapsed().as_secs_f64() * 1000.0);
        text
    }
}
