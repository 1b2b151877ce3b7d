//! An open transaction with what the layer adds to each step.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use truststream_kernel::{BoxFuture, Context, Error, Result};
use truststream_services::database::{Filter, Insert, Page, Session, Step, Table, TableName};

use super::request::{options, permit};
use super::soft_delete::SoftDelete;
use super::version;

/// A provider's session whose steps are rewritten and checked.
pub(super) struct LayeredSession {
    pub(super) inner: Box<dyn Session>,
    pub(super) soft: Arc<SoftDelete>,
}

impl LayeredSession {
    async fn run(&mut self, cx: &Context, step: &Step) -> Result<Page> {
        permit(cx, step)?;
        let mut step = self.soft.rewrite(step.clone())?;
        if let Some(options) = options(&step).filter(|options| options.if_version.is_some()) {
            let (table, filter) = self.named(&step)?;
            version::check(&mut *self.inner, cx, &table, filter, options).await?;
            forget_version(&mut step);
        }
        let page = self.inner.step(cx, &step).await?;
        Ok(if version::is_whole_row(&step) { version::tell(page) } else { page })
    }

    /// The row that a write with a version is about.
    fn named(&self, step: &Step) -> Result<(TableName, Option<Filter>)> {
        match step {
            Step::Update(op) => Ok((op.table.clone(), op.query.filter.clone())),
            Step::Delete(op) => Ok((op.table.clone(), op.query.filter.clone())),
            Step::Insert(op) => {
                let table = self.soft.catalog.table(&op.table);
                Ok((op.table.clone(), Some(key_of(op, table)?)))
            }
            _ => Err(Error::internal("a step that writes nothing has no version")),
        }
    }
}

/// The key of the one row that an upsert writes.
fn key_of(op: &Insert, table: Option<&Table>) -> Result<Filter> {
    let row = match serde_json::from_slice(op.rows.in_memory().map(|rows| &**rows).unwrap_or_default()) {
        Ok(Json::Object(row)) => Some(row),
        Ok(Json::Array(mut rows)) if rows.len() == 1 => match rows.pop() {
            Some(Json::Object(row)) => Some(row),
            _ => None,
        },
        _ => None,
    };
    let key = table.map(|table| table.primary_key.as_slice()).unwrap_or_default();
    row.filter(|_| !key.is_empty() && op.on_conflict.is_some()).and_then(|row| equal(key, &row)).ok_or_else(
        || Error::invalid_input("a version is expected of one row that is named by its whole key"),
    )
}

fn equal(key: &[String], row: &Map<String, Json>) -> Option<Filter> {
    let one = |column: &String| match row.get(column)? {
        Json::Null => None,
        Json::String(text) => Some(Filter::eq(column, text)),
        other => Some(Filter::eq(column, other.to_string())),
    };
    key.iter().map(one).collect::<Option<_>>().map(Filter::And)
}

fn forget_version(step: &mut Step) {
    match step {
        Step::Insert(op) => op.options.if_version = None,
        Step::Update(op) => op.options.if_version = None,
        Step::Delete(op) => op.options.if_version = None,
        Step::Select(_) | Step::Invoke(_) | Step::Raw(_) | Step::Expect(_) => {}
    }
}

impl Session for LayeredSession {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.run(cx, step))
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        self.inner.end(keep)
    }
}
