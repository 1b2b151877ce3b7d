//! Instructions and allocations a unit of work, counted by Valgrind: unlike times, they are the same
//! on a machine that others use too.
//!
//! This program does the work a few times and many times, each in a process of its own; what the
//! processes differ by is the work itself, without opening, filling and first use.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Units of work of the shorter and of the longer process.
const UNITS: [u64; 2] = [500, 2_500];

/// What hands out memory.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// What one unit of work takes.
#[derive(Clone, Copy)]
pub struct Unit {
    pub instructions: f64,
    pub allocations: f64,
}

/// Counts a unit of the work that this program does when it is given `arguments` and `--units N`.
pub fn a_unit(arguments: &[&str]) -> Result<Unit> {
    let [few, many] = UNITS;
    let (less, more) = (process(arguments, few)?, process(arguments, many)?);
    let share = |less: u64, more: u64| more.saturating_sub(less) as f64 / (many - few) as f64;
    Ok(Unit {
        instructions: share(less.instructions, more.instructions),
        allocations: share(less.allocations, more.allocations),
    })
}

/// What one process did.
struct Counted {
    instructions: u64,
    allocations: u64,
}

fn process(arguments: &[&str], units: u64) -> Result<Counted> {
    let folder = tempfile::tempdir()?;
    let profile = folder.path().join("profile");
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .args(["--units", &units.to_string()])
        .output()
        .context("valgrind can't be started")?;
    if !ran.status.success() {
        bail!("valgrind: {}", String::from_utf8_lossy(&ran.stderr));
    }
    read(&profile)
}

/// Sums of a profile: all instructions, and how often memory was asked for.
fn read(profile: &Path) -> Result<Counted> {
    let text = std::fs::read_to_string(profile)?;
    let mut counted = Counted { instructions: 0, allocations: 0 };
    let mut allocators = Vec::new();
    let mut allocates = false;
    for line in text.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            counted.instructions = total.trim().parse()?;
        } else if let Some((is_callee, function)) = function(line) {
            // A function is named where it first appears; from then on it has only its number.
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if ALLOCATORS.contains(&name) {
                allocators.push(number);
            }
            allocates = is_callee && allocators.contains(&number);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && allocates
        {
            let (calls, _) = calls.split_once(' ').context("a call has no place")?;
            counted.allocations += calls.parse::<u64>()?;
        }
    }
    ensure!(counted.instructions > 0, "the profile has no totals");
    Ok(counted)
}

/// The function that a line of a profile names, and whether it is one that is called.
fn function(line: &str) -> Option<(bool, &str)> {
    let called = line.strip_prefix("cfn=").map(|function| (true, function));
    called.or_else(|| line.strip_prefix("fn=").map(|function| (false, function)))
}
