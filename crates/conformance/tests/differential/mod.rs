//! Random databases and requests: every engine answers as PostgreSQL does.
//!
//! 500 requests a run; `TRUSTSTREAM_CASES=10000` asks for more, and `TRUSTSTREAM_SEED=7` for others.
//! A difference is shrunk and printed as a schema, rows and a request that can be run.

mod queries;
mod world;
mod writes;

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::{Context, Driven, Handle, Identity, Result, Stack};
use truststream_mongodb::MongoDriver;
use truststream_postgres::PostgresDriver;
use truststream_services::database::language::render_query;
use truststream_services::database::{
    Arguments, Begin, Count, Database, DatabaseService, Insert, Invoke, Migrate, Query, Select, TableName,
    Transaction,
};
use truststream_sqlite::SqliteDriver;

use queries::{Caller, Case, groups};
use world::{Scope, World};
use writes::{Change, Write};

/// The code of what should never happen.
const INTERNAL: &str = "XX000";
/// Requests on each database.
const EACH: u32 = 25;

fn number(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn runner(cases: u32, seed: u32) -> TestRunner {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let runs = Runs { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Runs::default() };
    TestRunner::new_with_rng(runs, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// A database under test with a world in it.
async fn filled(stack: Stack<DatabaseService>, world: &World) -> Result<Database> {
    let database = Handle::new(stack, Context::system());
    database.send(Migrate { name: "1_world.sql".into(), sql: world.sql(), dry_run: false }).await?;
    for (table, rows) in world.rows() {
        database.send(Insert::new(TableName::public(table), rows)).await?;
    }
    Ok(database)
}

fn context(caller: &Caller) -> Context {
    match caller {
        Caller::System => Context::system(),
        Caller::Anon => Context::role("anon"),
        Caller::User(user, team) => {
            let claims = json!({ "sub": user, "role": "authenticated", "team": team });
            let claims = claims.as_object().cloned().unwrap_or_default();
            Context::of(Identity::new("authenticated", claims))
        }
    }
}

/// The answer in a form that is the same for the same answer.
async fn read(database: &Database, case: &Case) -> Result<String> {
    let database = database.with(context(&case.caller));
    let count = case.count.then_some(Count::Exact);
    let (format, query) = (case.how.format.clone(), case.query.clone());
    let transaction = Transaction { time_zone: case.how.zone.map(str::to_owned), ..Transaction::default() };
    let page = if case.how.called {
        let function = TableName::public(format!("some_{}", case.table));
        let (arguments, read_only) = (Arguments::Json("{}".into()), true);
        database.send(Invoke { function, arguments, query, read_only, count, format, transaction }).await?
    } else {
        let select = Select::new(TableName::public(case.table), query);
        database.send(Select { count, format, transaction, ..select }).await?
    };
    let rows = if groups(&case.query) { sorted(&page.body) } else { compact(&page.body) };
    Ok(format!("{rows} {:?}", page.total))
}

/// What is returned of a write, and every table that it may have touched; then it is undone.
async fn written(database: &Database, case: &Case, write: &Write) -> Result<String> {
    let mut open = database.with(Context::system()).send(Begin::default()).await?;
    let page = match open.step(&context(&case.caller), &write.step(case.table, &case.query)).await {
        Ok(page) => page.unwrap_or_default(),
        Err(error) => {
            // Who comes next would meet rows that are still held.
            open.rollback().await?;
            return Err(error);
        }
    };
    let mut seen = format!("{} {}", page.rows, sorted(&page.body));
    // Of several rows nobody tells the key.
    if page.rows == 1 && matches!(write.change, Change::Insert { .. }) {
        for (column, literal) in &page.location {
            let _ = write!(seen, " {column}={}", literal.as_deref().unwrap_or("null"));
        }
    }
    let table = if case.table == world::VIEW { "children" } else { case.table };
    let touched: Vec<&str> = match write.change {
        Change::Delete => world::TABLES.iter().map(|(name, _)| *name).collect(),
        _ => vec![table],
    };
    for table in touched {
        let all = Query { order: queries::keys(table), ..Query::all() };
        let left = open.step(&Context::system(), &Select::new(TableName::public(table), all).into()).await?;
        seen.push_str(&compact(&left.unwrap_or_default().body));
    }
    open.rollback().await?;
    Ok(seen)
}

/// The answer, or the code of the error.
async fn answer(database: &Database, case: &Case) -> std::result::Result<String, String> {
    let answer = match &case.write {
        None => read(database, case).await,
        Some(write) => written(database, case, write).await,
    };
    answer.map_err(|error| error.code().to_owned())
}

fn compact(body: &[u8]) -> String {
    String::from_utf8_lossy(body).split_ascii_whitespace().collect()
}

/// Rows that come in any order.
fn sorted(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    serde_json::from_slice(body).map_or_else(|error| error.to_string(), |rows| unordered(rows).to_string())
}

/// Arrays and members in one order: groups come in any.
fn unordered(json: Json) -> Json {
    match json {
        Json::Array(elements) => {
            let mut elements: Vec<Json> = elements.into_iter().map(unordered).collect();
            elements.sort_by_cached_key(Json::to_string);
            Json::Array(elements)
        }
        Json::Object(members) => {
            let mut members: Vec<(String, Json)> =
                members.into_iter().map(|(name, value)| (name, unordered(value))).collect();
            members.sort_by(|(left, _), (right, _)| left.cmp(right));
            members.into_iter().collect()
        }
        // Of values that are equal a group shows any.
        Json::String(text) if text == "24:00:00" => "1 day".into(),
        scalar => scalar,
    }
}

/// The request as a command, with all that it needs.
fn shown(world: &World, case: &Case) -> String {
    let mut out = world.sql();
    for (table, rows) in world.rows() {
        let _ = writeln!(out, "-- {table}: {rows}");
    }
    let pairs = render_query(&case.query).unwrap_or_default();
    let called = if case.how.called { "rpc/some_" } else { "" };
    let _ = write!(out, "curl -G \"$URL/rest/v1/{called}{}\"", case.table);
    for (name, value) in pairs {
        let _ = write!(out, " --data-urlencode '{name}={}'", value.replace('\'', "'\\''"));
    }
    let count = if case.count { " -H 'Prefer: count=exact'" } else { "" };
    let how = case.write.as_ref().map_or_else(|| format!("{count}{}", case.how.shown()), Write::shown);
    let _ = writeln!(out, "{how} # as {:?}", case.caller);
    out
}

/// Asks an engine and PostgreSQL the same; what it refuses is at most one of so many requests.
fn compare(scope: Scope, refusals: u32, open: impl AsyncFn() -> Result<Stack<DatabaseService>>) {
    let runtime = Runtime::new().unwrap();
    let server = PostgresServer::start(&[]).unwrap();
    let (cases, seed) = (number("TRUSTSTREAM_CASES", 500), number("TRUSTSTREAM_SEED", 1));
    let mut worlds = runner(1, seed);
    let (answered, refused) = (Cell::new(0), Cell::new(0));
    let mut differences = Vec::new();
    for at in 0..cases.div_ceil(EACH) {
        let world = Arc::new(world::world(scope).new_tree(&mut worlds).unwrap().current());
        let opened = runtime.block_on(async {
            let url = server.new_database().unwrap();
            let postgres = PostgresDriver::connect(truststream_postgres::Config::new(url)).await?;
            let postgres = filled(Arc::new(Driven(postgres)), &world).await?;
            Result::<_>::Ok((filled(open().await?, &world).await?, postgres))
        });
        let (tested, postgres) = opened.unwrap_or_else(|error| panic!("{error:?}\n{}", world.sql()));
        let done = runner(EACH, seed ^ at << 8).run(&queries::case(&world), |case| {
            let (found, wanted) =
                runtime.block_on(async { (answer(&tested, &case).await, answer(&postgres, &case).await) });
            // What PostgreSQL refuses in the same way is an answer.
            if found == Err("0A000".to_owned()) && wanted != found {
                refused.set(refused.get() + 1);
                return Ok(());
            }
            answered.set(answered.get() + u32::from(wanted.is_ok()));
            // Of several mistakes in a request, either may be told.
            if found.is_err() && wanted.is_err() && found != Err(INTERNAL.to_owned()) {
                return Ok(());
            }
            prop_assert_eq!(found, wanted);
            Ok(())
        });
        match done {
            Ok(()) => {}
            Err(TestError::Fail(why, case)) => differences.push(format!("{why}\n{}", shown(&world, &case))),
            Err(error @ TestError::Abort(_)) => panic!("{error}"),
        }
    }
    let (answered, refused) = (answered.get(), refused.get());
    assert!(differences.is_empty(), "{} differences\n\n{}", differences.len(), differences.join("\n"));
    println!("{cases} requests: {answered} answered alike, {refused} refused in words");
    assert!(answered > cases / 3, "only {answered} of {cases} requests had an answer");
    assert!(refused < cases / refusals + 1, "{refused} of {cases} requests were refused");
}

#[test]
fn sqlite_answers_as_postgres_does() {
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    compare(Scope { functions: true }, 20, async || {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.db", number.get()));
        let config = truststream_sqlite::Config { path, ..Default::default() };
        Ok(Arc::new(Driven(SqliteDriver::open(config).await?)) as Stack<DatabaseService>)
    });
}

#[test]
fn mongodb_answers_as_postgres_does() {
    let server = MongoServer::start().unwrap();
    compare(Scope { functions: true }, 20, async || {
        let database = Some(server.new_database());
        let mut config =
            truststream_mongodb::Config { database, ..truststream_mongodb::Config::new(server.url()) };
        config.connect_timeout_s = 120;
        Ok(Arc::new(Driven(MongoDriver::open(config).await?)) as Stack<DatabaseService>)
    });
}
