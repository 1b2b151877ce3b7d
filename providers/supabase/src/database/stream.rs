//! Rows and changes of another database, through the helper: in one transaction with the position
//! reached, past the triggers of the project.

use serde_json::{Value as Json, json};
use truststream_kernel::{Result, Row};
use truststream_services::database::{Applied, Apply, Column, TableName};

use super::RemoteDatabase;
use super::apply::{Target, targets};

impl RemoteDatabase {
    /// Sends all of it at once; only what each key holds in the end counts.
    pub(super) async fn apply_stream(&self, op: &Apply) -> Result<Applied> {
        let catalog = self.catalog();
        let tables: Json = targets(&catalog, op)?.iter().map(|(name, target)| part(name, target)).collect();
        let arguments = json!({
            "origin": op.origin, "expected": op.expected, "reached": op.position, "tables": tables,
        });
        let applied = self.ask_helper("apply", &arguments, true).await?;
        Ok(if applied == Json::Bool(true) { Applied::Done } else { Applied::Stale })
    }
}

fn part(name: &TableName, target: &Target<'_>) -> Json {
    let present = || target.rows.values().filter(|(_, present)| *present).map(|(row, _)| *row);
    let known = present().next().map(|row| &*row.columns).unwrap_or_default();
    let columns: Vec<&Column> = known.iter().filter_map(|name| target.table.column(name)).collect();
    let keys: Vec<&Column> =
        target.table.primary_key.iter().filter_map(|name| target.table.column(name)).collect();
    let gone = target.rows.values().filter(|(_, present)| !present).map(|(row, _)| texts(&keys, row));
    json!({
        "schema": name.schema,
        "name": name.name,
        "key": target.table.primary_key,
        "columns": columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
        "gone": gone.collect::<Vec<_>>(),
        "rows": present().map(|row| texts(&columns, row)).collect::<Vec<_>>(),
    })
}

/// Values as texts, which PostgreSQL reads by their columns' types.
fn texts(columns: &[&Column], row: &Row) -> Vec<Option<String>> {
    columns.iter().map(|column| row.get(&column.name)?.to_text_as(&column.ty)).collect()
}
