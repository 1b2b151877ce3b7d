//! `truststream.toml`: where it is read from and what it may say.
//!
//! Sources, later ones win: what `supabase/config.toml` says of itself (only in development),
//! `truststream.toml`, `truststream.<profile>.toml`, and `TRUSTSTREAM_*` variables
//! (`TRUSTSTREAM_SWITCH__HOLD=2s` sets `hold` of `[switch]`). In any text, `${NAME}` takes the
//! variable `NAME` from the environment.

mod health;
mod mirror;
mod source;
mod supabase;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use truststream_kernel::{Error, Result, units};
use truststream_layers::{FaultsConfig, LayersConfig};
use truststream_switch::{Options, Strategy, Verify};

use source::Sources;

use crate::control::ControlConfig;

pub use health::HealthConfig;
pub use mirror::MirrorConfig;

/// Sections of the file that belong to a service or an edge; each is read by its owner.
const SECTIONS: &[&str] = &["auth", "gateway", "rest", "storage"];

/// The configuration of one project.
#[derive(Debug)]
pub struct Config {
    /// The folder that relative paths start from.
    pub project: PathBuf,
    /// What the file says.
    pub file: File,
    /// Development: well-known keys are allowed.
    pub development: bool,
    sections: BTreeMap<String, Spanned<toml::Table>>,
    sources: Sources,
}

/// The part of `truststream.toml` that the runtime itself reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// The backend that serves when a project starts for the first time; afterwards the last switch
    /// decides.
    pub active: String,
    /// Backends by name.
    pub backend: BTreeMap<String, BackendConfig>,
    /// What several gateways share to be one.
    pub control: ControlConfig,
    /// How switches are made.
    pub switch: SwitchConfig,
    /// How services are probed.
    pub health: HealthConfig,
    /// How the behaviour around every provider is tuned.
    pub layers: LayersConfig,
}

impl Default for File {
    fn default() -> Self {
        File {
            active: "main".to_owned(),
            backend: BTreeMap::from([("main".to_owned(), BackendConfig::default())]),
            control: ControlConfig::default(),
            switch: SwitchConfig::default(),
            health: HealthConfig::default(),
            layers: LayersConfig::default(),
        }
    }
}

/// A named bundle of configured providers, one for each service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendConfig {
    /// The database; embedded SQLite if absent.
    pub database: Option<Spanned<toml::Table>>,
    /// The object store; a folder if absent.
    pub storage: Option<Spanned<toml::Table>>,
    /// Who keeps users; TrustStream itself (`native`, on the backend's database) if absent.
    pub auth: Option<Spanned<toml::Table>>,
    /// The backend that is kept in sync with this one while it serves; none if absent.
    pub mirror: Option<MirrorConfig>,
    /// What goes wrong on purpose, on this backend only.
    pub faults: FaultsConfig,
}

/// `[switch]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwitchConfig {
    /// How the move is made: `blue-green` copies, follows and verifies all, then flips at once; `immediate`; `gradual`.
    pub strategy: Strategy,
    /// Longest time a write waits at the fence before it is refused (retry later).
    #[serde(with = "units::time")]
    pub hold: Duration,
    /// Longest pause; if catching up can't end inside it, the fence is lifted and nothing changed.
    #[serde(with = "units::time")]
    pub max_pause: Duration,
    /// `full` compares every row, `sample` some, `none` nothing.
    pub verify: Verify,
    /// How long the way back stays open after the flip; until somebody closes it if absent.
    #[serde(with = "units::optional_time")]
    pub rollback_window: Option<Duration>,
    /// Most rows in a chunk of the copy; wide rows come in smaller chunks.
    pub chunk: usize,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        SwitchConfig {
            strategy: Strategy::default(),
            hold: Duration::from_secs(2),
            max_pause: Duration::from_secs(1),
            verify: Verify::default(),
            rollback_window: None,
            chunk: Options::default().chunk,
        }
    }
}

impl Config {
    /// Reads the configuration of the project in `project`.
    ///
    /// # Errors
    /// `BACKEND_002` naming file, line, key, what was found and what was expected.
    pub fn load(project: &Path, options: &LoadOptions) -> Result<Config> {
        let mut sources = Sources::default();
        if options.development {
            supabase::add(&mut sources, &project.join("supabase/config.toml"))?;
        }
        match &options.file {
            Some(file) => sources.add_file(file, true)?,
            None => sources.add_file(&project.join("truststream.toml"), false)?,
        }
        if let Some(profile) = &options.profile {
            sources.add_file(&project.join(format!("truststream.{profile}.toml")), true)?;
        }
        sources.add_environment(std::env::vars())?;
        Config::read(project, sources, options.development)
    }

