//! Work that is done side by side, and what came of it, printed piece by piece.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::{Line, target};

/// How much of what a failed job printed is shown once more at the end, in lines.
const TAIL: usize = 60;

/// Some programs, run one after the other.
pub struct Job {
    /// The part of the tests that it belongs to.
    pub part: String,
    /// What of that part it is; empty where it is all of it.
    pub name: String,
    /// How long it takes, about; the longest are begun first.
    pub seconds: u64,
    /// All of them are run, also when one fails.
    pub lines: Vec<Line>,
}

/// What came of a job.
pub struct Ended {
    pub part: String,
    pub name: String,
    pub took: Duration,
    /// Why it failed.
    pub failure: Option<String>,
    /// Where what it printed is, if it is not shown already.
    pub log: Option<PathBuf>,
}

impl Ended {
    fn title(&self) -> String {
        format!("{} {}", self.part, self.name).trim_end().to_owned()
    }
}

/// Runs the jobs that have to come one by one, and beside them the others, so many at a time. What each
/// printed is shown when it ends.
///
/// `temporary` is where they keep what is temporary.
pub fn run(
    at_a_time: usize,
    mut jobs: Vec<Job>,
    one_by_one: Vec<Job>,
    temporary: &Path,
) -> Result<Vec<Ended>> {
    let logs = target().join("output");
    std::fs::create_dir_all(&logs)?;
    jobs.sort_by_key(|job| job.seconds);
    let waiting = Mutex::new(jobs);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        let (logs, next) = (&logs, &next);
        for _ in 0..at_a_time {
            let sender = sender.clone();
            scope.spawn(move || {
                while let Some(job) = next() {
                    through(job, logs, temporary, &sender);
                }
            });
        }
        scope.spawn(move || one_by_one.into_iter().for_each(|job| through(job, logs, temporary, &sender)));
        let mut all = Vec::new();
        for ended in receiver {
            show(&ended);
            all.push(ended);
        }
        Ok(all)
    })
}

fn through(job: Job, logs: &Path, temporary: &Path, sender: &Sender<Ended>) {
    let began = Instant::now();
    let Job { part, name, lines, .. } = job;
    let log = logs.join(format!("{part} {name}").trim_end().replace(['/', ' '], "-") + ".log");
    let failure = attempt(&lines, &log, temporary).err().map(|error| format!("{error:#}"));
    // Nobody listens any more when all is given up.
    let _ = sender.send(Ended { part, name, took: began.elapsed(), failure, log: Some(log) });
}

fn attempt(lines: &[Line], log: &Path, temporary: &Path) -> Result<()> {
    let mut file = File::create(log).with_context(|| log.display().to_string())?;
    let mut failed = Vec::new();
    for line in lines {
        writeln!(file, "$ {line}")?;
        let mut command = line.command()?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file.try_clone()?);
        let status = command.env("TMPDIR", temporary).status();
        let status = status.with_context(|| format!("{line} can't be started"))?;
        if !status.success() {
            failed.push(format!("{line} ({status})"));
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

fn show(ended: &Ended) {
    let verdict = if ended.failure.is_some() { "FAILED" } else { "ok" };
    println!("\n== {}: {verdict}, {:.0} s", ended.title(), ended.took.as_secs_f64());
    print!("{}", ended.log.as_deref().map(printed).unwrap_or_default());
}

fn printed(log: &Path) -> String {
    std::fs::read(log).map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into())
}

/// Shows what failed, and how long each part took; fails when one of them did.
pub fn conclude(all: &[Ended], began: Instant) -> Result<()> {
    let failed: Vec<_> = all.iter().filter(|ended| ended.failure.is_some()).collect();
    for ended in &failed {
        println!("\n== {} FAILED: {}", ended.title(), ended.failure.as_deref().unwrap_or_default());
        let Some(log) = &ended.log else { continue };
        let text = printed(log);
        let lines: Vec<_> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        println!("{}\n   all of it: {}", tail.join("\n"), log.display());
    }
    let mut parts: BTreeMap<&str, (Duration, bool)> = BTreeMap::new();
    for ended in all {
        let (took, well) = parts.entry(&ended.part).or_insert((Duration::ZERO, true));
        *took += ended.took;
        *well &= ended.failure.is_none();
    }
    println!("\npart        seconds");
    for (part, (took, well)) in parts {
        println!("{part:<12}{:>7.0}  {}", took.as_secs_f64(), if well { "ok" } else { "FAILED" });
    }
    println!("in all      {:>7.0}  (parts run side by side)", began.elapsed().as_secs_f64());
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.iter().map(|ended| ended.title()).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, script: &str) -> Job {
        let line = Line::new("sh", &["-c", script]);
        Job { part: "try".into(), name: name.into(), seconds: 1, lines: vec![line.clone(), line] }
    }

    #[test]
    fn a_job_that_fails_hides_no_other() {
        let jobs = vec![job("bad", "echo told; exit 3"), job("good", "echo $TMPDIR")];
        let all = run(2, jobs, vec![job("alone", "echo here >&2")], Path::new("/somewhere")).unwrap();
        let of = |name: &str| all.iter().find(|ended| ended.name == name).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(printed(of("good").log.as_ref().unwrap()).matches("\n/somewhere\n").count(), 2);
        assert_eq!(printed(of("alone").log.as_ref().unwrap()).matches("\nhere\n").count(), 2);
        assert!(of("good").failure.is_none() && of("alone").failure.is_none());
        // All of its programs are run.
        assert_eq!(of("bad").failure.as_ref().unwrap().matches("exit status: 3").count(), 2);
        let error = conclude(&all, Instant::now()).unwrap_err();
        assert_eq!(error.to_string(), "failed: try bad");
    }
}
