//! Running programs.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Where what is downloaded for tests is kept.
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
}

/// Where a newer Node is kept than the machine has, in the cache.
pub const NODE: &str = "truststream/node";

/// The PATH, with what was downloaded for tests before it.
fn path() -> Result<OsString> {
    let own = cache().join(NODE).join("node_modules/node/bin");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.is_dir().then_some(own).into_iter().chain(std::env::split_paths(&others));
    Ok(std::env::join_paths(folders)?)
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program with its arguments, and the folder it is run in.
#[derive(Clone, Debug)]
pub struct Line {
    folder: PathBuf,
    words: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Line {
    /// A program in the workspace's root.
    pub fn new<A: Into<OsString> + Clone>(program: impl Into<OsString>, arguments: &[A]) -> Line {
        let words = std::iter::once(program.into()).chain(arguments.iter().cloned().map(Into::into));
        Line { folder: root(), words: words.collect(), variables: Vec::new() }
    }

    /// More arguments.
    pub fn and<A: Into<OsString> + Clone>(mut self, arguments: &[A]) -> Line {
        self.words.extend(arguments.iter().cloned().map(Into::into));
        self
    }

    /// The same in a folder of the workspace.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Line {
        self.folder = root().join(folder);
        self
    }

    /// The same with a variable of its environment.
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Line {
        self.variables.push((name, value.into()));
        self
    }

    /// The same, but only while nothing else wants a processor.
    pub fn behind_others(mut self) -> Line {
        self.words.splice(0..0, ["nice", "-n", "19"].map(OsString::from));
        self
    }

    /// The command, which finds what was downloaded for tests, and the binary under test.
    pub fn command(&self) -> Result<Command> {
        let Some((program, arguments)) = self.words.split_first() else { bail!("no program is named") };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).env("PATH", path()?);
        command.env("TRUSTSTREAM_BIN", crate::programs::binary());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Shows and runs it; fails when it does.
    pub fn run(&self) -> Result<()> {
        println!("\n$ {self}");
        let program = || format!("{self} can't be started");
        let status = self.command()?.status().with_context(program)?;
        if !status.success() {
            bail!("{self} failed ({status})");
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={}", value.display()));
        let words = self.words.iter().map(|word| word.display().to_string());
        f.write_str(&variables.chain(words).collect::<Vec<_>>().join(" "))
    }
}

/// Runs a program in a folder of the workspace; fails when it does.
pub fn run<A: Into<OsString> + Clone>(folder: &str, program: &str, arguments: &[A]) -> Result<()> {
    Line::new(program, arguments).within(folder).run()
}

/// Whether a program is on the PATH.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}
