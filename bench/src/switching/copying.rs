//! How fast rows are copied and compared between engines, and what others take for the same rows.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value as Json;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;

use super::bare;
use super::data::{MIGRATION, fill_postgres, fill_sqlite};
use super::project::{Project, began};
use super::{DURABLE, Options, name_of};

const MIB: f64 = 1_048_576.0;

/// What one copy took.
#[derive(Serialize)]
pub struct Copied {
    pub from: &'static str,
    pub to: &'static str,
    pub rows: u64,
    /// From the first row read to the last one written.
    pub copying_seconds: f64,
    /// From the start of the switch until the target holds everything, its keys included.
    pub whole_seconds: f64,
    /// What `truststream verify` took for both sides.
    pub verifying_seconds: f64,
    /// The most memory that the gateway held in MiB: before, while it switched, while it compared.
    pub memory_mib: [f64; 3],
    pub other: Option<Other>,
}

/// What something else took for the same rows.
#[derive(Serialize)]
pub struct Other {
    pub name: String,
    pub seconds: f64,
}

/// The servers that copies go between.
struct Servers {
    postgres: PostgresServer,
    mongodb: Option<MongoServer>,
}

/// Measures each pair, and the first one with a tenth of the rows too.
pub async fn run(options: &Options, binary: &Path) -> Result<Vec<Copied>> {
    let mongodb = MongoServer::start().inspect_err(|error| eprintln!("MongoDB is left out: {error}")).ok();
    let servers = Servers { postgres: PostgresServer::start(DURABLE)?, mongodb };
    let mut all = Vec::new();
    for rows in [options.rows / 10, options.rows] {
        all.push(from_sqlite(&servers, binary, rows).await?);
        eprintln!(
            "SQLite to PostgreSQL, {rows} rows: {:.2} s",
            all.last().map_or(0.0, |one| one.copying_seconds)
        );
    }
    all.push(between_postgres(&servers, binary, options.rows).await?);
    if let Some(mongodb) = &servers.mongodb {
        // What was measured before is not lost for a binary that was built without it.
        match to_mongodb(&servers, mongodb, binary, options.rows.min(options.mongodb_rows)).await {
            Ok(copied) => all.push(copied),
            Err(error) => eprintln!("MongoDB is left out: {error:#}"),
        }
    }
    Ok(all)
}

fn on_postgres(name: &str, url: &str) -> String {
    format!(
        "[backend.{name}]\ndatabase = {{ provider = \"postgres\", url = {url:?} }}\nstorage = {{ provider = \"memory\" }}\n"
    )
}

async fn from_sqlite(servers: &Servers, binary: &Path, rows: u64) -> Result<Copied> {
    let target = servers.postgres.new_database()?;
    let mut project = project_from_sqlite(binary, &on_postgres("cloud", &target), rows).await?;
    measured(&mut project, ("SQLite", "PostgreSQL"), rows).await
}

/// A project on SQLite that holds so many rows.
pub async fn project_from_sqlite(binary: &Path, target: &str, rows: u64) -> Result<Project> {
    let settings = format!(
        "active = \"main\"\n[backend.main]\ndatabase = {{ provider = \"sqlite\", path = \"data.db\" }}\n\
         storage = {{ provider = \"memory\" }}\n{target}"
    );
    let project = Project::start(binary, &settings).await?;
    fill_sqlite(&project.folder().join("data.db"), rows)?;
    Ok(project)
}

async fn between_postgres(servers: &Servers, binary: &Path, rows: u64) -> Result<Copied> {
    let (source, target) = (servers.postgres.new_database()?, servers.postgres.new_database()?);
    let settings =
        format!("active = \"main\"\n{}{}", on_postgres("main", &source), on_postgres("cloud", &target));
    let mut project = Project::start(binary, &settings).await?;
    fill_postgres(&servers.postgres, name_of(&source), rows)?;
    let mut copied = measured(&mut project, ("PostgreSQL", "PostgreSQL"), rows).await?;
    project.kill().await?;
    let (plain, other) = (servers.postgres.new_database()?, servers.postgres.new_database()?);
    servers.postgres.sql(name_of(&plain), MIGRATION)?;
    fill_postgres(&servers.postgres, name_of(&plain), rows)?;
    copied.other = Some(bare::cloned(&plain, &other).await?);
    Ok(copied)
}

async fn to_mongodb(servers: &Servers, mongodb: &MongoServer, binary: &Path, rows: u64) -> Result<Copied> {
    let (source, url, database) = (servers.postgres.new_database()?, mongodb.url(), mongodb.new_database());
    let settings = format!(
        "active = \"main\"\n{}[backend.cloud]\ndatabase = {{ provider = \"mongodb\", url = {url:?}, database = {database:?} }}\n\
         storage = {{ provider = \"memory\" }}\n",
        on_postgres("main", &source)
    );
    let mut project = Project::start(binary, &settings).await?;
    fill_postgres(&servers.postgres, name_of(&source), rows)?;
    let mut copied = measured(&mut project, ("PostgreSQL", "MongoDB"), rows).await?;
    project.kill().await?;
    copied.other = Some(bare::inserted(&url, &mongodb.new_database(), rows).await?);
    Ok(copied)
}

async fn measured(
    project: &mut Project,
    (from, to): (&'static str, &'static str),
    rows: u64,
) -> Result<Copied> {
    let before = project.server()?.resident();
    project.server()?.forget_peak()?;
    let record = project.switch("cloud", &["--verify", "none"]).await?;
    let switching = project.server()?.peak();
    project.server()?.forget_peak()?;
    let started = Instant::now();
    project.cli(&["verify", "cloud", "main"]).await?;
    let verifying_seconds = started.elapsed().as_secs_f64();
    let comparing = project.server()?.peak();
    let at = |phase: &str| seconds(&record, phase);
    let following = at("following")?;
    let whole = at("ready")? - at("planned")?;
    Ok(Copied {
        from,
        to,
        rows,
        copying_seconds: following - at("copying")?,
        whole_seconds: whole,
        verifying_seconds,
        memory_mib: [before, switching, comparing].map(|bytes| bytes as f64 / MIB),
        other: None,
    })
}

fn seconds(record: &Json, phase: &str) -> Result<f64> {
    began(record, phase).map(|ms| ms / 1e3).with_context(|| format!("the switch was never {phase}"))
}
