//! What the tests run, built once for all of them: the test programs of every crate, the binary under
//! test and what looks at it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::shell::{Line, root, target};

/// The profile of everything that the tests run.
pub const PROFILE: &str = "tested";

/// All providers, and known mistakes, which are made only if a variable says so: one binary serves all parts.
const FEATURES: &str =
    "truststream-cli/mongodb,truststream-cli/s3,truststream-cli/supabase,truststream-cli/mutations";

/// The programs that other parts than the unit tests run.
pub const BESIDE_TESTS: &[&str] = &[
    "--bin",
    "truststream",
    "--bin",
    "truststream-histories",
    "--example",
    "host",
    "--example",
    "providers",
];

/// Arguments of a cargo command about the whole workspace. They are the same for every command, and so are
/// the features of every crate: nothing is compiled for one part that another one has already.
pub fn cargo(command: &str) -> Line {
    let arguments = ["--workspace", "--locked", "--profile", PROFILE, "--features", FEATURES];
    Line::new("cargo", &[command]).and(&arguments)
}

/// Where what was built is.
pub fn built(name: &str) -> PathBuf {
    target().join(PROFILE).join(name)
}

/// Where the binary is that the tests run, unless `TRUSTSTREAM_BIN` names another one.
pub fn binary() -> PathBuf {
    std::env::var_os("TRUSTSTREAM_BIN").map_or_else(|| built("truststream"), PathBuf::from)
}

/// The tests of a crate's library, or of its folder `tests`, as a program.
#[derive(Debug, PartialEq, Eq)]
pub struct Test {
    /// The crate's folder and what of it is tested: `crates/switch test`.
    pub name: String,
    /// The crate's folder, in which it is run.
    folder: PathBuf,
    program: PathBuf,
}

impl Test {
    /// How it is run, as cargo would.
    pub fn line(&self) -> Line {
        let none: [OsString; 0] = [];
        Line::new(&self.program, &none).within(&self.folder).with("CARGO_MANIFEST_DIR", &self.folder)
    }
}

/// Builds these targets, and returns the test programs among them.
pub fn build(targets: &[&str]) -> Result<Vec<Test>> {
    let line = cargo("build").and(targets).and(&["--message-format=json-render-diagnostics"]);
    println!("\n$ {line}");
    let output = line.command()?.stderr(Stdio::inherit()).output().context("cargo can't be started")?;
    if !output.status.success() {
        bail!("{line} failed ({})", output.status);
    }
    let messages = String::from_utf8(output.stdout)?;
    let mut tests: Vec<_> = messages.lines().filter_map(test).collect();
    tests.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tests)
}

/// The test program that a message of cargo tells of.
fn test(message: &str) -> Option<Test> {
    let message: Json = serde_json::from_str(message).ok()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let program = PathBuf::from(message["executable"].as_str()?);
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    let shown = folder.strip_prefix(root()).unwrap_or(&folder).display();
    let name = format!("{shown} {}", message["target"]["kind"][0].as_str()?);
    Some(Test { name, folder, program })
}

/// What a program prints.
pub fn output_of(program: &str) -> Result<String> {
    let output = Command::new(built(program)).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{program} can't be started"))?;
    if !output.status.success() {
        bail!("{program} failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_of_test_programs() {
        let manifest = root().join("crates/switch/Cargo.toml");
        let told = |test: bool, program: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":{manifest:?},"target":{{"kind":["lib"]}},"profile":{{"test":{test}}},"executable":{program}}}"#
            )
        };
        let found = test(&told(true, r#""/target/switch-1""#)).unwrap();
        assert_eq!(
            (found.name.as_str(), found.program.to_str()),
            ("crates/switch lib", Some("/target/switch-1"))
        );
        assert_eq!(found.folder, root().join("crates/switch"));
        for other in [told(false, r#""/target/truststream""#), told(true, "null"), "{}".into(), "text".into()]
        {
            assert_eq!(test(&other), None, "{other}");
        }
    }
}
