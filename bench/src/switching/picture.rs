//! Latency of clients through a switch, drawn.

use std::fmt::Write as _;

use super::live::Picture;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
/// Room for what is written beside the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 44.0;
const TOP: f64 = 36.0;
/// What is drawn, in milliseconds; logarithmic.
const LEAST: f64 = 0.1;
const MOST: f64 = 1_000.0;
/// Most writes that are drawn; the slowest always are.
const DOTS: usize = 4_000;

/// An SVG of the writes around a switch; empty if there are none.
pub fn draw(picture: &Picture) -> String {
    let (Some(first), Some(last)) = (picture.phases.first(), picture.phases.last()) else {
        return String::new();
    };
    let (from, to) = (first.1 - 2e3, last.1 + 2e3);
    let x = |at: f64| LEFT + (at - from) / (to - from) * (WIDTH - LEFT - 12.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    phases(&mut svg, picture, &x);
    axes(&mut svg, from, to, &x);
    dots(&mut svg, picture, &x);
    svg.push_str("</svg>\n");
    svg
}

fn y(ms: f64) -> f64 {
    let share = (ms.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10();
    HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
}

/// Stripes of the phases, their names above; those too short for a name have none.
fn phases(svg: &mut String, picture: &Picture, x: &impl Fn(f64) -> f64) {
    let ends = picture.phases.iter().skip(1).map(|(_, at)| *at).chain([f64::INFINITY]);
    let mut free = LEFT;
    for (index, ((name, at), end)) in picture.phases.iter().zip(ends).enumerate() {
        let (left, right) = (x(*at), x(end).min(WIDTH - 12.0));
        let fill = if index % 2 == 0 { "#eef2f7" } else { "#f8fafc" };
        let (width, height) = ((right - left).max(0.5), HEIGHT - BOTTOM - TOP);
        line(
            svg,
            format_args!(
                "<rect x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{fill}\"/>"
            ),
        );
        let text = name.replace('_', " ");
        if left >= free && right - left > text.len() as f64 * 3.0 {
            line(
                svg,
                format_args!("<text x=\"{left:.1}\" y=\"{}\" fill=\"#475569\">{text}</text>", TOP - 8.0),
            );
            free = left + text.len() as f64 * 6.5;
        }
    }
}

fn axes(svg: &mut String, from: f64, to: f64, x: &impl Fn(f64) -> f64) {
    for ms in [0.1, 1.0, 10.0, 100.0, 1_000.0] {
        let (at, right) = (y(ms), WIDTH - 12.0);
        line(
            svg,
            format_args!(
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#cbd5e1\"/>"
            ),
        );
        let (left, down) = (LEFT - 6.0, at + 4.0);
        line(
            svg,
            format_args!(
                "<text x=\"{left}\" y=\"{down:.1}\" text-anchor=\"end\" fill=\"#475569\">{ms} ms</text>"
            ),
        );
    }
    let seconds = (to - from) / 1e3;
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0]
        .into_iter()
        .find(|step| seconds / step <= 12.0)
        .unwrap_or(600.0);
    let mut at = 0.0;
    while at * 1e3 + 2e3 <= to - from {
        let (left, down) = (x(from + 2e3 + at * 1e3), HEIGHT - BOTTOM + 16.0);
        line(
            svg,
            format_args!(
                "<text x=\"{left:.1}\" y=\"{down}\" text-anchor=\"middle\" fill=\"#475569\">{at} s</text>"
            ),
        );
        at += step;
    }
    let (middle, down) = (WIDTH / 2.0, HEIGHT - 10.0);
    line(
        svg,
        format_args!(
            "<text x=\"{middle}\" y=\"{down}\" text-anchor=\"middle\" fill=\"#475569\">each dot is a write as its client saw it</text>"
        ),
    );
}

fn dots(svg: &mut String, picture: &Picture, x: &impl Fn(f64) -> f64) {
    let mut slowest: Vec<f64> = picture.writes.iter().map(|write| write.took).collect();
    slowest.sort_by(|one, next| next.total_cmp(one));
    let slow = slowest.get(DOTS / 4).copied().unwrap_or(0.0);
    let one_in = picture.writes.len() / DOTS + 1;
    let drawn =
        picture.writes.iter().enumerate().filter(|(index, write)| index % one_in == 0 || write.took >= slow);
    for (_, write) in drawn {
        let fill = if write.failed.is_some() { "#dc2626" } else { "#2563eb" };
        let (left, down) = (x(write.at), y(write.took));
        line(
            svg,
            format_args!(
                "<circle cx=\"{left:.1}\" cy=\"{down:.1}\" r=\"1.3\" fill=\"{fill}\" fill-opacity=\"0.5\"/>"
            ),
        );
    }
}

fn line(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}

#[cfg(test)]
mod tests {
    use super::super::load::Write;
    use super::*;

    #[test]
    fn every_write_is_a_dot_and_failures_are_red() {
        let write =
            |at: f64, failed: Option<&str>| Write { at, took: 2.0, failed: failed.map(str::to_owned) };
        let phases =
            [("copying", 10_000.0), ("ready", 12_000.0)].map(|(name, at)| (name.to_owned(), at)).to_vec();
        let picture = Picture { writes: vec![write(10_500.0, None), write(11_000.0, Some("503"))], phases };
        let svg = draw(&picture);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("#dc2626").count(), 1);
        assert!(svg.contains(">copying<") && svg.ends_with("</svg>\n"));
        assert_eq!(draw(&Picture::default()), "");
    }
}
