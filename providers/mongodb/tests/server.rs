//! Databases to test against, each of its own.

use truststream_conformance::mongodb_server::MongoServer;
use truststream_mongodb::{Config, MongoDriver};

/// How a server is reached that may take its time on a busy machine.
pub(crate) fn config(url: String, database: impl Into<String>) -> Config {
    Config { database: Some(database.into()), connect_timeout_s: 120, ..Config::new(url) }
}

/// A driver on a new database.
pub(crate) async fn fresh(server: &MongoServer) -> truststream_kernel::Result<MongoDriver> {
    MongoDriver::open(config(server.url(), server.new_database())).await
}
