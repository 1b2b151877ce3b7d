//! The database of a project: through the gateway that runs for it, or opened here.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use truststream_kernel::{Call, Context, Error, Features, Result};
use truststream_runtime::{Config, Runtime};
use truststream_services::database::{Database, DatabaseOp, DatabaseReply, DatabaseService};
use url::form_urlencoded;

use super::config::load_options;
use super::schema_source::of_gateway;
use crate::Common;
use crate::client::AdminClient;
use crate::failure::Done;

/// A database that migrations can be applied to and schemas asked of.
pub struct Reached {
    database: Database,
    opened: Option<Arc<Runtime>>,
}

impl Reached {
    /// The database of a backend, or of the one that serves.
    pub async fn open(common: &Common, backend: Option<&str>) -> Done<Self> {
        if let Ok(client) = AdminClient::find(common)
            && client.runs().await
        {
            let gateway = Gateway { client, backend: backend.map(str::to_owned) };
            let database = Database::new(Arc::new(gateway), Context::system());
            return Ok(Reached { database, opened: None });
        }
        let config = Config::load(&common.project, &load_options(common, true))?;
        let runtime = Runtime::open(config).await?;
        let database = runtime.database_of(backend).await?;
        Ok(Reached { database, opened: Some(runtime) })
    }

    /// Does something with it and lets it go.
    pub async fn with<T>(self, work: impl AsyncFnOnce(&Database) -> Done<T>) -> Done<T> {
        let done = work(&self.database).await;
        if let Some(runtime) = &self.opened {
            runtime.close(Duration::from_secs(10)).await;
        }
        done
    }
}

/// Migrations and schemas of the database behind a running gateway.
struct Gateway {
    client: AdminClient,
    backend: Option<String>,
}

impl Gateway {
    async fn ask<T: DeserializeOwned>(&self, operation: &str, body: &impl Serialize) -> Result<T> {
        let backend = self.backend.as_deref().map(|name| {
            let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            format!("?backend={encoded}")
        });
        let unreadable = |error: serde_json::Error| {
            Error::internal("the gateway speaks another version").with_source(error)
        };
        let path = format!("schema/{operation}{}", backend.unwrap_or_default());
        let body = serde_json::to_value(body).map_err(unreadable)?;
        let answer = self.client.post(&path, &body).await.map_err(|failure| failure.into_error())?;
        serde_json::from_value(answer).map_err(unreadable)
    }

    async fn answer(&self, op: &DatabaseOp) -> Result<DatabaseReply> {
        Ok(match op {
            DatabaseOp::Migrations(_) => DatabaseReply::Migrations(self.ask("migrations", &json!({})).await?),
            DatabaseOp::Review(op) => DatabaseReply::Review(self.ask("review", op).await?),
            DatabaseOp::Migrate(op) => DatabaseReply::Migrate(self.ask("migrate", op).await?),
            DatabaseOp::Revert(op) => DatabaseReply::Revert(self.ask("revert", op).await?),
            DatabaseOp::Adopt(op) => DatabaseReply::Adopt(self.ask("adopt", op).await?),
            DatabaseOp::Introspect(op) => DatabaseReply::Introspect(self.ask("introspect", op).await?),
            DatabaseOp::Rehearse(op) => DatabaseReply::Rehearse(self.ask("rehearse", op).await?),
            DatabaseOp::Describe(_) => {
                let catalog = of_gateway(&self.client, self.backend.as_deref()).await;
                DatabaseReply::Describe(Arc::new(catalog.map_err(|failure| failure.into_error())?))
            }
            _ => return Err(Error::unsupported("the admin API has no such operation")),
        })
    }
}

impl Call<DatabaseService> for Gateway {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        self.answer(op).boxed()
    }
}
