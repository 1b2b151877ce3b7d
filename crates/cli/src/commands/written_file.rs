//! A file that is there when all of it is written, and as it was before otherwise.

use std::path::{Path, PathBuf};

use tokio::fs::File;
use truststream_kernel::{Error, Result};

/// A file that is being written. What has no length of its own (a pipe, a device) is written directly.
pub struct WrittenFile {
    /// Where it will be, and where it is until then.
    place: Option<(PathBuf, PathBuf)>,
}

impl WrittenFile {
    /// Begins to write a file.
    ///
    /// # Errors
    /// `BACKEND_002` if it can't be written there.
    pub async fn create(path: &Path) -> Result<(WrittenFile, File)> {
        let there = tokio::fs::metadata(path).await.ok();
        if there.is_some_and(|there| !there.is_file()) {
            let file = File::options().write(true).open(path).await;
            return Ok((WrittenFile { place: None }, file.map_err(|error| unwritable(path, &error))?));
        }
        // What a link leads to is replaced, not the link.
        let whole = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
        let mut part = whole.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).await.map_err(|error| unwritable(path, &error))?;
        Ok((WrittenFile { place: Some((whole, part)) }, file))
    }

    /// Puts it in its place if it is whole, and takes it away if not.
    ///
    /// # Errors
    /// `BACKEND_002` if it can't be put there.
    pub async fn end(self, is_whole: bool) -> Result<()> {
        let Some((whole, part)) = self.place else { return Ok(()) };
        if is_whole {
            return tokio::fs::rename(&part, &whole).await.map_err(|error| unwritable(&whole, &error));
        }
        if let Err(error) = tokio::fs::remove_file(&part).await {
            tracing::warn!(%error, "{} can't be removed", part.display());
        }
        Ok(())
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::configuration(format!("{} can't be written: {error}", path.display()))
}
