//! Brings a database to hold as much of a schema as its engine can: the statements of a JSON array on
//! standard input. What is refused is printed with the reason.
//!
//! usage: `host FILE|mongodb://… < statements.json`

use std::io::Read;

use truststream_kernel::{Context, Error, Result};
use truststream_mongodb::MongoDriver;
use truststream_services::database::{AppliedMigration, DatabaseDriver, Migrate, Review};
use truststream_sqlite::{Config, SqliteDriver, Synchronous};

/// As much of a statement as is printed.
const SHOWN: usize = 60;
/// Statements that are one migration where each migration costs the server much.
const BATCH: usize = 40;

#[tokio::main]
async fn main() -> Result<()> {
    let place = std::env::args().nth(1);
    let place = place.ok_or_else(|| Error::configuration("the database is missing"))?;
    let mut input = String::new();
    std::io::stdin()
        .read_to_string(&mut input)
        .map_err(|error| Error::configuration("standard input can't be read").with_source(error))?;
    let statements: Vec<String> = serde_json::from_str(&input)
        .map_err(|error| Error::configuration("no JSON array of statements").with_source(error))?;
    let hosted = if place.starts_with("mongodb://") {
        let driver = MongoDriver::open(truststream_mongodb::Config::new(place)).await?;
        let mut hosted = 0;
        for (at, batch) in statements.chunks(BATCH).enumerate() {
            hosted += together(&driver, &format!("{at:04}"), batch).await?;
        }
        hosted
    } else {
        let config = Config { path: place.into(), synchronous: Synchronous::Normal, ..Config::default() };
        one_by_one(&SqliteDriver::open(config).await?, &statements).await
    };
    println!("{hosted} of {} statements hosted", statements.len());
    Ok(())
}

/// Each statement as a migration of its own; how many the engine took.
async fn one_by_one(driver: &impl DatabaseDriver, statements: &[String]) -> usize {
    let cx = Context::system();
    let mut hosted = 0;
    for (at, sql) in statements.iter().enumerate() {
        let name = format!("{at:04}");
        match driver.migrate(&cx, &Migrate { name, sql: sql.clone(), dry_run: false }).await {
            Ok(_) => hosted += 1,
            Err(error) => refused(sql, &reason(&error)),
        }
    }
    hosted
}

/// Statements as one migration, without those that the engine refuses; how many it took.
async fn together(driver: &impl DatabaseDriver, name: &str, statements: &[String]) -> Result<usize> {
    let cx = Context::system();
    let mut left: Vec<&String> = statements.iter().collect();
    loop {
        let (sql, begins) = script(&left);
        let at = |line: usize| begins.partition_point(|begin| *begin <= line).saturating_sub(1);
        let migration = AppliedMigration { name: name.to_owned(), sql: sql.clone() };
        let problems = driver.review(&cx, &Review { migrations: vec![migration] }).await?;
        let mut wrong: Vec<(usize, String)> =
            problems.iter().map(|problem| (at(problem.line), problem.reason.clone())).collect();
        if wrong.is_empty() {
            let migrate = Migrate { name: name.to_owned(), sql, dry_run: false };
            let Err(error) = driver.migrate(&cx, &migrate).await else { return Ok(left.len()) };
            let Some(line) = line_of(error.message()) else { return Err(error) };
            wrong.push((at(line), reason(&error)));
        }
        wrong.dedup_by_key(|(at, _)| *at);
        for (at, why) in wrong.iter().rev() {
            refused(left.remove(*at), why);
        }
    }
}

/// Statements as one script, and the line that each begins on.
fn script(statements: &[&String]) -> (String, Vec<usize>) {
    let (mut sql, mut begins, mut line) = (String::new(), Vec::new(), 1);
    for statement in statements {
        begins.push(line);
        sql.push_str(statement);
        sql.push_str(";\n");
        line += statement.matches('\n').count() + 1;
    }
    (sql, begins)
}

/// The line that a failed migration names.
fn line_of(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("failed at line ")?;
    rest.split(':').next()?.parse().ok()
}

fn reason(error: &Error) -> String {
    let details = error.details().and_then(serde_json::Value::as_str).unwrap_or_default();
    format!("{} {details}", error.message())
}

fn refused(sql: &str, reason: &str) {
    let first: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let first: String = first.chars().take(SHOWN).collect();
    println!("not hosted: {first} — {reason}");
}
