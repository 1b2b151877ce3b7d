//! The operations of applications: each is planned, rendered, run and judged.

use bytes::Bytes;
use serde_json::Value as Json;
use tokio_postgres::Row;
use truststream_kernel::value::Rows;
use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{
    Arguments, Count, Delete, Insert, Invoke, Media, Page, Select, Transaction, Update, WriteOptions, errors,
};

use crate::driver::PostgresDriver;
use crate::error::failed;
use crate::page::{affected, named_row, page, singular};
use crate::pieces::{Pieced, Pieces};
use crate::render::{self, Callable, Statement};
use crate::schema::Schema;
use crate::transaction::Scope;
use crate::values::Values;
use crate::wire::Raw;

impl PostgresDriver {
    pub(crate) async fn read(&self, cx: &Context, op: &Select) -> Result<Page> {
        let schema = self.schema();
        if op.as_values
            && self.shared.config.prepares()
            && let Some(page) = Box::pin(self.read_values(cx, &schema, op)).await?
        {
            return Ok(page);
        }
        let statement = render::select(&schema, op, self.shared.config.estimate_above)?;
        let scope = Scope { read_only: true, ..scope(&schema, &op.table.schema, &op.transaction) };
        let mut found = self.run(cx, &scope, &statement, |page| singular(&op.format.media, page)).await?;
        Box::pin(self.estimate(cx, &schema, op, &mut found)).await?;
        if op.format.media != Media::Object {
            errors::satisfiable(op.query.offset, found.total)?;
        }
        Ok(found)
    }

    /// A read whose rows are taken as values, where they can be.
    async fn read_values(&self, cx: &Context, schema: &Schema, op: &Select) -> Result<Option<Page>> {
        let Some(sql) = render::select_values(schema, op)? else { return Ok(None) };
        let scope = Scope { read_only: true, ..scope(schema, &op.table.schema, &op.transaction) };
        let judge = |values: Result<Option<Rows>>| {
            let Some(values) = values? else { return Ok(None) };
            let page = Page { rows: values.len() as u64, values: Some(values), ..Page::default() };
            singular(&op.format.media, &page)?;
            Ok(Some(page))
        };
        self.shared.transactions.answer(cx, &scope, &sql, (&Values, judge)).await
    }

    pub(crate) async fn add(&self, cx: &Context, op: &Insert) -> Result<Page> {
        let schema = self.schema();
        let rows = self.document(&op.rows).await?;
        let statement = render::insert(&schema, op, &rows)?;
        let named = op.query.filter.is_some();
        let mut scope = write_scope(&schema, &op.table.schema, &op.options);
        scope.judged |= named;
        let mut written = self
            .run(cx, &scope, &statement, |page| {
                judge(&op.options, page)?;
                if named { named_row(page) } else { Ok(()) }
            })
            .await?;
        written.inserted.get_or_insert(written.rows);
        Ok(counted(&op.options, written))
    }

    pub(crate) async fn change(&self, cx: &Context, op: &Update) -> Result<Page> {
        let schema = self.schema();
        let values = self.document(&op.values).await?;
        let statement = render::update(&schema, op, &values)?;
        let scope = write_scope(&schema, &op.table.schema, &op.options);
        let page = self.run(cx, &scope, &statement, |page| judge(&op.options, page)).await?;
        Ok(counted(&op.options, page))
    }

    pub(crate) async fn remove(&self, cx: &Context, op: &Delete) -> Result<Page> {
        let schema = self.schema();
        let statement = render::delete(&schema, op)?;
        let scope = write_scope(&schema, &op.table.schema, &op.options);
        let page = self.run(cx, &scope, &statement, |page| judge(&op.options, page)).await?;
        Ok(counted(&op.options, page))
    }

