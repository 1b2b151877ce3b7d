//! What a project can do once TrustStream's helper script was run in it: a feed of changes, and rows of
//! another database in one transaction with their position.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{AppliedMigration, Catalog, Position, TableKind, TableName};
use truststream_sql::printed::with_change_log;

use super::RemoteDatabase;
use crate::client::{Client, json as read_json, send, with_json};
use crate::error::{malformed, of_data_api};

/// What is pasted into a project's SQL editor, so that a switch can start from it or end there.
#[must_use]
pub fn helper_script() -> String {
    with_change_log(include_str!("helper.sql"), "truststream_remote")
}

/// The version of the script that this code calls.
const VERSION: u64 = 3;

/// How its functions are named.
const PREFIX: &str = "truststream_";

/// Whether the helper is in the project.
#[derive(Default)]
pub(super) struct Helper(AtomicBool);

impl Helper {
    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Finds it among what the project describes, where it is nobody else's.
    ///
    /// # Errors
    /// `BACKEND_002` for a helper of another version.
    pub(super) async fn find(&self, client: &Client, catalog: &mut Catalog) -> Result<()> {
        let own = |name: &TableName| name.schema == "public" && name.name.starts_with(PREFIX);
        let functions = catalog.functions.len();
        catalog.functions.retain(|function| !own(&function.name));
        let is_there = catalog.functions.len() < functions;
        if is_there {
            let version = call(client, "version", &json!({}), false).await?;
            if version.as_u64() != Some(VERSION) {
                let message = format!("the project's helper is of version {version}, not {VERSION}");
                return Err(Error::configuration(message).with_hint(
                    "run in the project what `truststream remote script` prints; nothing is lost by it",
                ));
            }
            mark_views(client, catalog).await?;
        }
        self.0.store(is_there, Ordering::Release);
        Ok(())
    }
}

/// Rows of views are not moved.
async fn mark_views(client: &Client, catalog: &mut Catalog) -> Result<()> {
    #[derive(Deserialize)]
    struct Named {
        schema: String,
        name: String,
    }
    let views: Vec<Named> =
        serde_json::from_value(call(client, "views", &json!({}), false).await?).map_err(malformed)?;
    for Named { schema, name } in views {
        if let Some(view) = catalog.tables.get_mut(&TableName::new(schema, name)) {
            let (insertable, updatable, deletable) = (true, true, true);
            view.kind = TableKind::View {
                definition: String::new(),
                insertable,
                updatable,
                deletable,
                invoker: false,
                materialized: false,
            };
        }
    }
    Ok(())
}

async fn call(client: &Client, function: &str, arguments: &Json, writes: bool) -> Result<Json> {
    let name = format!("{PREFIX}{function}");
    let key = client.credentials().service_key();
    let request = client
        .with_bearer(key, Method::POST, &["rest", "v1", "rpc", &name])?
        .header("content-profile", "public");
    let reply = send(with_json(request, arguments), writes).await?;
    if !reply.status.is_success() {
        return Err(of_data_api(&reply, writes));
    }
    if reply.body.is_empty() { Ok(Json::Null) } else { read_json(&reply) }
}

impl RemoteDatabase {
    /// Calls a function of the helper.
    ///
    /// # Errors
    /// `0A000` where it is not in the project; whatever the function raises.
    pub(super) async fn ask_helper(&self, function: &str, arguments: &Json, writes: bool) -> Result<Json> {
        if !self.helper.is_there() {
            // Somebody may have run it since.
            self.renew().await?;
        }
        if !self.helper.is_there() {
            let message = "a remote project's data API has no ordered feed of changes, and no transaction for rows \
                           with their position";
            return Err(Error::unsupported(message).with_hint(
                "run in the project what `truststream remote script` prints; with the connection string of its \
                 database, `provider = \"postgres\"` needs no script",
            ));
        }
        call(&self.client, function, arguments, writes).await
    }

    /// Where a stream of another database's changes stands.
    pub(super) async fn stream_position(&self, origin: &str) -> Result<Option<Position>> {
        let position = self.ask_helper("position", &json!({ "origin": origin }), false).await?;
        serde_json::from_value(position).map_err(malformed)
    }

    /// The names of what made the schema, if the project has recorded it: texts stay there.
    pub(super) async fn names_of_migrations(&self) -> Result<Vec<String>> {
        match self.ask_helper("migration_names", &json!({}), false).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
            recorded => serde_json::from_value(recorded?).map_err(malformed),
        }
    }

    /// What made the schema, if the project has recorded it.
    pub(super) async fn recorded_migrations(&self) -> Result<Vec<AppliedMigration>> {
        match self.ask_helper("migrations", &json!({}), false).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
            recorded => serde_json::from_value(recorded?).map_err(malformed),
        }
    }
}

/// Tables as the helper's functions take them.
pub(super) fn named<'t>(tables: impl IntoIterator<Item = &'t TableName>) -> Json {
    tables.into_iter().map(|table| json!({ "schema": table.schema, "name": table.name })).collect()
}
