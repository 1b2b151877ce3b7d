//! Brings a database file to hold as much of a schema as SQLite can: each statement of a JSON array
//! on standard input is a migration of its own, and what is refused is printed with the reason.
//!
//! usage: `host DATABASE < statements.json`

use std::io::Read;
use std::path::PathBuf;

use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{DatabaseDriver, Migrate};
use truststream_sqlite::{Config, SqliteDriver, Synchronous};

/// As much of a statement as is printed.
const SHOWN: usize = 60;

#[tokio::main]
async fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.ok_or_else(|| Error::configuration("the database's path is missing"))?;
    let mut input = String::new();
    std::io::stdin()
        .read_to_string(&mut input)
        .map_err(|error| Error::configuration("standard input can't be read").with_source(error))?;
    let statements: Vec<String> = serde_json::from_str(&input)
        .map_err(|error| Error::configuration("no JSON array of statements").with_source(error))?;
    let config = Config { path, synchronous: Synchronous::Normal, ..Config::default() };
    let driver = SqliteDriver::open(config).await?;
    let cx = Context::system();
    let mut hosted = 0;
    for (at, sql) in statements.iter().enumerate() {
        let name = format!("{at:04}");
        match driver.migrate(&cx, &Migrate { name, sql: sql.clone(), dry_run: false }).await {
            Ok(_) => hosted += 1,
            Err(error) => {
                let first: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                let first: String = first.chars().take(SHOWN).collect();
                let details = error.details().and_then(serde_json::Value::as_str).unwrap_or_default();
                println!("not hosted: {first} — {} {details}", error.message());
            }
        }
    }
    println!("{hosted} of {} statements hosted", statements.len());
    Ok(())
}
