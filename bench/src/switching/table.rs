//! The report as markdown.

use std::fmt::Write as _;

use super::Report;
use super::copying::Copied;
use super::live::{Live, Seen};
use super::load::quantile;
use crate::stats::median;

/// What a run found.
pub fn of(report: &Report) -> String {
    let mut out = String::new();
    if let Some(live) = &report.live {
        out.push_str(&seen(live));
    }
    if let Some(dead) = &report.dead {
        let counts = (dead.writes, dead.failed.len());
        out.push_str(&pauses("after another gateway was killed", &dead.flips, counts));
    }
    if !report.copies.is_empty() {
        out.push_str(
            "\n| copy | rows | rows/s | whole, s | others | compared, rows/s | memory before, switching, comparing, MiB |\n\
             |---|---:|---:|---:|---|---:|---:|\n",
        );
        report.copies.iter().for_each(|copied| out.push_str(&row(copied)));
    }
    if let Some(middle) = median(report.resume_seconds.iter().copied()) {
        let most = report.resume_seconds.iter().copied().fold(0.0, f64::max);
        let _ = writeln!(
            out,
            "\nA killed copy goes on after {middle:.2} s (most {most:.2} s, the gateway's start included)."
        );
    }
    out
}

/// What clients saw of flips, of so many writes, and so many of them that failed.
fn pauses(what: &str, flips: &[Seen], (writes, failed): (usize, usize)) -> String {
    let mut out = format!(
        "| {} flips {what}, {writes} writes, {failed} failed | p50 | p99 | p100 |\n|---|---:|---:|---:|\n",
        flips.len(),
    );
    let figures: [(&str, fn(&Seen) -> f64); 2] = [
        ("longest write around a flip, ms", |seen| seen.longest_ms),
        ("writes held, ms", |seen| seen.told_ms),
    ];
    for (name, figure) in figures {
        let values: Vec<f64> = flips.iter().map(figure).collect();
        let at = |share: f64| quantile(&values, share);
        let _ = writeln!(out, "| {name} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
    }
    out
}

fn seen(live: &Live) -> String {
    let mut out = pauses("under load", &live.flips, (live.writes, live.failed.len()));
    let more = |ms: f64| (ms / live.p50_idle.max(f64::EPSILON) - 1.0) * 100.0;
    let _ = writeln!(
        out,
        "\nMedian write: {:.2} ms with nothing else going on, {:.2} ms while rows are copied ({:+.0} %), {:.2} ms while they are compared ({:+.0} %).",
        live.p50_idle,
        live.p50_copying,
        more(live.p50_copying),
        live.p50_verifying,
        more(live.p50_verifying)
    );
    out
}

fn row(copied: &Copied) -> String {
    let rate = |seconds: f64| copied.rows as f64 / seconds.max(1e-3);
    let other = copied.other.as_ref().map_or_else(String::new, |other| {
        format!("{}: {:.2} s, {:.0} rows/s", other.name, other.seconds, rate(other.seconds))
    });
    let [before, switching, comparing] = copied.memory_mib;
    format!(
        "| {} to {} | {} | {:.0} | {:.2} | {other} | {:.0} | {before:.0}, {switching:.0}, {comparing:.0} |\n",
        copied.from,
        copied.to,
        copied.rows,
        rate(copied.copying_seconds),
        copied.whole_seconds,
        rate(copied.verifying_seconds),
    )
}
