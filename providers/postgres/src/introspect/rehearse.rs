//! What migrations make of an empty database, which is made for it and dropped.

use tokio_postgres::Client;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Introspection, Migrate, Rehearse};

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::install::flag;

/// Whether TrustStream set the database up when it was empty.
const IS_SET_UP: &str = "select exists (select from truststream.settings where name = 'set_up')";

impl PostgresDriver {
    /// What migrations make of a database of the same server, which gives to new tables what this one
    /// gives them.
    pub(crate) async fn rehearsed(&self, op: &Rehearse) -> Result<Introspection> {
        let name = format!("truststream_rehearsal_{}", uuid::Uuid::new_v4().simple());
        let connection = self.own().await?;
        let given = given(&connection).await?;
        let made = connection.batch_execute(&format!("create database {name} template template0")).await;
        made.map_err(|error| {
            let why = "a database to rehearse migrations in can't be made";
            Error::configuration(why).with_hint("grant createdb to the role that connects").with_source(error)
        })?;
        let found = Box::pin(self.rehearsed_in(&name, &given, op)).await;
        let dropped = connection.batch_execute(&format!("drop database {name} with (force)")).await;
        connection.give_back();
        if let Err(error) = dropped {
            tracing::warn!(?error, database = name, "the rehearsal's database is left behind");
        }
        found
    }

    async fn rehearsed_in(&self, name: &str, given: &str, op: &Rehearse) -> Result<Introspection> {
        let config = self.shared.config.beside(name)?;
        let driver = PostgresDriver::connect(config).await?;
        let connection = driver.own().await?;
        connection.batch_execute(given).await.map_err(failed)?;
        connection.give_back();
        for migration in &op.migrations {
            let migrate =
                Migrate { name: migration.name.clone(), sql: migration.sql.clone(), dry_run: false };
            driver.apply_migration(&migrate).await?;
        }
        driver.found_out().await
    }
}

/// The statements after which a database that was set up gives what this one gives.
async fn given(client: &Client) -> Result<String> {
    if flag(client, IS_SET_UP).await? {
        return Ok(String::new());
    }
    let mut script = include_str!("bare.sql").to_owned();
    for row in client.query_typed(include_str!("mirror.sql"), &[]).await.map_err(failed)? {
        let statement: &str = row.try_get(0).map_err(failed)?;
        script.push_str(&format!("{statement};\n"));
    }
    Ok(script)
}
