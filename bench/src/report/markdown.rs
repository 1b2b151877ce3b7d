//! The report as markdown tables.

use super::{Measured, Report};
use crate::http::{Sample, Scenario};
use crate::peer::Engine;
use crate::stats::{median, range};

const MIB: f64 = 1_048_576.0;
const NONE: &str = "–";

impl Report {
    /// Where it ran, a table for each scenario, memory and starts, the ratios, and who is missing.
    pub fn markdown(&self) -> String {
        let mut blocks = vec![self.heading()];
        blocks.extend(Scenario::ALL.into_iter().map(|scenario| self.scenario(scenario)));
        blocks.push(self.start_and_memory());
        blocks.extend(Engine::ALL.into_iter().filter_map(|engine| self.ratios(engine)));
        let failures = self.failed.iter().map(|f| format!("**{} was not measured:** {}", f.name, f.reason));
        blocks.extend(failures);
        blocks.push(self.peers());
        blocks.join("\n\n") + "\n"
    }

    fn heading(&self) -> String {
        let machine = &self.machine;
        let all = || self.peers.iter().flat_map(|peer| peer.samples.values().flatten());
        let errors: u64 = all().map(|sample| sample.errors).sum();
        let first = all().find_map(|sample| sample.first_error.as_deref());
        format!(
            "{date} · {processor}, {cores} cores, {memory:.0} GiB, {system} · `{command}`\n\n{rows} rows, \
             {connections} connections, {rounds} rounds of {seconds} s after {warm_up} s of warm-up, interleaved; \
             medians of the rounds. Failed requests: {errors}{first}. Everything else on the machine used \
             {other} cores at the median.",
            date = self.date,
            processor = machine.processor,
            cores = machine.cores,
            memory = machine.memory_gib,
            system = machine.system,
            command = self.command,
            rows = self.rows,
            connections = self.connections,
            rounds = self.rounds,
            seconds = self.seconds,
            warm_up = self.warm_up,
            first = first.map_or(String::new(), |error| format!(" (the first: {error})")),
            other = number(median(all().map(|sample| sample.other_cores)), 2),
        )
    }

    fn scenario(&self, scenario: Scenario) -> String {
        let mut lines = vec![
            format!("**{}**\n", scenario.title()),
            "| | requests/s | least – most | p50 ms | p99 ms | server CPU µs/request | client cores | reply bytes |"
                .to_owned(),
            "|---|---:|---:|---:|---:|---:|---:|---:|".to_owned(),
        ];
        for peer in &self.peers {
            let of = |value: fn(&Sample) -> f64| median(peer.of(scenario).map(value));
            let spread = range(peer.of(scenario).map(|s| s.per_second));
            lines.push(format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                peer.name,
                number(of(|s| s.per_second), 0),
                spread.map_or(NONE.to_owned(), |(least, most)| format!("{least:.0} – {most:.0}")),
                number(of(|s| s.p50_ms), 2),
                number(of(|s| s.p99_ms), 2),
                number(of(|s| s.server_cpu_us), 0),
                number(of(|s| s.client_cores), 2),
                number(of(|s| s.reply_bytes as f64), 0),
            ));
        }
        lines.join("\n")
    }

    fn start_and_memory(&self) -> String {
        let mut lines = vec![
            "**Start to first good reply on the loaded data (warm disk cache); resident memory**\n"
                .to_owned(),
            "| | start ms | least – most | idle MiB | under load MiB (peak) |".to_owned(),
            "|---|---:|---:|---:|---:|".to_owned(),
        ];
        for peer in &self.peers {
            let starts = || peer.start_ms.iter().copied();
            lines.push(format!(
                "| {} | {} | {} | {:.0} | {} |",
                peer.name,
                number(median(starts()), 0),
                range(starts()).map_or(NONE.to_owned(), |(least, most)| format!("{least:.0} – {most:.0}")),
                peer.idle_resident as f64 / MIB,
                number(peer.peak_resident().map(|bytes| bytes as f64 / MIB), 0),
            ));
        }
        lines.join("\n")
    }

    /// The first peer on an engine to each of the others on it; nothing if it is alone.
    fn ratios(&self, engine: Engine) -> Option<String> {
        let on: Vec<&Measured> = self.peers.iter().filter(|peer| peer.engine == engine).collect();
        let (ours, others) = on.split_first().filter(|(_, others)| !others.is_empty())?;
        let mut header = format!("| {} to: |", ours.name);
        let mut rule = "|---|".to_owned();
        for other in others {
            header += &format!(" {0}: throughput | {0}: p99 | {0}: CPU/request |", other.name);
            rule += "---:|---:|---:|";
        }
        let mut lines = vec!["**Ratios (median of the rounds' own ratios)**\n".to_owned(), header, rule];
        for scenario in Scenario::ALL {
            let mut line = format!("| {} |", scenario.key().replace('_', " "));
            for other in others {
                let of = |value: fn(&Sample) -> f64| {
                    let pairs = ours.of(scenario).zip(other.of(scenario));
                    number(median(pairs.map(|(a, b)| value(a) / value(b)).filter(|r| r.is_finite())), 2)
                };
                let (speed, p99, cpu) = (of(|s| s.per_second), of(|s| s.p99_ms), of(|s| s.server_cpu_us));
                line += &format!(" {speed} × | {p99} × | {cpu} × |");
            }
            lines.push(line);
        }
        Some(lines.join("\n"))
    }

    fn peers(&self) -> String {
        let line = |peer: &Measured| format!("- {} ({}): {}.", peer.name, peer.version, peer.settings);
        self.peers.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Measured {
    fn of(&self, scenario: Scenario) -> impl Iterator<Item = &Sample> {
        self.samples.get(scenario.key()).into_iter().flatten()
    }

    fn peak_resident(&self) -> Option<u64> {
        self.samples.values().flatten().map(|sample| sample.peak_resident).max()
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or(NONE.to_owned(), |value| format!("{value:.decimals$}"))
}
