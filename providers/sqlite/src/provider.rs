//! The embedded database as a provider of the Database service.

use std::path::Path;
use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::database::DatabaseService;

use crate::{Config, MemoryConfig, SqliteDriver};

impl Provider<DatabaseService> for Config {
    fn declares() -> Features {
        SqliteDriver::declares()
    }

    fn locate(&mut self, project: &Path) {
        self.path = project.join(&self.path);
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(SqliteDriver::open(self).await?)))
    }
}

impl Provider<DatabaseService> for MemoryConfig {
    fn declares() -> Features {
        SqliteDriver::declares_in_memory()
    }

    fn place(&self) -> String {
        "this process".to_owned()
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(SqliteDriver::in_memory(self).await?)))
    }
}
