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
            let colon = if line.is_empty() { "" } else { ": " };
            eprintln!("{}{colon}{line}", progress.phase.name());
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

/// How far a phase is, in words; empty where nothing is known.
pub fn describe(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if progress.rows_total > 0 {
        let whose = if progress.phase == Phase::Verifying { "rows of both sides" } else { "rows" };
        parts.push(format!(
            "{} of {} {whose}",
            thousands(progress.rows_done),
            thousands(progress.rows_total)
        ));
        parts.push(format!("{} rows/s", thousands(progress.rows_per_second as u64)));
    }
    if follows(progress.phase) {
        parts.push(format!("lag {}", thousands(progress.lag)));
    }
    if let Some(seconds) = progress.eta_seconds {
        parts.push(format!("ETA {seconds:.0} s"));
    }
    if let Some(table) = &progress.table {
        parts.push(table.clone());
    }
    parts.extend(progress.note.clone());
    parts.join(" · ")
}

/// Whether changes are applied in it.
fn follows(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Following
            | Phase::Verifying
            | Phase::Ready
            | Phase::Fencing
            | Phase::FencingBack
            | Phase::Committed
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(phase: &str, done: u64, total: u64) -> String {
        let progress = json!({
            "id": 1, "from": "main", "to": "cloud", "phase": phase, "table": "public.notes", "rows_done": done,
            "rows_total": total, "rows_per_second": 1000.0, "lag": 1234, "eta_seconds": null, "failure": null,
        });
        describe(&serde_json::from_value(progress).unwrap())
    }

    #[test]
    fn every_phase_says_what_is_known_of_it() {
        assert_eq!(said("copying", 10, 2000), "10 of 2,000 rows · 1,000 rows/s · public.notes");
        assert!(said("verifying", 10, 2000).starts_with("10 of 2,000 rows of both sides"));
        assert_eq!(said("ready", 0, 0), "lag 1,234 · public.notes");
        assert_eq!(said("aborted", 0, 0), "public.notes");
    }
}
