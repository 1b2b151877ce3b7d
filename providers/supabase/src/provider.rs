//! The project as a provider of each of its services.

use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::auth::AuthService;
use truststream_services::database::{DatabaseOp, DatabaseReply, DatabaseService};
use truststream_services::storage::StorageService;

use crate::{Config, RemoteAuth, RemoteDatabase, RemoteStorage};

impl Provider<DatabaseService> for Config {
    const HOLDS_ENGINES: bool = false;

    fn declares() -> Features {
        RemoteDatabase::declares()
    }

    fn offline(op: &DatabaseOp) -> Option<Result<DatabaseReply>> {
        match op {
            // PostgreSQL runs all of it as it is written.
            DatabaseOp::Review(_) => Some(Ok(DatabaseReply::Review(Vec::new()))),
            DatabaseOp::Weigh(_) => Some(Ok(DatabaseReply::Weigh(Vec::new()))),
            _ => None,
        }
    }

    fn place(&self) -> String {
        self.url.clone()
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(RemoteDatabase::connect(&self).await?)))
    }
}

impl Provider<AuthService> for Config {
    fn declares() -> Features {
        RemoteAuth::declares()
    }

    fn place(&self) -> String {
        self.url.clone()
    }

    async fn connect(self) -> Result<Stack<AuthService>> {
        Ok(Arc::new(Driven(RemoteAuth::new(&self)?)))
    }
}

impl Provider<StorageService> for Config {
    fn declares() -> Features {
        RemoteStorage::declares()
    }

    fn place(&self) -> String {
        self.url.clone()
    }

    async fn connect(self) -> Result<Stack<StorageService>> {
        Ok(Arc::new(Driven(RemoteStorage::new(&self)?)))
    }
}
