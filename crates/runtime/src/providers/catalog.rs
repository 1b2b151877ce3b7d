//! What is known of each provider, and finding the one that a table of the configuration names.

use toml::Spanned;
use truststream_kernel::{BoxFuture, Error, ErrorKind, Features, Provider, Result, Service};

use crate::Config;
use crate::backend::{Connected, ServiceInfo};

/// A service's table in the configuration, if it has one.
pub(crate) type Settings<'a> = Option<&'a Spanned<toml::Table>>;

/// The providers of one service, the default first.
pub(crate) struct Catalog<S: Service> {
    pub(super) entries: &'static [Entry<S>],
    /// Names that the same table of the configuration may have, of another catalog.
    beside: fn() -> Vec<&'static str>,
}

/// One provider of one service.
pub(crate) struct Entry<S: Service> {
    pub(super) name: &'static str,
    /// The build feature it needs, if it is not in every build.
    pub(super) feature: Option<&'static str>,
    /// Where it comes from; `None` if it is not in this build.
    pub(super) source: Option<Source<S>>,
}

/// Where a provider comes from.
pub(crate) enum Source<S: Service> {
    /// Its own crate.
    Built(Built<S>),
    /// TrustStream's own engine, on the backend's database.
    Engine(fn() -> Features),
}

/// Connects a provider, given its name.
type Connect<S> = for<'a> fn(&'static str, &'a Config, Settings<'a>) -> BoxFuture<'a, Result<Connected<S>>>;

/// How a provider that is in this build is checked and connected.
pub(crate) struct Built<S: Service> {
    check: fn(&Config, Settings<'_>) -> Result<()>,
    connect: Connect<S>,
    pub(super) declares: fn() -> Features,
    offline: Offline<S>,
}

/// Answers an operation of a provider that is not connected.
pub(crate) type Offline<S> = fn(&<S as Service>::Op) -> Option<Result<<S as Service>::Reply>>;

/// A provider as something to move to, not connected.
pub(crate) struct Host<S: Service> {
    pub(crate) name: &'static str,
    /// The build feature it needs, if it is not in every build.
    pub(crate) feature: Option<&'static str>,
    /// What it declares, and how it is asked; `None` if it is not in this build.
    pub(crate) built: Option<(Features, Offline<S>)>,
}

/// A catalog: `"name" => Settings`, `"name" if "feature" => Settings`, or `"name" engine Engine`.
macro_rules! catalog {
    (@source $settings:ty) => {
        Some($crate::providers::catalog::Source::Built($crate::providers::catalog::Built::of::<$settings>()))
    };
    (@entry $name:literal engine $engine:ty) => {
        $crate::providers::catalog::Entry {
            name: $name,
            feature: None,
            source: Some($crate::providers::catalog::Source::Engine(<$engine>::declares)),
        }
    };
    (@entry $name:literal => $settings:ty) => {
        $crate::providers::catalog::Entry {
            name: $name,
            feature: None,
            source: $crate::providers::catalog::catalog!(@source $settings),
        }
    };
    (@entry $name:literal if $feature:literal => $settings:ty) => {
        $crate::providers::catalog::Entry {
            name: $name,
            feature: Some($feature),
            #[cfg(feature = $feature)]
            source: $crate::providers::catalog::catalog!(@source $settings),
            #[cfg(not(feature = $feature))]
            source: None,
        }
    };
    ($($name:literal $(if $feature:literal)? $(=> $settings:ty)? $(, engine $engine:ty)?;)+) => {
        $crate::providers::catalog::Catalog::of(&[$(
            $crate::providers::catalog::catalog!(
                @entry $name $(if $feature)? $(=> $settings)? $(engine $engine)?
            )
        ),+])
    };
}
pub(super) use catalog;

impl<S: Service> Built<S> {
    /// The provider whose settings are `P`.
    pub(super) const fn of<P: Provider<S>>() -> Self {
        Built { check: check::<S, P>, connect: connect::<S, P>, declares: P::declares, offline: P::offline }
    }
}

impl<S: Service> Catalog<S> {
    pub(super) const fn of(entries: &'static [Entry<S>]) -> Self {
        Catalog { entries, beside: Vec::new }
    }

    /// The same providers, in a table that may name others as well.
    pub(super) const fn beside(self, beside: fn() -> Vec<&'static str>) -> Self {
        Catalog { beside, ..self }
    }

