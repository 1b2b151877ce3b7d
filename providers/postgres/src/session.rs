//! Several requests in one transaction: those of a batch, and those of a transaction that stays
//! open between them.

use std::time::Duration;

use truststream_kernel::{BoxFuture, Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Batch, Begin, Isolation, Media, OpenTransaction, Page, Session, Step, Transaction, WriteOptions,
};

use crate::document::Document;
use crate::driver::PostgresDriver;
use crate::error::PROVIDER;
use crate::page::{affected, page, singular};
use crate::render::{self, Callable, Statement};
use crate::requests::scope;
use crate::schema::Schema;
use crate::transaction::{Open, Scope};

/// How long a transaction may wait for its next step if its caller set no deadline.
const IDLE: Duration = Duration::from_secs(60);

struct PostgresSession {
    driver: PostgresDriver,
    open: Open,
    isolation: Option<Isolation>,
}

impl PostgresDriver {
    pub(crate) async fn steps(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        let read_only = op.steps.iter().all(Step::only_reads);
        let begin = Begin { isolation: op.isolation, read_only };
        let mut transaction = self.open(cx, &begin).await?;
        match transaction.steps(cx, &op.steps).await {
            Ok(pages) => transaction.commit().await.map(|()| pages),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }

    pub(crate) async fn open(&self, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
        let idle = cx.remaining().unwrap_or(IDLE).as_millis().max(1).to_string();
        let scope = Scope {
            schema: "public".to_owned(),
            read_only: op.read_only,
            isolation: op.isolation.map(|level| level.sql().to_owned()),
            settings: vec![("idle_in_transaction_session_timeout".to_owned(), idle)],
            ..Scope::default()
        };
        let open = self.shared.transactions.open(cx, &scope).await?;
        let driver = self.clone();
        Ok(OpenTransaction::new(PostgresSession { driver, open, isolation: op.isolation }))
    }
}

impl Session for PostgresSession {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let step = &*step.in_memory().await?;
            let schema = self.driver.schema();
            let scope = self.scope(&schema, step)?;
            self.driver.shared.transactions.enter(&self.open, cx, &scope).await?;
            self.run(&schema, step).await.map_err(|error| error.during("step", PROVIDER))
        })
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move { self.open.end(keep).await })
    }
}

impl PostgresSession {
    fn scope(&self, schema: &Schema, step: &Step) -> Result<Scope> {
        let (name, transaction) = match step {
            Step::Select(op) => (&op.table, &op.transaction),
            Step::Insert(op) => (&op.table, &op.options.transaction),
            Step::Update(op) => (&op.table, &op.options.transaction),
            Step::Delete(op) => (&op.table, &op.options.transaction),
            Step::Invoke(op) => {
                let mut scope = scope(schema, &op.function.schema, &op.transaction);
                let function = Callable::find(&schema.catalog, op)?.function;
                let own = self.isolation.map(Isolation::sql);
                if function.isolation.as_deref().is_some_and(|level| Some(level) != own) {
                    let message = format!(
                        "{} sets its own isolation level, which an open transaction can't take",
                        op.function
                    );
                    return Err(Error::new(ErrorKind::InvalidInput, "25001", message));
                }
                scope.settings = schema.function_settings.get(&function.name).cloned().unwrap_or_default();
                return Ok(scope);
            }
            Step::Raw(_) | Step::Expect(_) => {
                return Ok(scope(schema, "public", &Transaction::default()));
            }
        };
        Ok(scope(schema, &name.schema, transaction))
    }

    async fn run(&self, schema: &Schema, step: &Step) -> Result<Page> {
        let above = self.driver.shared.config.estimate_above;
        match step {
            Step::Select(op) => {
                let statement = render::select(schema, op, above)?;
                self.query(&statement, &op.format.media, None).await
            }
            Step::Insert(op) => {
                let mut page = self
                    .write(&render::insert(schema, op, &Document::in_memory(&op.rows).await?)?, &op.options)
                    .await?;
                page.inserted.get_or_insert(page.rows);
                Ok(page)
            }
            Step::Update(op) => {
                let values = Document::in_memory(&op.values).await?;
                self.write(&render::update(schema, op, &values)?, &op.options).await
            }
            Step::Delete(op) => self.write(&render::delete(schema, op)?, &op.options).await,
            Step::Invoke(op) => {
                let callable = Callable::find(&schema.catalog, op)?;
                let body = match step.body() {
                    Some(body) => Some(Document::in_memory(body).await?),
                    None => None,
                };
                let statement = render::call(schema, &callable, (op, body.as_ref()), above)?;
                let mut page = self.query(&statement, &op.format.media, op.transaction.max_affected).await?;
                if callable.function.returns.void {
                    page.status.get_or_insert(204);
                }
                Ok(page)
            }
            Step::Raw(op) => self.open.raw(op).await,
            Step::Expect(_) => Err(Error::internal("what is expected is judged by who runs the steps")),
        }
    }

    async fn write(&self, statement: &Statement, options: &WriteOptions) -> Result<Page> {
        let mut page = self.query(statement, &options.format.media, options.transaction.max_affected).await?;
        page.total = options.count.map(|_| page.rows);
        Ok(page)
    }

    async fn query(&self, statement: &Statement, media: &Media, limit: Option<u64>) -> Result<Page> {
        let page = page(statement, &self.open.query(&statement.sql).await?)?;
        if !statement.plan {
            singular(media, &page)?;
            affected(limit, &page)?;
        }
        Ok(page)
    }
}
