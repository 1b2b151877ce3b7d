//! Documents that are made from code.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::root;

/// Where the capabilities of the providers are written.
const PROVIDERS: &str = "docs/providers.md";

/// Writes what is made from code.
pub fn write() -> Result<()> {
    let text = providers()?;
    std::fs::write(root().join(PROVIDERS), text).with_context(|| format!("{PROVIDERS} can't be written"))?;
    println!("sync: {PROVIDERS}");
    Ok(())
}

/// Refuses what is not as the code says.
pub fn check() -> Result<()> {
    let found = std::fs::read_to_string(root().join(PROVIDERS)).unwrap_or_default();
    if found != providers()? {
        bail!("{PROVIDERS} is not what the providers declare; run `cargo xtask sync`");
    }
    Ok(())
}

fn providers() -> Result<String> {
    let arguments = [
        "run",
        "--quiet",
        "--locked",
        "-p",
        "truststream-runtime",
        "--all-features",
        "--example",
        "providers",
    ];
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo can't be started")?;
    if !output.status.success() {
        bail!("the providers can't be asked ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