    /// All providers with a driver of their own.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Host<S>> {
        self.entries.iter().map(|entry| Host {
            name: entry.name,
            feature: entry.feature,
            built: match &entry.source {
                Some(Source::Built(built)) => Some(((built.declares)(), built.offline)),
                Some(Source::Engine(_)) | None => None,
            },
        })
    }

    /// The names of all.
    pub(super) fn all_names(&self) -> Vec<&'static str> {
        self.entries.iter().map(|entry| entry.name).collect()
    }

    /// Connects the provider that the table names; `None` if it is an engine of TrustStream's own.
    pub(crate) async fn connect(&self, config: &Config, table: Settings<'_>) -> Result<Option<Connected<S>>> {
        match self.find(config, table)? {
            (name, Some(built)) => (built.connect)(name, config, table).await.map(Some),
            (_, None) => Ok(None),
        }
    }

    /// Connects the provider of a service that TrustStream has no engine for.
    pub(crate) async fn connect_driver(&self, config: &Config, table: Settings<'_>) -> Result<Connected<S>> {
        let connected = self.connect(config, table).await?;
        connected.ok_or_else(|| Error::internal(format!("the catalog of {} names an engine", S::NAME)))
    }

    /// Whether the table names one of these providers.
    pub(crate) fn names(&self, table: Settings<'_>) -> bool {
        let said = table.and_then(|table| table.get_ref().get("provider")).and_then(toml::Value::as_str);
        said.is_some_and(|name| self.entries.iter().any(|entry| entry.name == name))
    }

    /// Checks the settings in the table.
    pub(crate) fn check(&self, config: &Config, table: Settings<'_>) -> Result<()> {
        match self.find(config, table)? {
            (_, Some(built)) => (built.check)(config, table),
            (_, None) => Ok(()),
        }
    }

    fn find(&self, config: &Config, table: Settings<'_>) -> Result<(&'static str, Option<&Built<S>>)> {
        let said = table.and_then(|table| table.get_ref().get("provider"));
        let name = match said {
            None => self.entries.first().map(|entry| entry.name),
            Some(said) => said.as_str(),
        };
        let Some(entry) = self.entries.iter().find(|entry| Some(entry.name) == name) else {
            return Err(self.unknown(config, table, name));
        };
        match &entry.source {
            Some(Source::Built(built)) => Ok((entry.name, Some(built))),
            Some(Source::Engine(_)) => Ok((entry.name, None)),
            None => {
                let feature = entry.feature.unwrap_or(entry.name);
                let message = format!("provider: `{}` is not in this build", entry.name);
                Err(refused(config, table, &message).with_hint(format!("build with `--features {feature}`")))
            }
        }
    }

    fn unknown(&self, config: &Config, table: Settings<'_>, found: Option<&str>) -> Error {
        let names = [self.all_names(), (self.beside)()].concat().join(", ");
        let message = match found {
            Some(name) => format!("provider: there is none named `{name}`; expected one of {names}"),
            None => format!("provider: expected a text, one of {names}"),
        };
        refused(config, table, &message)
    }
}

fn refused(config: &Config, table: Settings<'_>, message: &str) -> Error {
    let placed = table.map(|table| config.error_in(table, message).message().to_owned());
    Error::new(ErrorKind::Configuration, "BACKEND_001", placed.unwrap_or_else(|| message.to_owned()))
}

fn check<S: Service, P: Provider<S>>(config: &Config, table: Settings<'_>) -> Result<()> {
    settings::<S, P>(config, table).map(drop)
}

fn connect<'a, S: Service, P: Provider<S>>(
    name: &'static str,
    config: &'a Config,
    table: Settings<'a>,
) -> BoxFuture<'a, Result<Connected<S>>> {
    Box::pin(async move {
        let mut settings = settings::<S, P>(config, table)?;
        settings.locate(&config.project);
        let info = ServiceInfo { service: S::NAME, provider: name.to_owned(), place: settings.place() };
        let stack = settings.connect().await?;
        Ok(Connected { stack, info, holds_engines: P::HOLDS_ENGINES })
    })
}

/// A provider's settings: its own table, with what it inherits below it.
fn settings<S: Service, P: Provider<S>>(config: &Config, table: Settings<'_>) -> Result<P> {
    let mut merged = table.cloned().unwrap_or_else(|| Spanned::new(0..0, toml::Table::new()));
    for (section, key) in P::INHERITS {
        let section: toml::Table = config.section(section)?;
        if let Some(inherited) = section.get(*key) {
            merged.get_mut().entry(*key).or_insert_with(|| inherited.clone());
        }
    }
    config.settings(&merged)
}
