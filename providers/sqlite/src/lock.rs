//! One process to a database file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use truststream_kernel::{Error, ErrorKind, Result};

/// Held as long as the database is open; the operating system frees it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock beside a database file.
    ///
    /// # Errors
    /// `BACKEND_014` if another process holds it.
    pub(crate) fn take(database: &Path) -> Result<Self> {
        let path = beside(database);
        let failed = |error: std::io::Error| {
            Error::configuration(format!("can't open {}", path.display())).with_source(error)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        if file.try_lock().is_err() {
            let mut holder = String::new();
            // The text is only for the message.
            let _ = file.read_to_string(&mut holder);
            return Err(Error::new(
                ErrorKind::Unavailable,
                "BACKEND_014",
                format!("{} is in use by another process ({})", database.display(), holder.trim()),
            ));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        file.set_len(0).map_err(failed)?;
        write!(file, "pid {}, since {now}", std::process::id()).map_err(failed)?;
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

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
