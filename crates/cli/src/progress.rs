//! Showing how far a switch is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use truststream_switch::{Phase, Progress};

use crate::text::thousands;

/// Least time between two plain lines of one phase, and between two that say the same.
const PLAIN: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_secs(30);

/// Shows a switch's progress on stderr.
pub struct Shown {
    bar: Option<ProgressBar>,
    last: Option<(Phase, String, Instant)>,
}

impl Shown {
    /// A bar on a terminal, plain lines elsewhere.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix:>12} [{bar:32}] {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("━╸ "));
            bar
        });
        Shown { bar, last: None }
    }

    /// Shows a moment of a switch.
    pub fn show(&mut self, progress: &Progress) {
        let line = describe(progress);
        if let Some(bar) = &self.bar {
            bar.set_prefix(progress.phase.name());
            bar.set_length(progress.rows_total.max(1));
            bar.set_position(if progress.rows_total == 0 { 1 } else { progress.rows_done });
            bar.set_message(line);
            return;
        }
        let due = self.last.as_ref().is_none_or(|(phase, said, at)| {
            *phase != progress.phase || at.elapsed() >= if *said == line { AGAIN } else { PLAIN }
        });
        if due {
            eprintln!("{}: {line}", progress.phase.name());
            self.last = Some((progress.phase, line, Instant::now()));
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn describe(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if progress.rows_total > 0 {
        parts.push(format!("{} of {} rows", thousands(progress.rows_done), thousands(progress.rows_total)));
        parts.push(format!("{} rows/s", thousands(progress.rows_per_second as u64)));
    }
    parts.push(format!("lag {}", progress.lag));
    if let Some(seconds) = progress.eta_seconds {
        parts.push(format!("ETA {seconds:.0} s"));
    }
    if let Some(table) = &progress.table {
        parts.push(table.clone());
    }
    parts.extend(progress.note.clone());
    parts.join(" · ")
}
