//! What each provider declares, for people: the tables of `docs/providers.md`.

use std::fmt::Write;

use truststream_kernel::{FeatureSet, Features, Service};

use super::catalog::{Catalog, Entry, Source};
use super::{AUTH, DATABASES, OBJECTS, STORAGES};

/// What one provider of one service can do.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The service, such as `database`.
    pub service: &'static str,
    /// The name that the configuration uses.
    pub provider: &'static str,
    /// The build feature it needs, if it is not in every build.
    pub build_feature: Option<&'static str>,
    /// What it declares; `None` if it is not in this build.
    pub declared: Option<Features>,
}

/// Every provider of every service, those that are not in this build too.
pub fn capabilities() -> Vec<Capabilities> {
    [of(&DATABASES), of(&OBJECTS), of(&STORAGES), of(&AUTH)].concat()
}

/// The capabilities as Markdown, one table a service.
pub fn capability_tables() -> String {
    let mut text = String::from(HEAD);
    table(&mut text, &DATABASES);
    table(&mut text, &OBJECTS);
    table(&mut text, &STORAGES);
    table(&mut text, &AUTH);
    text
}

const HEAD: &str = "# Providers\n\n<!-- Made by `cargo xtask sync` from what the providers declare. -->\n\n\
    A provider is chosen by name in a backend's table: `[backend.main.database]` with \
    `provider = \"sqlite\"`. The first of each table is the default; files are kept by TrustStream's \
    own storage on an object store unless a storage is named. What is *unsupported* is refused \
    with `0A000` before anything is done; what is *emulated* gives the same answers, computed in \
    process on top of the engine.\n";

fn of<S: Service>(catalog: &Catalog<S>) -> Vec<Capabilities> {
    let entries = catalog.entries.iter();
    let one = |entry: &Entry<S>| Capabilities {
        service: S::NAME,
        provider: entry.name,
        build_feature: entry.feature,
        declared: match &entry.source {
            Some(Source::Built(built)) => Some((built.declares)()),
            Some(Source::Engine(declares)) => Some(declares()),
            None => None,
        },
    };
    entries.map(one).collect()
}

fn table<S: Service>(text: &mut String, catalog: &Catalog<S>) {
    let providers = of(catalog);
    let named = |provider: &Capabilities| format!("`{}`", provider.provider);
    row(text, format!("{} provider", S::NAME), &mut providers.iter().map(named), "\n");
    row(text, "---".to_owned(), &mut providers.iter().map(|_| "---".to_owned()), "");
    let needs = |provider: &Capabilities| {
        provider.build_feature.map_or_else(|| "always there".to_owned(), |feature| format!("`{feature}`"))
    };
    row(text, "build feature".to_owned(), &mut providers.iter().map(needs), "");
    for feature in S::FEATURES {
        let supports = |provider: &Capabilities| support::<S>(provider, feature).to_owned();
        row(text, (*feature).to_owned(), &mut providers.iter().map(supports), "");
    }
}

fn row(text: &mut String, head: String, cells: &mut dyn Iterator<Item = String>, before: &str) {
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    // Writing to a text does not fail.
    let _ = writeln!(text, "{before}| {} |", cells.join(" | "));
}

fn support<S: Service>(provider: &Capabilities, feature: &str) -> &'static str {
    let Some(declared) = provider.declared else { return "not in this build" };
    let among = |set: FeatureSet| set.names(S::FEATURES).contains(&feature);
    match (among(declared.native), among(declared.emulated)) {
        (true, _) => "native",
        (false, true) => "emulated",
        (false, false) => "unsupported",
    }
}
