//! Where a command takes the schema of a project from.

use std::time::Duration;

use clap::ValueEnum;
use truststream_kernel::Error;
use truststream_runtime::{Config, ProjectFiles, Runtime};
use truststream_services::database::{Catalog, Describe};

use super::config::load_options;
use crate::Common;
use crate::client::AdminClient;
use crate::failure::Done;

/// Where the schema is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The gateway that runs for the project
    Gateway,
    /// The project's backend, opened by this command
    Backend,
    /// The migration files alone, without any database
    Migrations,
}

/// The schema of a project; by default from a gateway that runs, else from the migration files if there
/// are any, else from the backend.
pub async fn catalog(common: &Common, asked: Option<Source>, backend: Option<&str>) -> Done<Catalog> {
    if asked == Some(Source::Migrations) && backend.is_some() {
        let error = Error::configuration("migration files belong to no backend");
        return Err(error.with_hint("leave --backend out, or say --from backend").into());
    }
    let files = ProjectFiles::find(&common.project)?;
    match asked {
        Some(Source::Gateway) => of_gateway(&AdminClient::find(common)?, backend).await,
        Some(Source::Backend) => of_backend(common, backend).await,
        Some(Source::Migrations) => of_files(&files),
        None => match AdminClient::find(common) {
            Ok(client) => of_gateway(&client, backend).await,
            Err(_) if backend.is_none() && !files.migrations.is_empty() => of_files(&files),
            Err(_) => of_backend(common, backend).await,
        },
    }
}

/// The schema of a backend, or of the one that serves, as the gateway that runs for the project tells it.
pub async fn of_gateway(client: &AdminClient, backend: Option<&str>) -> Done<Catalog> {
    let path = match backend {
        Some(name) => format!(
            "catalog?{}",
            url::form_urlencoded::Serializer::new(String::new()).append_pair("backend", name).finish()
        ),
        None => "catalog".to_owned(),
    };
    let told = client.get(&path).await?;
    let read = serde_json::from_value(told);
    Ok(read.map_err(|error| {
        Error::internal("the gateway's catalog can't be read: is it of another version?").with_source(error)
    })?)
}

async fn of_backend(common: &Common, backend: Option<&str>) -> Done<Catalog> {
    let config = Config::load(&common.project, &load_options(common, true))?;
    let project = Runtime::open(config).await?;
    let found = match project.database_of(backend).await {
        Ok(database) => database.send(Describe { fresh: true }).await,
        Err(error) => Err(error),
    };
    project.close(Duration::from_secs(1)).await;
    Ok(found?.as_ref().clone())
}

fn of_files(files: &ProjectFiles) -> Done<Catalog> {
    if files.migrations.is_empty() {
        let error = Error::configuration("the project has no migration files");
        return Err(error.with_hint("they are looked for in migrations/ and supabase/migrations/").into());
    }
    let read = files.read()?;
    for left in &read.left_out {
        eprintln!("warning: {left}");
    }
    Ok(read.catalog)
}
