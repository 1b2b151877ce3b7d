//! Documents that are made from code.

use anyhow::{Context, Result, bail};

use crate::programs;
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
    programs::build(&["--example", "providers"])?;
    programs::output_of("examples/providers")
}
