//! PostgreSQL as a provider of the Database service.

use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::database::{DatabaseOp, DatabaseReply, DatabaseService};

use crate::{Config, PostgresDriver};

impl Provider<DatabaseService> for Config {
    const INHERITS: &'static [(&'static str, &'static str)] = &[("rest", "extra_search_path")];

    fn declares() -> Features {
        PostgresDriver::declares()
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
        Config::place(self)
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(PostgresDriver::connect(self).await?)))
    }
}
