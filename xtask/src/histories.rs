//! Switches under faults: which are run for every change, and which every night.

use crate::programs::{binary, built};
use crate::shell::Line;

/// Engines that histories are run between, from and to, with how many seeds of ten.
pub const PAIRS: &[(&str, &str, u64)] = &[
    ("sqlite", "postgres", 4),
    ("postgres", "sqlite", 3),
    ("postgres", "postgres", 1),
    ("sqlite", "sqlite", 2),
];

/// Engines that are run between every night only: SecantusDB takes minutes for some seeds.
pub const NIGHTLY: &[(&str, &str, u64)] = &[("sqlite", "mongodb", 1)];

/// Fleets that are run for every change, with how many seeds beside the ten of one gateway: processes
/// that go wrong.
pub const FLEETS: &[(&[&str], u64)] = &[(&["--from", "postgres", "--to", "postgres"], 5)];

/// Those of every night only.
pub const NIGHTLY_FLEETS: &[(&[&str], u64)] = &[
    (&["--from", "postgres", "--to", "postgres", "--networks"], 2),
    (&["--from", "postgres", "--to", "postgres", "--share", "file"], 2),
    (&["--from", "postgres", "--to", "postgres", "--failover"], 2),
    (&["--from", "postgres", "--to", "mongodb"], 1),
    (&["--from", "mongodb", "--to", "postgres", "--networks"], 1),
];

/// Each known mistake that shows in nearly every run, and from which engine to which one. An end that is read
/// before the drain, and chunks that are kept whoever sent them, need what rarely happens at the same moment:
/// the simulation finds them, with the unit tests.
const MUTATIONS: &[(&str, &str, &str)] = &[
    ("drop-change", "sqlite", "postgres"),
    ("apply-twice", "sqlite", "postgres"),
    ("late-reverse", "sqlite", "postgres"),
];

/// Steps at which a gateway ends for every change; nightly it is all of them.
pub const STEPS: &[&str] = &["captured", "batch", "identities", "committed", "caughtup/2", "released"];

fn line(arguments: &[&str]) -> Line {
    Line::new(built("truststream-histories"), arguments)
}

/// Switches under faults between pairs of engines: `times` as many as there are for every change, by
/// the seeds from `first` on.
pub fn pairs(pairs: &[(&str, &str, u64)], first: u64, times: u64) -> Vec<Line> {
    let mut seed = first;
    let one = |(from, to, seeds): &(&str, &str, u64)| {
        let seeds = seeds * times;
        let (begin, count) = (seed.to_string(), seeds.to_string());
        seed += seeds;
        line(&["--seed", &begin, "--seeds", &count, "--from", from, "--to", to])
    };
    pairs.iter().map(one).collect()
}

/// Switches of several gateways, of which one, or its network, goes wrong: `times` as many as there are
/// for every change.
pub fn fleets(kinds: &[(&[&str], u64)], first: u64, times: u64) -> Vec<Line> {
    let one = |(kind, seeds): &(&[&str], u64)| {
        let (begin, count) = (first.to_string(), (seeds * times).to_string());
        let seeds = ["--gateways", "2", "--seed", &begin, "--seeds", &count];
        line(kind).and(&seeds).and(&["--ballast", "2000", "--rate", "100"])
    };
    kinds.iter().map(one).collect()
}

/// Switches that go part by part, of one gateway and of several, under the same faults.
pub fn gradual(first: u64, times: u64) -> Vec<Line> {
    let (begin, count) = (first.to_string(), (2 * times).to_string());
    let one = line(&["--strategy", "gradual", "--ballast", "2000", "--seed", &begin, "--seeds", &count]);
    let several = ["--gateways", "2", "--from", "postgres", "--to", "postgres", "--rate", "100"];
    vec![one.clone(), one.and(&several)]
}

/// Gateways that end at these steps, or at every one if none is named.
pub fn steps(names: &[&str]) -> Line {
    line(&["--ballast", "2000", "--steps"]).and(names)
}

/// Gateways that make a known mistake, which the checker must catch.
pub fn mutations() -> Vec<Line> {
    let one = |(mutation, from, to): &(&str, &str, &str)| {
        let arguments = ["--mutation", mutation, "--from", from, "--to", to];
        // Many writes at a time: some mistakes are only seen in those that are under way at the flip.
        line(&arguments).and(&["--seeds", "12", "--clients", "24", "--rate", "1500"])
    };
    MUTATIONS.iter().map(one).collect()
}

/// Who leads stands still in the moment before it empties the target or sends a chunk, and goes on when another
/// one has made the switch: nothing comes of that. That something would, were chunks kept whoever sent them,
/// shows in the simulation, where what was sent arrives later.
pub fn held_up() -> Vec<Line> {
    let between =
        ["--gateways", "2", "--from", "postgres", "--to", "postgres", "--seeds", "2", "--ballast", "2000"];
    ["emptying", "sending"].map(|step| line(&["--stop-at", step]).and(&between)).to_vec()
}

/// A switch there and back over 100,000 rows under load.
pub fn demo() -> Line {
    Line::new(binary(), &["demo", "--json"])
}
