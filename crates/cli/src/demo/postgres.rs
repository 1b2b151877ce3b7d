//! A PostgreSQL of the demo's own, if the machine has one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use truststream_kernel::{Error, Result};

/// A server in a folder of its own; stopped and removed when dropped.
pub struct Postgres {
    child: Child,
    folder: PathBuf,
    /// Where it answers.
    pub url: String,
}

impl Postgres {
    /// Starts a server below `folder`; `None` if `initdb` and `postgres` are not on this machine.
    ///
    /// # Errors
    /// `Unavailable` when they are there but do not start.
    pub fn start(folder: &Path) -> Result<Option<Self>> {
        let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else {
            return Ok(None);
        };
        let folder = folder.join("postgres");
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let user = ordinary_user(&folder)?;
        let data = folder.join("data");
        let made = user
            .command(&initdb)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(failed)?;
        if !made.success() {
            return Err(Error::unavailable("initdb could not make a database"));
        }
        let port = free_port().map_err(failed)?;
        let log = std::fs::File::create(folder.join("log")).map_err(failed)?;
        let child = user
            .command(&postgres)
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "timezone=UTC", "-p"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let server =
            Postgres { child, folder, url: format!("postgres://postgres@127.0.0.1:{port}/postgres") };
        server.wait(port)?;
        Ok(Some(server))
    }

    fn wait(&self, port: u16) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if log.contains("ready to accept connections")
                && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Error::unavailable("PostgreSQL did not start within 20 s"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nothing is left to be told if the server is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::unavailable(format!("PostgreSQL could not be started: {error}")).with_source(error)
}

/// A program on the PATH, or where Debian keeps PostgreSQL's.
fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&paths));
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}

/// Who the server runs as: PostgreSQL refuses to run as root.
struct User(Option<(String, String)>);

impl User {
    fn command(&self, program: &Path) -> Command {
        match &self.0 {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", group, "--clear-groups", "--"]).arg(program);
                command
            }
        }
    }
}

#[cfg(unix)]
fn ordinary_user(folder: &Path) -> Result<User> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(folder).map_err(failed)?.uid();
    if owner != 0 {
        return Ok(User(None));
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(failed)?;
    let ids = ["postgres:", "nobody:"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.starts_with(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    let (user, group) =
        ids.ok_or_else(|| Error::unavailable("there is no ordinary user to run PostgreSQL as"))?;
    let (uid, gid) = (user.parse().unwrap_or(u32::MAX), group.parse().unwrap_or(u32::MAX));
    std::os::unix::fs::chown(folder, Some(uid), Some(gid)).map_err(failed)?;
    Ok(User(Some((user, group))))
}

#[cfg(not(unix))]
fn ordinary_user(_folder: &Path) -> Result<User> {
    Ok(User(None))
}
