//! How far an import or export is: a bar on a terminal, now and then a plain line elsewhere.

use std::io::IsTerminal;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, ReadBuf};

use crate::text::thousands;

/// Least time between two plain lines.
const PLAIN: Duration = Duration::from_secs(2);

/// A bar of what is read of a file; where its size is not known, a count of rows.
pub struct Shown {
    bar: ProgressBar,
    verb: &'static str,
    /// When the latest plain line was written, where there is no terminal.
    plain: Option<Mutex<Instant>>,
}

impl Shown {
    /// Rows that are `verb` (read, written); of this file, if it is one that is read.
    pub fn new(verb: &'static str, file: Option<&Path>) -> Shown {
        let size = file.and_then(|file| std::fs::metadata(file).ok()).filter(|file| file.is_file());
        let (bar, template) = match size {
            _ if !std::io::stderr().is_terminal() => (ProgressBar::hidden(), ""),
            Some(file) => {
                (ProgressBar::new(file.len()), "[{bar:32}] {bytes} of {total_bytes}, {msg}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {msg} in {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸ "));
        let plain = (!std::io::stderr().is_terminal()).then(|| Mutex::new(Instant::now()));
        Shown { bar, verb, plain }
    }

    /// Shows how many rows there were.
    pub fn rows(&self, rows: u64) {
        let line = format!("{} rows {}", thousands(rows), self.verb);
        if let Some(latest) = &self.plain {
            let mut latest = latest.lock();
            if latest.elapsed() >= PLAIN {
                eprintln!("{line}");
                *latest = Instant::now();
            }
            return;
        }
        self.bar.set_message(line);
        self.bar.tick();
    }

    /// Counts what is read.
    pub fn reading<R>(&self, source: R) -> Reading<R> {
        Reading { source, bar: self.bar.clone() }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A source whose bytes are counted.
pub struct Reading<R> {
    source: R,
    bar: ProgressBar,
}

impl<R: AsyncRead + Unpin> AsyncRead for Reading<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.source).poll_read(cx, into))?;
        if self.bar.length().is_some() {
            self.bar.inc((into.filled().len() - before) as u64);
        }
        Poll::Ready(Ok(()))
    }
}
