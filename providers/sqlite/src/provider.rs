//! The embedded database as a provider of the Database service.

use std::path::Path;
use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::database::{Catalog, DatabaseOp, DatabaseReply, DatabaseService};

use crate::migrate::review;
use crate::weigh::weigh;
use crate::{Config, MemoryConfig, SqliteDriver};

impl Provider<DatabaseService> for Config {
    fn declares() -> Features {
        SqliteDriver::declares()
    }

    fn offline(op: &DatabaseOp) -> Option<Result<DatabaseReply>> {
        offline(op)
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

    fn offline(op: &DatabaseOp) -> Option<Result<DatabaseReply>> {
        offline(op)
    }

    fn place(&self) -> String {
        "this process".to_owned()
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(SqliteDriver::in_memory(self).await?)))
    }
}

/// What an empty database would say.
fn offline(op: &DatabaseOp) -> Option<Result<DatabaseReply>> {
    match op {
        DatabaseOp::Review(op) => {
            Some(Ok(DatabaseReply::Review(review(&Catalog::default(), &op.migrations))))
        }
        DatabaseOp::Weigh(op) => Some(Ok(DatabaseReply::Weigh(weigh(op)))),
        _ => None,
    }
}
