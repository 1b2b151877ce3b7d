//! The suite that every provider must pass, against projects on SQLite and on PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use truststream_conformance::passing::Passing;
use truststream_conformance::{Case, database, only, run};
use truststream_kernel::{BoxFuture, Call, Context, Driven, FeatureSet, Features, Result, Stack};
use truststream_services::database::{
    AppliedMigration, Database, DatabaseOp, DatabaseReply, DatabaseService, Describe, Migrate, Prepare,
    PrepareClaimed,
};
use truststream_supabase::RemoteDatabase;

use crate::support::{MEMORY, Remote, install_helper, passing_on_postgres};

/// What no data API can do, which is refused (`refusals.rs`), and what its description does not tell.
const BEYOND: &[&str] = &[
    // Rows arrive without a position of their stream (`moving.rs`).
    "apply::",
    "batches::",
    "prepare::",
    // How precise a `numeric` is isn't described; values of each kind are compared in `moving.rs`.
    "scanning::every_type_is_read",
    "schemas::",
    "transactions::in_one_call",
    "concurrency::readers_see_whole_transactions",
    "migrations::",
    "policies::rows_are_authorized_by_value",
    // The project serves one schema.
    "representations::are_named_in_errors_as_a_session_finds_them",
    // Who asks with a key owns no sequence there.
    "truncation::lets_numbers_begin_anew",
    "truncation::is_undone_by_handlers",
    // A status that a function chose is not told from the project's own.
    "computed::settings_and_the_reply",
];

/// A project's database, whose schema is made from the inside.
struct Outside {
    remote: Stack<DatabaseService>,
    inside: Database,
    project: Remote,
}

/// What its project does in the background would ask for its database when that is gone.
impl Drop for Outside {
    fn drop(&mut self) {
        let inside = Arc::clone(&self.project.inside);
        tokio::spawn(async move { inside.close(Duration::ZERO).await });
    }
}

impl Call<DatabaseService> for Outside {
    fn features(&self) -> Features {
        let declared = self.remote.features().supported();
        let missing = declared.minus(self.inside.stack().features().supported());
        Features { native: declared.minus(missing), emulated: FeatureSet::EMPTY }
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        Box::pin(async move {
            match op {
                DatabaseOp::Migrate(_) => {
                    let reply = self.inside.stack().call(cx, op).await?;
                    self.remote.call(&Context::system(), &Describe { fresh: true }.into()).await?;
                    Ok(reply)
                }
                // Its schema is made in the project, as whoever switches to it does.
                DatabaseOp::Prepare(Prepare::Begin { migrations })
                | DatabaseOp::PrepareClaimed(PrepareClaimed {
                    step: Prepare::Begin { migrations }, ..
                }) => {
                    for AppliedMigration { name, sql } in migrations {
                        let migrate = Migrate { name: name.clone(), sql: sql.clone(), dry_run: false };
                        self.inside.send(migrate).await?;
                    }
                    self.remote.call(cx, op).await
                }
                DatabaseOp::Migrations(_) | DatabaseOp::Review(_) => self.inside.stack().call(cx, op).await,
                _ => self.remote.call(cx, op).await,
            }
        })
    }
}

async fn fresh(database: &str) -> Result<Stack<DatabaseService>> {
    let project = Remote::start(database).await;
    let remote = Arc::new(Driven(RemoteDatabase::connect(&project.with_secret()).await?));
    let inside = project.inside.database().clone();
    Ok(Arc::new(Outside { remote, inside, project }))
}

/// A project with the helper.
async fn helped() -> Result<Stack<DatabaseService>> {
    static PASSING: Passing = Passing::new();
    let database = passing_on_postgres(&PASSING);
    let project = Remote::start(&database).await;
    install_helper(&database);
    project.inside.database().send(Describe { fresh: true }).await?;
    let remote = Arc::new(Driven(RemoteDatabase::connect(&project.with_secret()).await?));
    let inside = project.inside.database().clone();
    Ok(Arc::new(Outside { remote, inside, project }))
}

fn reached(case: &Case<DatabaseService>) -> bool {
    !BEYOND.iter().any(|beyond| case.name.starts_with(beyond))
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_sqlite() {
    run("supabase", only(database::CASES, reached), || fresh(MEMORY)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_postgres() {
    // Those that need a feature or a type of PostgreSQL's; a project on it takes its time to start.
    let own =
        |case: &Case<DatabaseService>| !(case.needs)().is_empty() || case.name.starts_with("scanning::");
    let cases = only(database::CASES, |case| reached(case) && own(case));
    static PASSING: Passing = Passing::new();
    run("supabase", cases, || async { fresh(&passing_on_postgres(&PASSING)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_with_the_helper() {
    let moves = |case: &Case<DatabaseService>| {
        let parts = ["apply::", "feed::", "migrations::are_named", "prepare::", "scanning::"];
        parts.iter().any(|part| case.name.starts_with(part))
            && !case.name.starts_with("scanning::every_type_is_read")
            // It is a batch.
            && !case.name.starts_with("feed::what_is_rolled_back")
    };
    run("supabase with the helper", only(database::CASES, moves), helped).await;
}
