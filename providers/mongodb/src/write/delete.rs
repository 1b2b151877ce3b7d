//! Deletes.

use mongodb::bson::{Bson, Document};
use truststream_kernel::Result;
use truststream_services::database::{Delete, Page, PolicyCommand};

use super::through::Through;
use super::{instead, key_of};
use crate::names::collection;
use crate::work::Work;

impl Work {
    /// Deletes the rows that the query matches.
    pub(crate) async fn delete(&mut self, op: &Delete) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        if let Some(view) = instead::view(&schema, &op.table, "delete")? {
            return self.delete_instead(op, view).await;
        }
        self.judge(&op.table, &op.query, None).await?;
        let through = Through::find(&schema, &op.table)?;
        let named = through.named;
        schema.relations.check(&op.table, &op.query)?;
        if !through.is_view()
            && let Some(page) = self.delete_there(named, op).await?
        {
            return Ok(page);
        }
        let returned = op.options.returning.reads(schema.table(&op.table)?);
        let rows = self.targets(&op.table, &through, &op.query, (PolicyCommand::Delete, returned)).await?;
        let rows = self.before_delete(named, rows).await?;
        let keys: Vec<Bson> = rows.iter().map(key_of).collect();
        // What is returned must be read while it is there.
        let written: Vec<&Document> = rows.iter().collect();
        let page = self.answer(&op.table, &op.query, &written, &op.options).await?;
        self.remove(&collection(named.0), &keys).await?;
        self.release(named, &rows, None).await?;
        self.after_delete(named, &rows).await?;
        Ok(page)
    }
}
