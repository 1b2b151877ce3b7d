//! What would be moved, and why it can't be where it can't.

use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Describe, Migrations, Ping, Problem, Review, TableKind, TableName};

use crate::Side;
use crate::copy::count_rows;

/// What a switch would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// From this backend.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Tables that would be moved.
    pub tables: Vec<TableName>,
    /// Rows in them now.
    pub rows: u64,
    /// Whether objects move too (they don't when both sides share them).
    pub moves_objects: bool,
    /// What the target can't hold.
    pub problems: Vec<Problem>,
}

/// Looks at both sides and changes nothing.
///
/// # Errors
/// When a side does not answer.
pub async fn plan(source: &Side, target: &Side) -> Result<Plan> {
    target.database.send(Ping).await?;
    let catalog = source.database.send(Describe { fresh: true }).await?;
    let mut problems = Vec::new();
    let mut tables = Vec::new();
    for (name, table) in &catalog.tables {
        if table.kind != TableKind::Table || name.schema == "truststream" {
            continue;
        }
        if table.primary_key.is_empty() {
            problems.push(Problem {
                migration: String::new(),
                line: 0,
                statement: format!("table {name}"),
                reason: "it has no primary key, so its rows can't be followed; add one".to_owned(),
            });
            continue;
        }
        tables.push(name.clone());
    }
    let migrations = source.database.send(Migrations).await?;
    problems.extend(target.database.send(Review { migrations }).await?);
    Ok(Plan {
        from: source.name.clone(),
        to: target.name.clone(),
        rows: count_rows(source, &tables).await?,
        tables,
        moves_objects: source.objects_place != target.objects_place,
        problems,
    })
}

impl Plan {
    /// Refuses a plan with problems.
    ///
    /// # Errors
    /// `Unsupported` with the problems as details.
    pub fn check(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let message = format!("{} can't hold everything that {} holds", self.to, self.from);
        let details = serde_json::to_value(&self.problems).unwrap_or_default();
        Err(Error::new(ErrorKind::Unsupported, "0A000", message)
            .with_details(details)
            .with_hint(format!("`truststream switch plan {}` lists what is in the way", self.to)))
    }
}
