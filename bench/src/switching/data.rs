//! The rows: narrow ones, as many as are asked for, the same on every engine.

use std::path::Path;

use anyhow::Result;
use truststream_conformance::postgres_server::PostgresServer;

/// The table.
pub const MIGRATION: &str = "create table items (id bigint primary key, owner bigint not null, name text not null, \
                             amount integer not null, made timestamptz not null);\n";

/// Fills the table in a PostgreSQL database.
pub fn fill_postgres(server: &PostgresServer, database: &str, rows: u64) -> Result<()> {
    let sql = format!(
        "insert into items select i, i % 1000, 'item number ' || i, i % 997, \
         timestamptz '2026-01-01 00:00:00Z' + i * interval '1 second' from generate_series(1, {rows}) as i"
    );
    server.sql(database, &sql)?;
    server.sql(database, "vacuum analyze items")?;
    Ok(())
}

/// Fills the table in a SQLite database.
pub fn fill_sqlite(file: &Path, rows: u64) -> Result<()> {
    let sql = format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
         insert into items (id, owner, name, amount, made)
         select i, i % 1000, 'item number ' || i, i % 997, 1767225600000000 + i * 1000000 from n"
    );
    let connection = rusqlite::Connection::open(file)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.execute_batch(&sql)?;
    Ok(())
}
