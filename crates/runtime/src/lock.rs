//! One gateway to a project folder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use truststream_kernel::{Error, ErrorKind, Result};

/// Held as long as a project is open; the operating system frees it when the process ends, however
/// it ends.
#[derive(Debug)]
pub(crate) struct ProjectLock {
    file: File,
}

impl ProjectLock {
    /// Takes the lock of the project whose state is in `folder`.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_014`), naming the holder, when another process has it.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let failed = |error: std::io::Error| {
            Error::configuration(format!("{} can't be used: {error}", path.display())).with_source(error)
        };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        if file.try_lock().is_err() {
            let mut holder = String::new();
            // Who it is, is only told; that somebody has it is certain.
            let _ = file.read_to_string(&mut holder);
            let message =
                format!("the project in {} is in use by process {}", folder.display(), holder.trim());
            return Err(Error::new(ErrorKind::Unavailable, "BACKEND_014", message)
                .with_hint("stop that process, or use another folder with --project"));
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(ProjectLock { file })
    }
}

impl Drop for ProjectLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that is being started has the open file too, for a moment. What can't
        // be unlocked here is when it is closed.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let first = ProjectLock::take(folder.path()).unwrap();
        let error = ProjectLock::take(folder.path()).unwrap_err();
        assert!(error.message().contains(&std::process::id().to_string()), "{error}");
        // As a child has it until it runs its own program.
        let inherited = first.file.try_clone().unwrap();
        drop(first);
        ProjectLock::take(folder.path()).unwrap();
        drop(inherited);
    }
}
