//! Where a project is, and what an embedded one needs that nobody configured.

use std::io::{ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};

use truststream_kernel::{Error, Result};
use truststream_runtime::STATE_FOLDER;
use truststream_runtime::config::{Config, LoadOptions};

/// The configuration at a path: a file, or a project folder that may hold one.
pub(crate) fn configuration(path: &Path) -> Result<Config> {
    if path.is_dir() {
        return Config::load(path, &LoadOptions::default());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Config::load(folder, &LoadOptions { file: Some(path.to_owned()), ..LoadOptions::default() })
}

/// The embedded default in a folder. Tokens are signed with a secret of its own, made at the first
/// start and kept with the project's state.
pub(crate) fn embedded(folder: &Path) -> Result<Config> {
    let state = folder.join(STATE_FOLDER);
    std::fs::create_dir_all(&state).map_err(|error| unusable(&state, error))?;
    Config::from_text(folder, &auth(secret(&state.join("jwt_secret"))?))
}

/// All services in memory. Tokens are signed with a secret that is gone with them.
pub(crate) fn in_memory() -> Result<Config> {
    let backend = "[backend.main]\ndatabase.provider = \"memory\"\nstorage.provider = \"memory\"\n";
    Config::from_text(Path::new(""), &format!("{backend}{}", auth(new_secret())))
}

fn auth(secret: String) -> String {
    format!("[auth]\njwt_secret = {}\n", toml::Value::String(secret))
}

fn new_secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

fn secret(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(secret) => return Ok(secret.trim().to_owned()),
        Err(error) if error.kind() != IoKind::NotFound => return Err(unusable(path, error)),
        Err(_) => {}
    }
    let secret = new_secret();
    // Under its name only when it is whole: a start that is interrupted leaves no half of a secret.
    let unfinished = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    private_file(&unfinished)
        .and_then(|mut file| file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|error| unusable(path, error))?;
    Ok(secret)
}

fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::configuration(format!("{} can't be used: {error}", path.display())).with_source(error)
}
