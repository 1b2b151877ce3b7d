//! Where a database is: in a file, or in the memory of this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags};
use truststream_kernel::Result;
use truststream_lock::Lock;

use crate::error::convert;

/// Where a database is. Every connection to one place sees one database.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// Memory: SQLite's VFS `memdb` keeps a database under this name as long as a connection to it
    /// is open, and locks it as it would a file. A shared cache would lock by table instead, and
    /// let readers fail at once where a file makes them wait.
    Memory(Arc<str>),
}

impl Place {
    /// A database in memory that nobody else has.
    pub(crate) fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Names that begin with a slash are shared by the connections of a process.
        Place::Memory(format!("/truststream-{}", NEXT.fetch_add(1, Ordering::Relaxed)).into())
    }

    /// Keeps other processes from the file by a lock beside it. What is in memory they can't reach.
    ///
    /// # Errors
    /// `BACKEND_014` if another process has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>> {
        let Place::File(path) = self else { return Ok(None) };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let hint = "stop that process, or open a database in another file";
        Lock::take(Path::new(&beside), &path.display().to_string(), hint).map(Some)
    }

    /// Opens a connection.
    pub(crate) fn open(&self, flags: OpenFlags) -> Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Place::File(path) => Connection::open_with_flags(path, flags),
            Place::Memory(name) => Connection::open_with_flags_and_vfs(&**name, flags, c"memdb"),
        };
        opened.map_err(convert)
    }
}
