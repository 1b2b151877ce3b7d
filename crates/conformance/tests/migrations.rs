//! Migrations leave the same rows on SQLite and on PostgreSQL.

use serde_json::Value as Json;
use tokio::runtime::Runtime;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::Context;
use truststream_postgres::PostgresDriver;
use truststream_services::database::{
    DatabaseDriver, Describe, Migrate, Query, Select, TableKind, TableName,
};
use truststream_sqlite::SqliteDriver;

macro_rules! scripts {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("migrations/", $name, ".sql")))),*]
    };
}

const SCRIPTS: &[(&str, &str)] = scripts!(
    "copies",
    "deferred_keys",
    "domains",
    "keys",
    "names",
    "sequences",
    "trigger_variables",
    "trigger_writes",
    "types"
);

/// The rows that a script leaves, table by table, in the order of their texts.
async fn rows(driver: &impl DatabaseDriver, sql: &str) -> Vec<(String, Vec<String>)> {
    let system = Context::system();
    let op = Migrate { name: "1".into(), sql: sql.into(), dry_run: false };
    driver.migrate(&system, &op).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    let catalog = driver.describe(&system, &Describe { fresh: true }).await.unwrap();
    let mut all = Vec::new();
    let mut tables: Vec<&TableName> =
        catalog.tables.keys().filter(|table| table.schema == "public").collect();
    tables.sort();
    for table in tables {
        let page = driver.select(&system, &Select::new(table.clone(), Query::all())).await.unwrap();
        let found: Vec<Json> = serde_json::from_slice(&page.body).unwrap();
        let mut rows: Vec<String> = found.iter().map(ToString::to_string).collect();
        rows.sort();
        let kind = if catalog.tables[table].kind == TableKind::Table { "table" } else { "view" };
        all.push((format!("{kind} {}", table.name), rows));
    }
    all
}

#[test]
fn migrations_leave_the_same_rows() {
    let server = PostgresServer::start(&[]).unwrap();
    let runtime = Runtime::new().unwrap();
    for (name, sql) in SCRIPTS {
        let database = server.new_database().unwrap();
        let (here, there) = runtime.block_on(async {
            let sqlite = SqliteDriver::in_memory(Default::default()).await.unwrap();
            let postgres =
                PostgresDriver::connect(truststream_postgres::Config::new(database)).await.unwrap();
            (rows(&sqlite, sql).await, Box::pin(rows(&postgres, sql)).await)
        });
        assert!(!there.is_empty(), "{name}");
        assert_eq!(here, there, "{name}");
    }
}
