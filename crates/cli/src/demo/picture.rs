//! Latency over time, drawn in the terminal.

use std::time::Duration;

use super::Sample;

const WIDTH: usize = 72;
const HEIGHT: usize = 8;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the slowest and the median request of each moment, on a logarithmic scale, with the flips
/// marked.
pub fn draw(samples: &[Sample], flips: &[Duration]) -> String {
    let Some(end) = samples.iter().map(|sample| sample.at).max() else { return String::new() };
    let column = |at: Duration| {
        let share = at.as_secs_f64() / end.as_secs_f64().max(f64::MIN_POSITIVE);
        ((share * (WIDTH - 1) as f64) as usize).min(WIDTH - 1)
    };
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); WIDTH];
    for sample in samples {
        columns[column(sample.at)].push(sample.took.as_secs_f64() * 1000.0);
    }
    let slowest: Vec<f64> = columns.iter().map(|times| times.iter().copied().fold(0.0, f64::max)).collect();
    let top = slowest.iter().copied().fold(1.0, f64::max);
    let bottom = 0.05_f64;
    let height = |ms: f64| {
        let share = (ms.max(bottom) / bottom).ln() / (top / bottom).ln();
        share * (HEIGHT * 8) as f64
    };
    let mut text = String::new();
    for row in (0..HEIGHT).rev() {
        let label = bottom * (top / bottom).powf((row + 1) as f64 / HEIGHT as f64);
        text.push_str(&format!("{label:>8.1} ms │"));
        for ms in &slowest {
            let filled = (height(*ms) as usize).saturating_sub(row * 8).min(8);
            text.push(BARS[if *ms == 0.0 { 0 } else { filled }]);
        }
        text.push('\n');
    }
    let mut marks = vec![' '; WIDTH];
    for flip in flips {
        marks[column(*flip)] = '▲';
    }
    text.push_str(&format!("            └{}\n", "─".repeat(WIDTH)));
    text.push_str(&format!("             {}\n", marks.iter().collect::<String>().trim_end()));
    text.push_str(&format!(
        "             slowest request of each moment over {:.0} s; ▲ marks a flip\n",
        end.as_secs_f64()
    ));
    text
}

/// The time below which a share of the requests stayed, in milliseconds.
pub fn percentile(samples: &[Sample], share: f64) -> f64 {
    let mut times: Vec<f64> = samples.iter().map(|sample| sample.took.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let index = (times.len() as f64 * share) as usize;
    times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_slow_moment_and_the_flips() {
        let sample = |at, took| Sample { at: Duration::from_millis(at), took: Duration::from_millis(took) };
        let mut samples: Vec<_> = (0..1000).map(|n| sample(n * 10, 1)).collect();
        samples.push(sample(5000, 90));
        let picture = draw(&samples, &[Duration::from_millis(5000)]);
        let lines: Vec<_> = picture.lines().collect();
        assert_eq!(lines[0].chars().filter(|c| *c == '█').count(), 1, "{picture}");
        assert!(lines.iter().any(|line| line.trim() == "▲"), "{picture}");
        assert!((percentile(&samples, 0.5) - 1.0).abs() < 0.01);
    }
}
