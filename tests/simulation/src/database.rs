//! A database as a node reaches it, through its wire.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};
use truststream_kernel::{Context, Error, FeatureSet, Features, Result, Type};
use truststream_services::database::{
    Applied, AppliedMigration, AppliedPosition, Apply, Arguments, Authorize, Batch, Capture, Catalog,
    ChangeBatch, Changes, Chunk, Column, DatabaseDriver, DatabaseFeature, Delete, Describe, Fence, Insert,
    Invoke, Migrate, MigrationOutcome, Migrations, NamedArgument, Page, Ping, Position, Prepare,
    PrepareClaimed, Scan, Select, Table, Update,
};

use super::network::Wire;
use super::server::{Server, lists, notes};
use super::witness::Witness;

/// How often a server looks for what somebody waits for.
const LOOK: Duration = Duration::from_millis(10);

/// The driver of one node for one server.
pub struct Reached {
    pub wire: Wire,
    pub server: Arc<Mutex<Server>>,
    pub witness: Arc<Witness>,
}

impl Reached {
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Server, u64) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.wire.call(self.work(work)).await
    }

    /// Has it made ready or emptied.
    async fn make<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Server) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.wire.prepare(self.work(move |server, _| work(server))).await
    }

    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Server, u64) -> Result<T> + Send + 'static,
    ) -> impl FnOnce() -> BoxFuture<'static, Result<T>> + Send + 'static {
        let (server, witness) = (Arc::clone(&self.server), Arc::clone(&self.witness));
        move || async move { work(&mut server.lock(), witness.now_ms()) }.boxed()
    }
}

fn refused<T>() -> Result<T> {
    Err(Error::unsupported("nobody asks this here"))
}

fn page(body: &Json) -> Page {
    Page { body: body.to_string().into(), rows: 1, ..Page::default() }
}

fn number(arguments: &[NamedArgument], name: &str) -> Result<u64> {
    let value = arguments.iter().find(|argument| argument.name == name);
    let number = value.and_then(|argument| argument.value.parse().ok());
    number.ok_or_else(|| Error::invalid_input(format!("no {name}")))
}

impl DatabaseDriver for Reached {
    fn features(&self) -> Features {
        let feed = DatabaseFeature::ChangeFeed;
        let (functions, fences) = (DatabaseFeature::Functions, DatabaseFeature::Fences);
        let native = if self.server.lock().fences {
            FeatureSet::of(&[feed, functions, fences])
        } else {
            FeatureSet::of(&[feed, functions])
        };
        Features { native, ..Features::default() }
    }

    async fn select(&self, _cx: &Context, op: &Select) -> Result<Page> {
        let table = op.table.clone();
        self.ask(move |server, _| {
            Ok(Page { body: "[]".into(), total: Some(server.count(&table)), ..Page::default() })
        })
        .await
    }

    async fn insert(&self, _cx: &Context, _op: &Insert) -> Result<Page> {
        refused()
    }

    async fn update(&self, _cx: &Context, _op: &Update) -> Result<Page> {
        refused()
    }

    async fn delete(&self, _cx: &Context, _op: &Delete) -> Result<Page> {
        refused()
    }

    async fn invoke(&self, _cx: &Context, op: &Invoke) -> Result<Page> {
        let Arguments::Named(arguments) = op.arguments.clone() else { return refused() };
        let (function, place) = (op.function.name.clone(), self.wire.place);
        let witness = Arc::clone(&self.witness);
        self.ask(move |server, now| match function.as_str() {
            "append" => {
                let (list, item) = (number(&arguments, "list")?, number(&arguments, "item")?);
                let items = server.append(list as i64, item, now)?;
                witness.wrote(item, place);
                Ok(page(&json!(items)))
            }
            "note" => {
                let item = number(&arguments, "item")?;
                server.note(item, now)?;
                witness.wrote(item, place);
                Ok(page(&json!([])))
            }
            _ => Ok(page(&json!(server.list(number(&arguments, "list")? as i64)))),
        })
        .await
    }

    async fn batch(&self, _cx: &Context, _op: &Batch) -> Result<Vec<Page>> {
        refused()
    }

    async fn authorize(&self, _cx: &Context, _op: &Authorize) -> Result<Vec<bool>> {
        refused()
    }

    async fn describe(&self, _cx: &Context, _op: &Describe) -> Result<Arc<Catalog>> {
        self.ask(|_, _| Ok(Arc::new(catalog()))).await
    }

    async fn migrate(&self, _cx: &Context, _op: &Migrate) -> Result<MigrationOutcome> {
        refused()
    }

    async fn migrations(&self, _cx: &Context, _op: &Migrations) -> Result<Vec<AppliedMigration>> {
        self.ask(|server, _| Ok(server.migrations.clone())).await
    }

    async fn ping(&self, _cx: &Context, _op: &Ping) -> Result<()> {
        self.ask(|_, _| Ok(())).await
    }

    async fn capture(&self, _cx: &Context, _op: &Capture) -> Result<Position> {
        self.ask(|server, _| Ok(server.end())).await
    }

    async fn changes(&self, _cx: &Context, op: &Changes) -> Result<ChangeBatch> {
        let (server, op) = (Arc::clone(&self.server), op.clone());
        let work = move || {
            async move {
                let until = Instant::now() + op.wait;
                loop {
                    let batch = server.lock().changes(op.after.as_ref(), op.limit);
                    if !batch.changes.is_empty() || op.limit == 0 || Instant::now() >= until {
                        return Ok(batch);
                    }
                    sleep(LOOK).await;
                }
            }
            .boxed()
        };
        self.wire.call(work).await
    }

    async fn scan(&self, _cx: &Context, op: &Scan) -> Result<Chunk> {
        let op = op.clone();
        self.ask(move |server, _| Ok(Chunk { rows: server.scan(&op), position: server.end() })).await
    }

    async fn prepare(&self, _cx: &Context, op: &Prepare) -> Result<()> {
        let op = op.clone();
        self.make(move |server| server.prepare(&op)).await
    }

    async fn prepare_claimed(&self, _cx: &Context, op: &PrepareClaimed) -> Result<Applied> {
        let op = op.clone();
        self.make(move |server| server.prepare_claimed(&op)).await
    }

    async fn apply(&self, _cx: &Context, op: &Apply) -> Result<Applied> {
        let op = op.clone();
        self.ask(move |server, now| server.apply(&op, now)).await
    }

    async fn applied_position(&self, _cx: &Context, op: &AppliedPosition) -> Result<Option<Position>> {
        let origin = op.origin.clone();
        self.ask(move |server, _| Ok(server.applied(&origin))).await
    }

    async fn fence(&self, _cx: &Context, op: &Fence) -> Result<()> {
        let op = op.clone();
        self.ask(move |server, now| server.fence(&op, now)).await
    }
}

fn catalog() -> Catalog {
    let column = |name: &str, ty: Type| Column {
        name: name.to_owned(),
        type_name: ty.sql_name(),
        ty,
        nullable: false,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    };
    let table = || Table {
        columns: vec![column("id", Type::Int8), column("body", Type::Text)],
        primary_key: vec!["id".to_owned()],
        ..Table::default()
    };
    Catalog {
        tables: [lists(), notes()].map(|name| (name, table())).into_iter().collect(),
        ..Catalog::default()
    }
}
