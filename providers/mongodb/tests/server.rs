//! Databases to test against, each of its own.

use truststream_conformance::mongodb_server::MongoServer;
use truststream_mongodb::{Config, MongoDriver};

/// A driver on a new database.
pub(crate) async fn fresh(server: &MongoServer) -> truststream_kernel::Result<MongoDriver> {
    let database = Some(server.new_database());
    MongoDriver::open(Config { database, ..Config::new(server.url()) }).await
}
