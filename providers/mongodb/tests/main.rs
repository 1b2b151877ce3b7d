//! The provider on a real server: the suite that every provider must pass, and what is its own.

#![allow(clippy::unwrap_used)]

mod cancel;
mod documents;
mod domains;
mod functions;
mod identities;
mod instead;
mod introspection;
mod numbers;
mod partitions;
mod policies;
mod receiving;
mod records;
mod server;
mod triggers;

use std::sync::Arc;

use server::fresh;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::{database, only, run};
use truststream_kernel::{Driven, Stack};
use truststream_services::database::DatabaseService;

#[tokio::test(flavor = "multi_thread")]
async fn conformance() {
    let server = Arc::new(MongoServer::start().unwrap());
    // Collections take new columns and keys, but what `alter table` verifies against existing rows is
    // refused, or told in other words.
    // The suite's functions stand in one migration, with some that this database refuses: what functions,
    // views and triggers do is told by files of their own. What it can't tell of partitions is refused.
    // Of PostgreSQL's library of functions the server has a part.
    let elsewhere = [
        "expressions::",
        "schemas::",
        "routines::",
        "programs::",
        "triggers::",
        "computed::",
        "views::",
        "aggregates::functions_are",
        "partition_shares::",
    ];
    let cases = only(database::CASES, |case| !elsewhere.iter().any(|name| case.name.starts_with(name)));
    run("mongodb", cases, move || {
        let server = Arc::clone(&server);
        async move {
            let stack: Stack<DatabaseService> = Arc::new(Driven(fresh(&server).await?));
            Ok(stack)
        }
    })
    .await;
}
