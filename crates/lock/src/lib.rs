//! One process at a time: a lock on a file, in which its holder's number stands.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use truststream_kernel::{Error, ErrorKind, Result};

/// Held until it is dropped; the operating system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the file at `path`, which is made if it is missing and stays when the lock is given
    /// back: who removed it could remove it while another process takes it. `what` it stands for and the `hint`
    /// what to do are for whoever finds it taken.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_014`), naming the holder, where another process or this one has it;
    /// `Configuration` where the file can't be opened, locked or written.
    pub fn take(path: &Path, what: &str, hint: &'static str) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::configuration(format!("{} can't be used: {error}", path.display())).with_source(error)
        };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file, what).with_hint(hint)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that is being started has the open file too, for a moment. What can't
        // be unlocked here is when it is closed.
        let _ = self.file.unlock();
    }
}

fn taken(file: &mut File, what: &str) -> Error {
    let mut holder = String::new();
    // Who it is, is only told; that somebody has it is certain.
    let _ = file.read_to_string(&mut holder);
    let message = match holder.trim() {
        "" => format!("{what} is in use by another process"),
        holder => format!("{what} is in use by process {holder}"),
    };
    Error::new(ErrorKind::Unavailable, "BACKEND_014", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: &str = "stop that process";

    #[test]
    fn the_second_is_told_who_has_it_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, "the project", HINT).unwrap();
        let error = Lock::take(&path, "the project", HINT).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "BACKEND_014"));
        assert_eq!(error.message(), format!("the project is in use by process {}", std::process::id()));
        assert_eq!(error.hint(), Some(HINT));
        // As a child has it until it runs its own program.
        let inherited = first.file.try_clone().unwrap();
        drop(first);
        Lock::take(&path, "the project", HINT).unwrap();
        drop(inherited);
    }

    #[test]
    fn the_number_of_a_former_holder_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "a number that is longer than any process has").unwrap();
        let _held = Lock::take(&path, "the project", HINT).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), std::process::id().to_string());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("lock");
        let error = Lock::take(&path, "the project", HINT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(&path.display().to_string()), "{error}");
    }
}