    /// Reads the configuration of the project in `project` from a text in the form of
    /// `truststream.toml`, and from nothing else.
    ///
    /// # Errors
    /// `BACKEND_002` naming line, key, what was found and what was expected.
    pub fn from_text(project: &Path, text: &str) -> Result<Config> {
        let mut sources = Sources::default();
        sources.add("configuration", text.to_owned())?;
        Config::read(project, sources, false)
    }

    fn read(project: &Path, sources: Sources, development: bool) -> Result<Config> {
        let mut sections = BTreeMap::new();
        for name in SECTIONS {
            if let Some(section) = sources.section(name)? {
                sections.insert((*name).to_owned(), section);
            }
        }
        let mut file: File = sources.read(SECTIONS)?;
        // The embedded backend is there without being named.
        file.backend.entry("main".to_owned()).or_default();
        let config = Config { project: project.to_owned(), file, development, sections, sources };
        config.check_names()?;
        config.check_mirrors()?;
        config.check_faults()?;
        let control = config.file.control.check();
        control.map_err(|message| config.sources.error_at(config.sources.span_of("control"), &message))?;
        Ok(config)
    }

    /// The embedded default for the project in `project`, from no file.
    pub fn embedded(project: &Path) -> Config {
        Config {
            project: project.to_owned(),
            file: File::default(),
            development: false,
            sections: BTreeMap::new(),
            sources: Sources::default(),
        }
    }

    /// A section that belongs to a service or an edge, such as `rest`.
    ///
    /// # Errors
    /// `BACKEND_002` with the section's file and line.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T> {
        match self.sections.get(name) {
            None => Ok(T::default()),
            Some(section) => self.settings(section),
        }
    }

    /// Reads the settings of a provider or section.
    ///
    /// # Errors
    /// `BACKEND_002` with the table's file and line.
    pub fn settings<T: DeserializeOwned>(&self, table: &Spanned<toml::Table>) -> Result<T> {
        let mut settings = table.get_ref().clone();
        settings.remove("provider");
        settings.try_into().map_err(|error| self.sources.error_at(Some(table.span()), error.message()))
    }

    /// An error in a table of the file.
    pub fn error_in(&self, table: &Spanned<toml::Table>, message: &str) -> Error {
        self.sources.error_at(Some(table.span()), message)
    }

    /// Checks the settings of every provider of every backend, connecting to none.
    ///
    /// # Errors
    /// `BACKEND_001` for a provider that there is not, `BACKEND_002` for settings that are wrong.
    pub fn check_providers(&self) -> Result<()> {
        self.file.backend.values().try_for_each(|backend| crate::providers::check(self, backend))
    }

    /// Faults must not come into production by a file that was forgotten.
    fn check_faults(&self) -> Result<()> {
        let of_backends = self.file.backend.iter().map(|(name, backend)| (name.as_str(), &backend.faults));
        let mut all = of_backends.chain(std::iter::once(("", &self.file.layers.faults)));
        let meant = |faults: &FaultsConfig| faults.rules.is_empty() || faults.allow_in_production;
        let Some((name, _)) = all.find(|(_, faults)| !self.development && !meant(faults)) else {
            return Ok(());
        };
        let (table, span) = if name.is_empty() {
            ("layers.faults".to_owned(), self.sources.span_of("layers"))
        } else {
            (format!("backend.{name}.faults"), self.sources.span_of("backend"))
        };
        let message = format!("{table}: faults are for development");
        Err(self
            .sources
            .error_at(span, &message)
            .with_hint("say `allow_in_production = true` if they are meant"))
    }

    fn check_names(&self) -> Result<()> {
        let names: Vec<_> = self.file.backend.keys().map(String::as_str).collect();
        if self.file.backend.contains_key(&self.file.active) {
            return Ok(());
        }
        let message =
            format!("active: no backend `{}`; expected one of {}", self.file.active, names.join(", "));
        Err(self.sources.error_at(self.sources.span_of("active"), &message))
    }
}

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file, if it is not `truststream.toml` in the project.
    pub file: Option<PathBuf>,
    /// Profile whose file goes on top.
    pub profile: Option<String>,
    /// Development: `supabase/config.toml` is understood, development keys are allowed.
    pub development: bool,
}

#[cfg(test)]
mod tests;
