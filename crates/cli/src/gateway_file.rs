//! Where a running gateway says how to reach it: `.truststream/gateway.json`.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, Result};
use truststream_runtime::STATE_FOLDER;

use crate::failure::{Done, Failure};

/// How to reach a gateway's admin API. The file is readable by its owner only.
#[derive(Debug, Serialize, Deserialize)]
pub struct GatewayFile {
    /// URL of the gateway.
    pub url: String,
    /// Admin token of this run.
    pub admin_token: String,
    /// Process.
    pub pid: u32,
}

/// The file while the gateway runs; removed when dropped.
pub struct Written(PathBuf);

fn path(project: &Path) -> PathBuf {
    project.join(STATE_FOLDER).join("gateway.json")
}

impl GatewayFile {
    /// Writes the file for the time the gateway runs.
    pub fn write(&self, project: &Path) -> Result<Written> {
        let path = path(project);
        let failed = |error: std::io::Error| {
            Error::configuration(format!("{} can't be written: {error}", path.display())).with_source(error)
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        let partial = path.with_extension("json.partial");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&partial).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        std::fs::rename(&partial, &path).map_err(failed)?;
        Ok(Written(path))
    }

    /// Reads the file of a project whose gateway runs.
    pub fn read(project: &Path) -> Done<Self> {
        let text = std::fs::read_to_string(path(project)).map_err(|_| nothing_runs(project))?;
        serde_json::from_str(&text).map_err(|_| nothing_runs(project))
    }
}

/// No gateway runs for this project.
pub fn nothing_runs(project: &Path) -> Failure {
    Failure::nothing_runs(
        format!("no gateway runs for the project in {}", project.display()),
        "start one with `truststream dev` (or `truststream start`), or name its folder with --project",
    )
}

impl Drop for Written {
    fn drop(&mut self) {
        // A file that stays behind is overwritten by the next run.
        let _ = std::fs::remove_file(&self.0);
    }
}
