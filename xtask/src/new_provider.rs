//! A folder for a new provider, which builds and fails the conformance suite in words.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::{root, run};

/// Files of a provider, with `{name}` and `{Name}` in the place of its name.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("new_provider/Cargo.toml.txt")),
    ("README.md", include_str!("new_provider/README.md.txt")),
    ("src/lib.rs", include_str!("new_provider/lib.rs.txt")),
    ("src/config.rs", include_str!("new_provider/config.rs.txt")),
    ("src/driver.rs", include_str!("new_provider/driver.rs.txt")),
    ("src/error.rs", include_str!("new_provider/error.rs.txt")),
    ("src/provider.rs", include_str!("new_provider/provider.rs.txt")),
    ("tests/main.rs", include_str!("new_provider/main.rs.txt")),
];

/// Writes `providers/NAME` and says what is left to do.
pub fn write(name: &str) -> Result<()> {
    write_in(&root(), name)?;
    // Names decide how imports are sorted.
    run(".", "cargo", &["fmt", "-p", &format!("truststream-{name}")])?;
    println!(
        "wrote providers/{name}. Its suite fails until it does what it must:

  cargo test -p truststream-{name}

To plug it in:
  Cargo.toml                       truststream-{name} = {{ path = \"providers/{name}\" }}
  crates/runtime/Cargo.toml        {name} = [\"dep:truststream-{name}\"], and the optional dependency
  crates/cli, crates/truststream   the feature, passed on
  crates/runtime/src/providers.rs  \"{name}\" if \"{name}\" => truststream_{name}::Config;
then `cargo xtask sync` writes docs/providers.md."
    );
    Ok(())
}

fn write_in(root: &Path, name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !plain || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        bail!("\"{name}\" can't be the name of a provider: use lower case letters and digits");
    }
    let folder = root.join("providers").join(name);
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let camel: String =
        name.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(name.chars().skip(1)).collect();
    for (path, text) in FILES {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        let text = text.replace("{name}", name).replace("{Name}", &camel);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_names_of_crates_are_refused() {
        let folder = std::env::temp_dir().join(format!("truststream-new-provider-{}", std::process::id()));
        for name in ["", "Upper", "with-dash", "../out", "1st"] {
            assert!(write_in(&folder, name).is_err(), "{name}");
        }
        write_in(&folder, "redis").unwrap();
        let driver = fs::read_to_string(folder.join("providers/redis/src/driver.rs")).unwrap();
        assert!(driver.contains("impl DatabaseDriver for RedisDriver") && !driver.contains("{name}"));
        assert!(write_in(&folder, "redis").unwrap_err().to_string().contains("there already"));
        fs::remove_dir_all(folder).unwrap();
    }
}
