//! What would be moved, and why it can't be where it can't.

use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Catalog, Describe, Migrations, Ping, Problem, Review, Table, TableKind, TableName,
};

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
    for (name, table) in moved(&catalog) {
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

/// Tables whose rows are moved, if they have a key.
pub(crate) fn moved(catalog: &Catalog) -> impl Iterator<Item = (&TableName, &Table)> {
    let own = |name: &TableName| name.schema == "truststream";
    catalog.tables.iter().filter(move |(name, table)| table.kind == TableKind::Table && !own(name))
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
