//! The catalog of providers: one line each.
//!
//! Names in errors, checks of the configuration, connecting and `docs/providers.md` all come from
//! here. The first provider of a service is its default; one behind `if` needs that build feature.

mod capabilities;
mod catalog;

use truststream_kernel::Result;
use truststream_services::auth::AuthService;
use truststream_services::database::DatabaseService;
use truststream_services::objects::ObjectsService;

pub use capabilities::{Capabilities, capabilities, capability_tables};
use catalog::{Catalog, catalog};

use crate::Config;
use crate::config::BackendConfig;

/// Databases: `[backend.x.database]`.
pub(crate) static DATABASES: Catalog<DatabaseService> = catalog! {
    "sqlite" => truststream_sqlite::Config;
    "postgres" => truststream_postgres::Config;
    "memory" => truststream_sqlite::MemoryConfig;
};

/// Object stores below TrustStream's own storage: `[backend.x.storage]`.
pub(crate) static OBJECTS: Catalog<ObjectsService> = catalog! {
    "fs" => truststream_objects::FsConfig;
    "memory" => truststream_objects::MemoryConfig;
    "s3" if "s3" => truststream_objects::S3Config;
};

/// Who keeps users: `[backend.x.auth]`.
pub(crate) static AUTH: Catalog<AuthService> = catalog! {
    "native", engine truststream_engines::auth::AuthEngine;
};

/// Checks the settings of a backend's providers, connecting to none.
pub(crate) fn check(config: &Config, backend: &BackendConfig) -> Result<()> {
    DATABASES.check(config, backend.database.as_ref())?;
    OBJECTS.check(config, backend.storage.as_ref())?;
    AUTH.check(config, backend.auth.as_ref())
}

#[cfg(test)]
mod tests;
