//! Writing migrations: their names and where they go.

use std::path::{Path, PathBuf};

use truststream_kernel::Error;
use truststream_runtime::ProjectFiles;

use crate::failure::Done;

/// Writes a new migration, named by the time in UTC.
pub fn write(project: &Path, name: &str, sql: &str) -> Done<PathBuf> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || !name.chars().all(plain) {
        let error = Error::configuration(format!("\"{name}\" can't be the name of a migration"));
        return Err(error.with_hint("use letters, digits, _ and -").into());
    }
    let folder = ProjectFiles::folder(project);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}_{name}.sql", jiff::Timestamp::now().strftime("%Y%m%d%H%M%S")));
    let mut file = std::fs::File::create_new(&path)?;
    std::io::Write::write_all(&mut file, sql.as_bytes())?;
    Ok(path)
}
