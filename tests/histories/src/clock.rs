//! The time of day as a gateway sees it, which can be made to jump.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where Debian has libraries, by architecture.
const LIBRARIES: &str = "/usr/lib";

/// The time of day of one process, which `libfaketime` puts in place of the machine's. Steady clocks go
/// on as they are.
pub struct Clock {
    library: PathBuf,
    /// How far it is off, as the library reads it.
    offset: PathBuf,
}

impl Clock {
    /// The machine's own time, to be told in a file of this folder.
    pub fn of(folder: &Path) -> Result<Self> {
        let in_architecture = |path: PathBuf| path.join("faketime/libfaketime.so.1");
        let folders = fs::read_dir(LIBRARIES)?.flatten().map(|entry| in_architecture(entry.path()));
        let library = folders.into_iter().find(|path| path.is_file());
        let library = library.context("libfaketime is not installed; `cargo xtask setup` does it")?;
        let clock = Clock { library, offset: folder.join("offset") };
        clock.jump(0)?;
        Ok(clock)
    }

    /// Is so many seconds off from now on.
    pub fn jump(&self, seconds: i64) -> Result<()> {
        // Whoever looks at it must not see half of it.
        let next = self.offset.with_extension("next");
        fs::write(&next, format!("{seconds:+}"))?;
        Ok(fs::rename(&next, &self.offset)?)
    }

    /// What the process has to be started with.
    pub fn environment(&self) -> [(&'static str, &Path); 4] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.offset),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
        ]
    }
}
