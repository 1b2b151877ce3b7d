//! A small disk, which can be full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Large enough for what a run stores, and soon full.
const SIZE: &str = "size=192m,mode=777";

/// A file system in memory, gone with its value.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one.
    ///
    /// # Errors
    /// Why none can be mounted here: mostly that this user may not.
    pub fn mount() -> Result<Self> {
        let folder = truststream_conformance::scratch::folder()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder.path());
        let output = mount.output().context("mount")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(Disk { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Writes until nothing more fits.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        for size in [1 << 20, 1 << 12] {
            loop {
                match file.write_all(&vec![0; size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).context("the disk is not full")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: who still writes there is about to end.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
