//! What the same rows take without TrustStream.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mongodb::Client;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::WriteConcern;
use tokio::process::Command;

use super::copying::Other;

/// Documents inserted at once.
const AT_ONCE: u64 = 10_000;

/// Clones a PostgreSQL database with pgcopydb, or where that is not installed with `pg_dump` and `psql`.
pub async fn cloned(source: &str, target: &str) -> Result<Other> {
    let folder = tempfile::tempdir()?;
    let pgcopydb = Command::new("pgcopydb").arg("version").output().await.is_ok();
    let (name, mut command) = if pgcopydb {
        let mut command = Command::new("pgcopydb");
        command
            .args(["clone", "--source", source, "--target", target, "--dir"])
            .arg(folder.path().join("work"));
        ("pgcopydb clone", command)
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", "pg_dump \"$1\" | psql -q \"$2\"", "sh", source, target]);
        ("pg_dump | psql", command)
    };
    let began = Instant::now();
    let output = command.output().await.with_context(|| format!("running {name}"))?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Other { name: name.to_owned(), seconds })
}

/// Inserts the rows into MongoDB in a bare loop, each batch acknowledged as our writes are.
pub async fn inserted(url: &str, database: &str, rows: u64) -> Result<Other> {
    let database = Client::with_uri_str(url).await?.database(database);
    let collection = database.collection::<Document>("items");
    let durable = WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority).journal(true).build();
    let began = Instant::now();
    for first in (1..=rows).step_by(AT_ONCE as usize) {
        let batch: Vec<Document> = (first..(first + AT_ONCE).min(rows + 1)).map(document).collect();
        collection.insert_many(batch).write_concern(durable.clone()).await?;
    }
    Ok(Other { name: "insert_many in a loop".to_owned(), seconds: began.elapsed().as_secs_f64() })
}

fn document(id: u64) -> Document {
    let number = id.cast_signed();
    doc! {
        "_id": number,
        "owner": number % 1000,
        "name": format!("item number {id}"),
        "amount": number % 997,
        "made": DateTime::from_millis(1_767_225_600_000 + number * 1000),
    }
}