    pub(crate) async fn call(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        let schema = self.schema();
        let body = match &op.arguments {
            Arguments::Json(body) => Some(self.document(body).await?),
            Arguments::Raw { body, .. } => Some(self.raw_document(body).await?),
            Arguments::Named(_) => None,
        };
        let keys = match (&op.arguments, &body) {
            (Arguments::Json(_), Some(body)) => Some(body.keys()?),
            _ => None,
        };
        let callable = Callable::find_for(&schema.catalog, op, keys)?;
        let statement =
            render::call(&schema, &callable, (op, body.as_ref()), self.shared.config.estimate_above)?;
        let function = callable.function;
        // Who may call it is the database's to say.
        callable.check(op, None)?;
        let reads_only = callable.reads_only(op);
        let scope = Scope {
            read_only: reads_only,
            judged: !reads_only
                && (op.format.media == Media::Object || op.transaction.max_affected.is_some()),
            isolation: function.isolation.clone(),
            settings: schema.function_settings.get(&function.name).cloned().unwrap_or_default(),
            ..scope(&schema, &op.function.schema, &op.transaction)
        };
        let mut called = self
            .run(cx, &scope, &statement, |page| {
                singular(&op.format.media, page)?;
                affected(op.transaction.max_affected, page)
            })
            .await?;
        if function.returns.void {
            called.status.get_or_insert(204);
        }
        errors::satisfiable(op.query.offset, called.total)?;
        Ok(called)
    }

    async fn run(
        &self,
        cx: &Context,
        scope: &Scope,
        statement: &Statement,
        check: impl Fn(&Page) -> Result<()>,
    ) -> Result<Page> {
        let judge = |rows: Vec<Row>| {
            let page = page(statement, &rows)?;
            if !statement.plan {
                check(&page)?;
            }
            Ok(page)
        };
        if statement.pieces {
            let judge = |pieced: Result<Pieced>| {
                let Pieced { first, body } = pieced?;
                let found = judge(first.into_iter().collect())?;
                let Some(body) = body else { return Ok(found) };
                Ok(match body.in_memory() {
                    Some(bytes) => Page { body: bytes.clone(), ..found },
                    None => Page { body: Bytes::new(), spooled: Some(body), ..found },
                })
            };
            let answer = self.shared.transactions.answer(cx, scope, &statement.sql, (&Pieces, judge));
            return Box::pin(answer).await;
        }
        self.shared.transactions.run(cx, scope, &statement.sql, judge).await
    }

    /// Fills in the total that the planner estimates, where one is wanted.
    async fn estimate(&self, cx: &Context, schema: &Schema, op: &Select, page: &mut Page) -> Result<()> {
        let above = self.shared.config.estimate_above;
        let wanted = match op.count {
            Some(Count::Planned) => true,
            Some(Count::Estimated) => {
                above.is_some_and(|limit| page.total.is_some_and(|total| total > limit))
            }
            _ => false,
        };
        if !wanted {
            return Ok(());
        }
        let sql = render::counted_estimate(schema, op)?;
        let scope = Scope { read_only: true, ..scope(schema, &op.table.schema, &op.transaction) };
        let planned = self.shared.transactions.run(cx, &scope, &sql, planned_rows).await?;
        page.total = Some(planned.max(page.total.unwrap_or_default()));
        Ok(())
    }
}

fn judge(options: &WriteOptions, page: &Page) -> Result<()> {
    singular(&options.format.media, page)?;
    affected(options.transaction.max_affected, page)
}

/// All rows of a write are in its page.
fn counted(options: &WriteOptions, mut page: Page) -> Page {
    page.total = options.count.map(|_| page.rows);
    page
}

pub(crate) fn scope(schema: &Schema, name: &str, transaction: &Transaction) -> Scope {
    Scope {
        schema: name.to_owned(),
        rollback: transaction.rollback,
        time_zone: transaction.time_zone.clone().filter(|zone| schema.time_zones.contains(zone)),
        ..Scope::default()
    }
}

fn write_scope(schema: &Schema, name: &str, options: &WriteOptions) -> Scope {
    let judged = options.format.media == Media::Object || options.transaction.max_affected.is_some();
    Scope { judged, ..scope(schema, name, &options.transaction) }
}

fn planned_rows(rows: Vec<Row>) -> Result<u64> {
    let Some(row) = rows.first() else { return Ok(0) };
    let Raw(text) = row.try_get(0).map_err(failed)?;
    let plan: Json = serde_json::from_slice(text)
        .map_err(|error| Error::internal("a plan could not be read").with_source(error))?;
    Ok(plan.pointer("/0/Plan/Plan Rows").and_then(Json::as_u64).unwrap_or_default())
}
