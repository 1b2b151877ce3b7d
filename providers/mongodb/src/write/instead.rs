//! Writes to views whose triggers do something else instead.

use mongodb::bson::Document;
use truststream_kernel::{Error, Result, Value};
use truststream_services::database::{
    Column, Delete, Insert, Page, PolicyCommand, Query, Returning, Table, TableKind, TableName, Update,
    WriteOptions,
};

use super::insert::location;
use super::rules::Defaults;
use super::through::Through;
use super::{Named, counted};
use crate::access::Access;
use crate::names::{CATALOG, field};
use crate::plan::{Place, Plan};
use crate::program::{Event, Fired, triggers};
use crate::render::Renderer;
use crate::schema::Schema;
use crate::storage;
use crate::work::{Work, given};

/// The view of a name, if its triggers do what a command says.
pub(super) fn view<'s>(schema: &'s Schema, name: &'s TableName, command: &str) -> Result<Option<Named<'s>>> {
    let view = schema.table(name)?;
    let instead = view.kind != TableKind::Table && !triggers(view, command, true).is_empty();
    Ok(instead.then_some((name, view)))
}

impl Work {
    pub(super) async fn insert_instead(&mut self, op: &Insert, view: Named<'_>) -> Result<Page> {
        if op.on_conflict.is_some() {
            let message = format!("view {} has triggers, and no keys for \"on conflict\"", view.0);
            return Err(Error::unsupported(message));
        }
        let schema = std::sync::Arc::clone(&self.schema);
        schema.relations.check(&op.table, &op.query)?;
        self.may_fire(&schema, view.0, PolicyCommand::Insert)?;
        let given = (&op.rows, op.columns.as_deref(), op.missing_default);
        let rows = self.rows_of(&schema, (view.0, &Through::itself(view)), given).await?;
        self.may_write(view.0, PolicyCommand::Insert, &rows.names())?;
        let event = Event { command: "insert", before: true, columns: None };
        let mut written = Vec::new();
        for row in &rows.rows {
            let whole = self.defaults_of(&schema, view.1)?;
            let mut new = with(&schema, whole, &rows.columns, row)?;
            if self.fire(view, event, None, Some(&mut new)).await? == Fired::Kept {
                written.push(new);
            }
        }
        let mut page = self.answer_instead(view, &op.query, &written, &op.options).await?;
        page.inserted = Some(written.len() as u64);
        if op.options.returning == Returning::HeadersOnly
            && let Some(row) = written.first()
        {
            page.location = location(view.1, row);
        }
        Ok(page)
    }

    /// A row of nothing but the defaults that a view has of its own.
    fn defaults_of(&mut self, schema: &Schema, view: &Table) -> Result<Document> {
        let mut planner = self.planner(schema);
        let defaults = Defaults::new(&mut planner, view)?;
        let columns = view.columns.iter().enumerate();
        columns.map(|(at, column)| Ok((field(&column.name), defaults.of(&mut planner, at)?))).collect()
    }

    pub(super) async fn update_instead(&mut self, op: &Update, view: Named<'_>) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        schema.relations.check(&op.table, &op.query)?;
        let given = (&op.values, op.columns.as_deref(), op.missing_default);
        let values = self.rows_of(&schema, (view.0, &Through::itself(view)), given).await?;
        let names = values.names();
        self.may_fire(&schema, view.0, PolicyCommand::Update)?;
        self.may_write(view.0, PolicyCommand::Update, &names)?;
        let mut written = Vec::new();
        if let Some(row) = values.rows.first().filter(|_| !values.columns.is_empty()) {
            let event = Event { command: "update", before: true, columns: Some(&names) };
            for old in self.matched(&schema, view.0, &op.query).await? {
                let mut new = with(&schema, old.clone(), &values.columns, row)?;
                if self.fire(view, event, Some(&old), Some(&mut new)).await? == Fired::Kept {
                    written.push(new);
                }
            }
        }
        self.answer_instead(view, &op.query, &written, &op.options).await
    }

    pub(super) async fn delete_instead(&mut self, op: &Delete, view: Named<'_>) -> Result<Page> {
        let schema = std::sync::Arc::clone(&self.schema);
        schema.relations.check(&op.table, &op.query)?;
        self.may_fire(&schema, view.0, PolicyCommand::Delete)?;
        let event = Event { command: "delete", before: true, columns: None };
        let mut written = Vec::new();
        for old in self.matched(&schema, view.0, &op.query).await? {
            // Whatever row it returns, the one that was there is the one deleted.
            if self.fire(view, event, Some(&old), None).await? == Fired::Kept {
                written.push(old);
            }
        }
        self.answer_instead(view, &op.query, &written, &op.options).await
    }

    fn may_fire(&self, schema: &Schema, name: &TableName, command: PolicyCommand) -> Result<()> {
        if self.owner {
            return Ok(());
        }
        Access::of(&self.cx).by_columns(true).using(schema, name, command).map(drop)
    }

    /// The rows of the view that a query matches, whole.
    async fn matched(&mut self, schema: &Schema, name: &TableName, query: &Query) -> Result<Vec<Document>> {
        self.judge(name, query, None).await?;
        let plan = self.planner(schema).whole(name, query)?;
        self.documents(plan).await
    }

    /// The page that answers a write of rows as the triggers left them.
    async fn answer_instead(
        &mut self,
        view: Named<'_>,
        query: &Query,
        written: &[Document],
        options: &WriteOptions,
    ) -> Result<Page> {
        let mut page = counted(written.len() as u64, options)?;
        if options.returning == Returning::Representation {
            let schema = std::sync::Arc::clone(&self.schema);
            let shown = Query { filter: None, limit: None, offset: 0, ..query.clone() };
            let level = self.planner(&schema).level(&Place::of(view.0), &shown)?;
            let mut renderer = Renderer::new(&schema.catalog, &level.shape, &options.format)?;
            if !written.is_empty() {
                let stages = given(written, level.stages);
                let plan = Plan { collection: CATALOG.to_owned(), stages };
                self.each(plan, |row| renderer.push(row)).await?;
            }
            (page.body, page.rows) = renderer.finish()?;
        }
        self.replied(page)
    }
}

/// A row with some of its columns changed.
fn with(
    schema: &Schema,
    mut row: Document,
    columns: &[&Column],
    values: &[Option<Value>],
) -> Result<Document> {
    for (column, value) in columns.iter().zip(values) {
        if let Some(value) = value {
            row.insert(field(&column.name), storage::stored(&schema.catalog, value, &column.ty)?);
        }
    }
    Ok(row)
}
