//! Folders that go with the process that made them, however it ends.
//!
//! A folder that is dropped is gone, but not one in a `static`, nor any of a process that is killed.
//! So all of them lie in one folder of the process, and a small shell removes that once the process
//! is gone: it waits for the end of a pipe, of which the process has the other end.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Servers that end with the process take a moment to let go of their files.
const REMOVE: &str = r#"
trap '' INT TERM HUP
cat
for attempt in 1 2 3 4 5; do
    rm -rf "$1" && [ ! -e "$1" ] && exit
    sleep 1
done
"#;

/// The folder of this process, and the pipe whose end tells that the process is gone.
struct Root {
    path: PathBuf,
    _alive: ChildStdin,
}

/// A new folder, gone with its value, at the latest with the process.
///
/// # Errors
/// When it can't be made.
pub fn folder() -> io::Result<TempDir> {
    tempfile::tempdir_in(root()?)
}

/// A new folder, gone with the process: for what outlives every value that could hold it.
///
/// # Errors
/// When it can't be made.
pub fn folder_of_the_run() -> io::Result<PathBuf> {
    folder().map(TempDir::keep)
}

fn root() -> io::Result<&'static Path> {
    static ROOT: OnceLock<Result<Root, String>> = OnceLock::new();
    match ROOT.get_or_init(|| Root::new().map_err(|error| error.to_string())) {
        Ok(root) => Ok(&root.path),
        Err(error) => Err(io::Error::other(error.clone())),
    }
}

impl Root {
    fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("truststream-test-").tempdir()?;
        // Servers run as another user.
        Command::new("chmod").arg("755").arg(folder.path()).status()?;
        let mut shell = Command::new("sh")
            .args(["-c", REMOVE, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends all of a group must leave somebody to clean up.
            .process_group(0)
            .spawn()?;
        let alive = shell.stdin.take().ok_or_else(|| io::Error::other("a shell without input"))?;
        Ok(Root { path: folder.keep(), _alive: alive })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_nobody_removed_is_gone_once_the_pipe_is_closed() {
        let root = Root::new().unwrap();
        let path = root.path.clone();
        std::fs::write(path.join("data"), "left behind").unwrap();
        drop(root);
        let began = Instant::now();
        while path.exists() {
            assert!(began.elapsed() < Duration::from_secs(120), "{} is still there", path.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_folder_is_gone_with_its_value() {
        let folder = folder().unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }
}
