//! Selects.

use bytes::Bytes;
use mongodb::bson::Document;
use truststream_kernel::{Context, Result};
use truststream_services::database::{Format, Media, Page, Query, Select, TableName, errors};

use crate::cancel::Watch;
use crate::driver::Shared;
use crate::error::convert;
use crate::plan::{Plan, Planner, Source};
use crate::render::Renderer;
use crate::storage::integer;
use crate::work::Work;

/// Reads rows, as they come.
pub(crate) async fn select(shared: &Shared, cx: &Context, op: &Select) -> Result<Page> {
    let schema = shared.schema();
    let (plan, shape) =
        Planner::new(&schema, cx).by_columns(true).read(&op.table, &op.query, &Source::Table)?;
    let mut renderer = Renderer::new(&schema.catalog, &shape, &op.format)?;
    let mut watch = Watch::new(&shared.client);
    let pushed = pushed(shared, cx, plan, &watch, &mut renderer).await;
    watch.over();
    pushed?;
    let (body, rows) = renderer.finish()?;
    Ok(Page { body, rows, ..Page::default() })
}

async fn pushed(
    shared: &Shared,
    cx: &Context,
    plan: Plan,
    watch: &Watch,
    renderer: &mut Renderer<'_>,
) -> Result<()> {
    let collection = shared.database.collection::<Document>(&plan.collection);
    let mut request = collection.aggregate(plan.stages).comment(watch.comment());
    if let Some(remaining) = cx.remaining() {
        request = request.max_time(remaining);
    }
    let mut cursor = request.await.map_err(convert)?;
    while cursor.advance().await.map_err(convert)? {
        renderer.push(cursor.current())?;
    }
    Ok(())
}

impl Work {
    /// Reads rows within the transaction.
    pub(crate) async fn select(&mut self, op: &Select) -> Result<Page> {
        self.judge(&op.table, &op.query, None).await?;
        let mut total = None;
        if op.count.is_some() {
            let plan = self.planner(&self.schema).count(&op.table, &op.query)?;
            let counted = self.documents(plan).await?;
            let found = counted.first().and_then(|one| one.get("n")).and_then(integer).unwrap_or(0);
            total = Some(found.unsigned_abs());
        }
        if op.format.media != Media::Object {
            errors::satisfiable(op.query.offset, total)?;
        }
        let (body, rows) = self.rendered(&op.table, &op.query, &Source::Table, &op.format).await?;
        Ok(Page { body, rows, total, ..Page::default() })
    }

    /// Rows in the wanted format, and how many they are.
    pub(crate) async fn rendered(
        &mut self,
        table: &TableName,
        query: &Query,
        source: &Source<'_>,
        format: &Format,
    ) -> Result<(Bytes, u64)> {
        let schema = std::sync::Arc::clone(&self.schema);
        let (plan, shape) = self.planner(&schema).read(table, query, source)?;
        let mut renderer = Renderer::new(&schema.catalog, &shape, format)?;
        self.each(plan, |document| renderer.push(document)).await?;
        renderer.finish()
    }
}
