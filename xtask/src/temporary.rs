//! Where the tests keep what is temporary: in memory, where databases need not wait for a disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";
/// What the databases of all tests take at most, in bytes, and what the tests themselves do.
const NEEDED: u64 = 6 << 30;

/// A folder, gone with its value.
pub struct Temporary {
    path: PathBuf,
    is_own: bool,
}

impl Temporary {
    /// In memory where there is room enough, else where temporary files are.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> io::Result<Temporary> {
        let enough = |free: Option<u64>| free.is_some_and(|free| free >= NEEDED);
        if !enough(free(MEMORY)) || !enough(available()) {
            return Ok(Temporary { path: std::env::temp_dir(), is_own: false });
        }
        let path = Path::new(MEMORY).join(format!("truststream-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Temporary { path, is_own: true })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_own {
            // What a server that is going down still writes stays until the machine does.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Bytes of memory that nobody uses: what may lie in memory is told to be free there however much is left.
fn available() -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024)
}

/// Bytes that are free there.
fn free(folder: &str) -> Option<u64> {
    let output = Command::new("df").args(["--output=avail", "-B1", folder]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.lines().nth(1)?.trim().parse().ok()
}
