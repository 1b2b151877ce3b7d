//! The suite that every provider must pass.

use std::sync::Arc;

use truststream_conformance::passing::Passing;
use truststream_conformance::{database, run};
use truststream_kernel::{Driven, Stack};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::DatabaseService;

use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn conformance() {
    static PASSING: Passing = Passing::new();
    run("postgres", database::CASES, || async {
        let mut config = Config::new(support::passing_database(&PASSING).await);
        (config.pool.max, config.pool.wait_ms) = (4, 120_000);
        let stack: Stack<DatabaseService> = Arc::new(Driven(PostgresDriver::connect(config).await?));
        Ok(stack)
    })
    .await;
}
