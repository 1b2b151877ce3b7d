//! Deletes.

use mongodb::bson::Bson;
use truststream_kernel::Result;
use truststream_services::database::{Delete, Page, PolicyCommand};

use super::{key_of, writable};
use crate::names::collection;
use crate::plan::Planner;
use crate::work::Work;

impl Work {
    /// Deletes the rows that the query matches.
    pub(crate) async fn delete(&mut self, op: &Delete) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        let table = writable(&schema, &op.table)?;
        Planner::new(&schema, &self.cx).owned(self.owner).check_relations(&op.table, &op.query)?;
        if let Some(page) = self.delete_there((&op.table, table), op).await? {
            return Ok(page);
        }
        let rows = self.targets(&op.table, &op.query, PolicyCommand::Delete).await?;
        let keys: Vec<Bson> = rows.iter().map(key_of).collect();
        // What is returned must be read while it is there.
        let page = self.answer(&op.table, &op.query, &keys, &op.options).await?;
        self.remove(&collection(&op.table), &keys).await?;
        self.release((&op.table, table), &rows, None).await?;
        Ok(page)
    }
}
