//! PostgreSQL as a provider of the Database service.

use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::database::DatabaseService;

use crate::{Config, PostgresDriver};

impl Provider<DatabaseService> for Config {
    const INHERITS: &'static [(&'static str, &'static str)] = &[("rest", "extra_search_path")];

    fn declares() -> Features {
        PostgresDriver::declares()
    }

    fn place(&self) -> String {
        Config::place(self)
    }

    async fn connect(self) -> Result<Stack<DatabaseService>> {
        Ok(Arc::new(Driven(PostgresDriver::connect(self).await?)))
    }
}
