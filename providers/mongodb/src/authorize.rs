//! Policies on rows that are given by value.

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use truststream_kernel::{Context, Result, Row, Value};
use truststream_services::database::{Authorize, PolicyCommand};

use crate::driver::Shared;
use crate::error::convert;
use crate::names::{CATALOG, field};
use crate::plan::Planner;
use crate::storage;
use crate::work::given;

/// Which of the rows the caller's `select` policies admit.
pub(crate) async fn authorize(shared: &Shared, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
    let schema = shared.schema();
    let table = schema.table(&op.table)?;
    let condition = match Planner::new(&schema, cx).using(&op.table, PolicyCommand::Select) {
        Ok(None) => return Ok(vec![true; op.rows.len()]),
        Ok(Some(condition)) => condition,
        Err(error) if error.code() == "42501" => return Ok(vec![false; op.rows.len()]),
        Err(error) => return Err(error),
    };
    if op.rows.is_empty() {
        return Ok(Vec::new());
    }
    let stored = |row: &Row| -> Result<Document> {
        let cell = |column: &truststream_services::database::Column| {
            let value = row.get(&column.name).unwrap_or(&Value::Null);
            Ok((field(&column.name), storage::stored(&schema.catalog, value, &column.ty)?))
        };
        table.columns.iter().map(cell).collect()
    };
    let rows = op.rows.iter().map(stored).collect::<Result<Vec<_>>>()?;
    let mut stages = condition.stages;
    stages.push(doc! { "$project": { "_id": 0, "p": { "$and": [condition.expr] } } });
    let catalog = shared.database.collection::<Document>(CATALOG);
    let mut request = catalog.aggregate(given(&rows, stages));
    if let Some(remaining) = cx.remaining() {
        request = request.max_time(remaining);
    }
    let cursor = request.await.map_err(convert)?;
    let verdicts: Vec<Document> = cursor.try_collect().await.map_err(convert)?;
    Ok(verdicts.iter().map(|one| one.get_bool("p").unwrap_or(false)).collect())
}
