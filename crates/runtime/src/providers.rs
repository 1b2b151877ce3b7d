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
use truststream_services::storage::StorageService;

pub use capabilities::{Capabilities, capabilities, capability_tables};
pub(crate) use catalog::Host;
use catalog::{Catalog, Settings, catalog};

use crate::Config;
use crate::backend::Connected;
use crate::config::BackendConfig;

/// Databases: `[backend.x.database]`.
pub(crate) static DATABASES: Catalog<DatabaseService> = catalog! {
    "sqlite" => truststream_sqlite::Config;
    "postgres" => truststream_postgres::Config;
    "memory" => truststream_sqlite::MemoryConfig;
    "supabase" if "supabase" => truststream_supabase::Config;
    "mongodb" if "mongodb" => truststream_mongodb::Config;
};

/// Object stores below TrustStream's own storage: `[backend.x.storage]`.
pub(crate) static OBJECTS: Catalog<ObjectsService> = catalog! {
    "fs" => truststream_objects::FsConfig;
    "memory" => truststream_objects::MemoryConfig;
    "s3" if "s3" => truststream_objects::S3Config;
}
.beside(|| STORAGES.all_names());

/// Storages of their own, in the place of TrustStream's: `[backend.x.storage]` as well.
pub(crate) static STORAGES: Catalog<StorageService> = catalog! {
    "supabase" if "supabase" => truststream_supabase::Config;
};

/// Who keeps users: `[backend.x.auth]`.
pub(crate) static AUTH: Catalog<AuthService> = catalog! {
    "native", engine truststream_engines::auth::AuthEngine;
    "supabase" if "supabase" => truststream_supabase::Config;
};

/// Where a backend's files are.
pub(crate) enum Files {
    /// In an object store, kept by TrustStream.
    Objects(Connected<ObjectsService>),
    /// In a storage of its own.
    Storage(Connected<StorageService>),
}

/// Connects what keeps a backend's files.
pub(crate) async fn files(config: &Config, table: Settings<'_>) -> Result<Files> {
    if STORAGES.names(table) {
        STORAGES.connect_driver(config, table).await.map(Files::Storage)
    } else {
        OBJECTS.connect_driver(config, table).await.map(Files::Objects)
    }
}

/// Checks the settings of a backend's providers, connecting to none.
pub(crate) fn check(config: &Config, backend: &BackendConfig) -> Result<()> {
    DATABASES.check(config, backend.database.as_ref())?;
    let storage = backend.storage.as_ref();
    if STORAGES.names(storage) { STORAGES.check(config, storage) } else { OBJECTS.check(config, storage) }?;
    AUTH.check(config, backend.auth.as_ref())
}

/// SQL that is run in a remote project, so that a switch can start from it or end there.
///
/// # Errors
/// `BACKEND_001` in a build without remote projects.
pub fn remote_helper() -> Result<String> {
    #[cfg(feature = "supabase")]
    return Ok(truststream_supabase::helper_script());
    #[cfg(not(feature = "supabase"))]
    Err(truststream_kernel::Error::new(
        truststream_kernel::ErrorKind::Configuration,
        "BACKEND_001",
        "this build of truststream has no remote projects",
    )
    .with_hint("build it with the feature `supabase`"))
}

#[cfg(test)]
mod tests;
