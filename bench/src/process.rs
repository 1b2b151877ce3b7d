//! A server process: started, watched through `/proc`, stopped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// What Linux counts CPU time in for user space, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pid: u32,
}

impl Server {
    /// Starts `command`, its output going to `log`. With `announces`, the first line of standard output is
    /// waited for and returned.
    pub async fn start(mut command: Command, log: &Path, announces: bool) -> Result<(Self, Option<String>)> {
        let file = File::create(log).context("creating the log file")?;
        command.kill_on_drop(true).stdin(Stdio::null()).stderr(file.try_clone()?);
        command.stdout(if announces { Stdio::piped() } else { Stdio::from(file) });
        let mut child =
            command.spawn().with_context(|| format!("starting {:?}", command.as_std().get_program()))?;
        let pid = child.id().context("the process ended at once")?;
        let Some(stdout) = child.stdout.take() else { return Ok((Self { child, pid }, None)) };

        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let line = line.context("no ready line within 30 s")??.context("ended before its ready line")?;
        // Goes on reading, so that the server never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((Self { child, pid }, Some(line)))
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Asks it to end; kills it after ten seconds.
    pub async fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await;
        asked.context("running kill")?;
        if tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// Ends it without a warning.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("killing it")
    }

    /// Bytes it has resident now.
    pub fn resident(&self) -> u64 {
        status_of(self.pid, "VmRSS:")
    }

    /// What of it is files: the program itself, above all, which the system may drop at any time.
    pub fn of_file(&self) -> u64 {
        status_of(self.pid, "RssFile:")
    }

    /// The most it had resident since it started or [`Server::forget_peak`].
    pub fn peak(&self) -> u64 {
        status_of(self.pid, "VmHWM:")
    }

    /// From now on the peak is counted anew.
    pub fn forget_peak(&self) -> Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").context("resetting the peak of memory")
    }

    /// The process and all its descendants, as they are now.
    pub fn processes(&self) -> Vec<u32> {
        tree(self.pid)
    }
}

/// What `processes` use now, together.
pub fn usage(processes: &[u32]) -> Usage {
    processes.iter().map(|pid| usage_of(*pid)).fold(Usage::default(), |sum, one| Usage {
        resident: sum.resident + one.resident,
        cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
    })
}

/// Memory held and CPU time spent; zero where there is no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Resident bytes.
    pub resident: u64,
    /// User and system time since the process started.
    pub cpu_seconds: f64,
}

/// What this process uses now.
pub fn own_usage() -> Usage {
    usage_of(std::process::id())
}

/// CPU time that the whole machine spent so far on anything but idling and waiting.
pub fn machine_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = first.split_whitespace().skip(1).take(8).filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (fields.iter().sum::<f64>() - idle) / TICKS_PER_SECOND
}

/// A port that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

fn usage_of(pid: u32) -> Usage {
    // Counted from the end of "(name)", which may hold blanks: utime and stime are fields 14 and 15.
    let ticks: f64 = stat_fields(pid).iter().skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum();
    Usage { resident: status_of(pid, "VmRSS:"), cpu_seconds: ticks / TICKS_PER_SECOND }
}

/// A size in `/proc/PID/status`, in bytes.
fn status_of(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The process and all its descendants.
fn tree(root: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> =
        pids.filter_map(|pid| Some((pid, stat_fields(pid).get(1)?.parse().ok()?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// The fields of `/proc/PID/stat` after the name: state, parent, and on.
fn stat_fields(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after_name.split_whitespace().map(str::to_owned).collect()
}
