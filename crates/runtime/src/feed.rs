//! The routed database: like any routed service, with transactions that stay on one side, and a
//! change feed that goes on across switches.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, ErrorKind, Features, Requires, Result, Service, Stack, send,
};
use truststream_services::database::{
    Begin, Capture, DatabaseOp, DatabaseReply, DatabaseService, OpenTransaction, Position, TableName,
};
use truststream_switch::{Gate, Plea, Route, Touch};

use crate::legs::Place;
use crate::mirror::Fallback;
use crate::routed::{Routed, Stacks};
use crate::transaction::{Admitted, Undecided};

/// The routed database: like any routed service, with a feed that goes on across switches.
pub struct RoutedDatabase {
    pub(crate) gate: Arc<Gate>,
    pub(crate) stacks: Arc<dyn Stacks<DatabaseService>>,
    routed: Routed<DatabaseService>,
    /// What consumers want captured; held while the owner is asked for it, so that of two requests the
    /// later one counts.
    captures: tokio::sync::Mutex<HashMap<String, Vec<TableName>>>,
    /// The latest reign whose owner was asked for all of it.
    carried: AtomicU64,
    /// What tells the consumers of this process from those of others that follow the same feed.
    of: Option<String>,
}

impl RoutedDatabase {
    /// A database behind a gate.
    pub fn new(gate: Arc<Gate>, stacks: Arc<dyn Stacks<DatabaseService>>) -> Self {
        let routed = Routed::new(Arc::clone(&gate), Arc::clone(&stacks));
        let (captures, carried) = (tokio::sync::Mutex::default(), AtomicU64::new(0));
        RoutedDatabase { gate, stacks, routed, captures, carried, of: None }
    }

    /// As [`Routed::with_fallback`].
    #[must_use]
    pub fn with_fallback(self, fallback: Arc<dyn Fallback>) -> Self {
        RoutedDatabase { routed: self.routed.with_fallback(fallback), ..self }
    }

    /// Each consumer is one of the process of this name: others may follow the feed under the same
    /// name and want other tables.
    #[must_use]
    pub fn with_consumers_of(self, process: Option<String>) -> Self {
        RoutedDatabase { of: process, ..self }
    }

    fn own(&self, consumer: &str) -> String {
        self.of.as_ref().map_or_else(|| consumer.to_owned(), |of| format!("{consumer}@{of}"))
    }

    /// A transaction is in flight, as one write, for its whole life.
    async fn begin(&self, cx: &Context, op: Begin) -> Result<OpenTransaction> {
        if self.gate.route().division.is_some() {
            // Which side it belongs to is told by its first step.
            let (gate, stacks) = (Arc::clone(&self.gate), Arc::clone(&self.stacks));
            return Ok(OpenTransaction::new(Undecided::new(gate, stacks, cx.clone(), op)));
        }
        let effect = op.effect().unwrap_or(Effect::Write);
        let pass = self.gate.admit_to(effect, &|route| Touch::REST.and_all_beside(route)).await?;
        let owner = self.stacks.stack(pass.owner())?;
        let open = pass.within(send(&owner, cx, op)).await?;
        Ok(open.wrap(|session| Box::new(Admitted { session, pass })))
    }

    async fn capture(&self, cx: &Context, op: &Capture) -> Result<Position> {
        let (at, route) = {
            let mut captures = self.captures.lock().await;
            let route = self.gate.route();
            let capture = Capture { consumer: self.own(&op.consumer), tables: op.tables.clone() };
            let at = send(&self.stacks.stack(&route.owner)?, cx, capture).await?;
            if op.tables.is_empty() {
                captures.remove(&self.own(&op.consumer));
            } else {
                captures.insert(self.own(&op.consumer), op.tables.clone());
            }
            if captures.len() <= 1 {
                self.carried.fetch_max(route.reign, Ordering::SeqCst);
            }
            (at, route)
        };
        // The other side, where there is one, has everything captured for the switch.
        Place::present(&route).from(self, cx, at).await
    }

    /// Asks a new owner to capture what consumers asked of the one before. Between the change of
    /// route and this, the switch's own capture of all tables keeps the feed whole.
    pub(crate) async fn carry_captures_over(
        &self,
        cx: &Context,
        route: &Route,
        owner: &Stack<DatabaseService>,
    ) -> Result<()> {
        if self.carried.load(Ordering::SeqCst) >= route.reign {
            return Ok(());
        }
        let captures = self.captures.lock().await;
        for (consumer, tables) in &*captures {
            let capture = Capture { consumer: consumer.clone(), tables: tables.clone() };
            send(owner, cx, capture).await?;
        }
        self.carried.fetch_max(route.reign, Ordering::SeqCst);
        Ok(())
    }

    /// Does what is done to rows, or asked of the database as a whole.
    async fn ask(&self, cx: &Context, op: &DatabaseOp) -> Result<DatabaseReply> {
        if changes_the_schema(op) && self.gate.route().division.is_some() {
            let message = "the schema can't be changed while a switch moves the database part by part";
            return Err(Error::new(ErrorKind::Conflict, "BACKEND_011", message)
                .with_hint("`truststream switch status` shows how far it is; `switch abort` gives it up"));
        }
        let plea = Plea::of(cx, op);
        let route = self.gate.route();
        // What it touches is found out before the gate asks for it under its lock.
        let touch = plea.touch(&route);
        if matches!(op, DatabaseOp::Batch(_)) {
            self.gate.note(&route, touch);
        }
        drop(route);
        let done = self.routed.call_to(cx, op, &|route| plea.touch(route)).await;
        if changes_the_schema(op) {
            self.gate.redefine();
        }
        done
    }
}

fn changes_the_schema(op: &DatabaseOp) -> bool {
    match op {
        DatabaseOp::Migrate(op) => !op.dry_run,
        DatabaseOp::Revert(op) => !op.dry_run,
        DatabaseOp::Adopt(_) => true,
        _ => false,
    }
}

impl Call<DatabaseService> for RoutedDatabase {
    fn features(&self) -> Features {
        self.routed.features()
    }

    fn call<'a>(
        &'a self,
        cx: &'a Context,
        op: &'a <DatabaseService as Service>::Op,
    ) -> BoxFuture<'a, Result<DatabaseReply>> {
        match op {
            DatabaseOp::Changes(op) => {
                Box::pin(async move { self.changes(cx, op).await.map(DatabaseReply::Changes) })
            }
            DatabaseOp::Capture(op) => {
                Box::pin(async move { self.capture(cx, op).await.map(DatabaseReply::Capture) })
            }
            DatabaseOp::Begin(op) => {
                Box::pin(async move { self.begin(cx, *op).await.map(DatabaseReply::Begin) })
            }
            op => Box::pin(self.ask(cx, op)),
        }
    }
}
