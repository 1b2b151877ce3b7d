//! Deletes.

use mongodb::bson::Bson;
use truststream_kernel::Result;
use truststream_services::database::{Delete, Page, PolicyCommand};

use super::key_of;
use super::through::Through;
use crate::names::collection;
use crate::plan::Planner;
use crate::work::Work;

impl Work {
    /// Deletes the rows that the query matches.
    pub(crate) async fn delete(&mut self, op: &Delete) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        let through = Through::find(&schema, &op.table)?;
        let named = through.named;
        Planner::new(&schema, &self.cx).owned(self.owner).check_relations(&op.table, &op.query)?;
        if !through.is_view()
            && let Some(page) = self.delete_there(named, op).await?
        {
            return Ok(page);
        }
        let rows = self.targets(&op.table, &through, &op.query, PolicyCommand::Delete).await?;
        let keys: Vec<Bson> = rows.iter().map(key_of).collect();
        // What is returned must be read while it is there.
        let page = self.answer(&op.table, &op.query, &keys, &op.options).await?;
        self.remove(&collection(named.0), &keys).await?;
        self.release(named, &rows, None).await?;
        Ok(page)
    }
}
