//! The catalog of providers: from a service's table in the configuration to a connected driver.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use truststream_kernel::{Driven, Error, ErrorKind, Result, Service};
use truststream_objects::{FsConfig, MemoryConfig, ObjectsProvider, S3Config};
use truststream_postgres::PostgresDriver;
use truststream_services::database::DatabaseService;
use truststream_services::objects::ObjectsService;
use truststream_sqlite::SqliteDriver;

use crate::Config;
use crate::backend::{Connected, ServiceInfo, provider_name};
use crate::config::BackendConfig;

type Settings<'a> = Option<&'a Spanned<toml::Table>>;

/// Connects a database.
pub(crate) async fn database(config: &Config, table: Settings<'_>) -> Result<Connected<DatabaseService>> {
    match provider_name(table, "sqlite") {
        Some("sqlite") => {
            let mut settings: truststream_sqlite::Config = settings(config, table)?;
            settings.path = config.project.join(&settings.path);
            let info = info::<DatabaseService>("sqlite", settings.path.display().to_string());
            let driver = SqliteDriver::open(settings).await?;
            Ok(Connected { stack: Arc::new(Driven(driver)), info })
        }
        Some("postgres") => {
            let settings = postgres_settings(config, table)?;
            let info = info::<DatabaseService>("postgres", settings.place());
            let driver = PostgresDriver::connect(settings).await?;
            Ok(Connected { stack: Arc::new(Driven(driver)), info })
        }
        other => Err(unknown(config, table, other, "sqlite, postgres")),
    }
}

/// PostgreSQL's settings; the search path of `[rest]` is its own unless it has another.
fn postgres_settings(config: &Config, table: Settings<'_>) -> Result<truststream_postgres::Config> {
    let mut found: truststream_postgres::Config = settings(config, table)?;
    let says = |table: &toml::Table| table.contains_key("extra_search_path");
    let rest: toml::Table = config.section("rest")?;
    if !table.is_some_and(|table| says(table.get_ref())) && says(&rest) {
        let path: SearchPath = config.section("rest")?;
        found.extra_search_path = path.extra_search_path;
    }
    Ok(found)
}

/// The one setting of `[rest]` that the database carries out.
#[derive(Default, Deserialize)]
struct SearchPath {
    extra_search_path: Vec<String>,
}

/// Connects an object store.
pub(crate) fn objects(config: &Config, table: Settings<'_>) -> Result<Connected<ObjectsService>> {
    let (provider, place, driver) = match provider_name(table, "fs") {
        Some("fs") => {
            let settings: FsConfig = settings(config, table)?;
            let place = config.project.join(&settings.root).display().to_string();
            ("fs", place, ObjectsProvider::fs(&settings, &config.project)?)
        }
        Some("memory") => {
            let MemoryConfig {} = settings(config, table)?;
            ("memory", "this process".to_owned(), ObjectsProvider::memory()?)
        }
        Some("s3") => {
            let settings: S3Config = settings(config, table)?;
            let endpoint = settings.endpoint.as_deref().unwrap_or("AWS");
            let place = format!("{} at {endpoint} below /{}", settings.bucket, settings.root);
            ("s3", place, ObjectsProvider::s3(&settings)?)
        }
        other => return Err(unknown(config, table, other, "fs, memory, s3")),
    };
    Ok(Connected { stack: Arc::new(Driven(driver)), info: info::<ObjectsService>(provider, place) })
}

/// Refuses auth providers that there are not.
pub(crate) fn check_auth(config: &Config, table: Settings<'_>) -> Result<()> {
    match provider_name(table, "native") {
        Some("native") => Ok(()),
        other => Err(unknown(config, table, other, "native")),
    }
}

/// Checks the settings of a backend's providers.
pub(crate) fn check(config: &Config, backend: &BackendConfig) -> Result<()> {
    let database = backend.database.as_ref();
    match provider_name(database, "sqlite") {
        Some("sqlite") => settings::<truststream_sqlite::Config>(config, database).map(drop)?,
        Some("postgres") => postgres_settings(config, database).map(drop)?,
        other => return Err(unknown(config, database, other, "sqlite, postgres")),
    }
    let storage = backend.storage.as_ref();
    match provider_name(storage, "fs") {
        Some("fs") => settings::<FsConfig>(config, storage).map(drop)?,
        Some("memory") => settings::<MemoryConfig>(config, storage).map(drop)?,
        Some("s3") => settings::<S3Config>(config, storage).map(drop)?,
        other => return Err(unknown(config, storage, other, "fs, memory, s3")),
    }
    check_auth(config, backend.auth.as_ref())
}

fn settings<T: DeserializeOwned>(config: &Config, table: Settings<'_>) -> Result<T> {
    match table {
        Some(table) => config.settings(table),
        None => config.settings(&Spanned::new(0..0, toml::Table::new())),
    }
}

fn info<S: Service>(provider: &str, place: String) -> ServiceInfo {
    ServiceInfo { service: S::NAME, provider: provider.to_owned(), place }
}

fn unknown(config: &Config, table: Settings<'_>, found: Option<&str>, expected: &str) -> Error {
    let message = match found {
        Some(name) => format!("provider: there is none named `{name}`; expected one of {expected}"),
        None => format!("provider: expected a text, one of {expected}"),
    };
    let message =
        table.map_or(message.clone(), |table| config.error_in(table, &message).message().to_owned());
    Error::new(ErrorKind::Configuration, "BACKEND_001", message)
}
