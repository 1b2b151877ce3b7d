//! One change feed for the whole life of a project, whatever backend owned it when.
//!
//! Positions are stamped with the reign they belong to. A consumer that stands in the reign before
//! the present one is served from the previous owner until that reign's end, then goes on at the
//! place of the new owner's feed where its own changes begin: no change is missed or repeated.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, ErrorKind, Features, Requires, Result, Service, Stack, send,
};
use truststream_services::database::{
    Begin, Capture, ChangeBatch, Changes, DatabaseOp, DatabaseReply, DatabaseService, OpenTransaction, Page,
    Position, Session, Step, TableName,
};
use truststream_switch::{Gate, Pass, Route, is_stray};

use crate::mirror::Fallback;
use crate::routed::{Routed, Stacks};

/// The routed database: like any routed service, with a feed that goes on across switches.
pub struct RoutedDatabase {
    gate: Arc<Gate>,
    stacks: Arc<dyn Stacks<DatabaseService>>,
    routed: Routed<DatabaseService>,
    captures: Mutex<Captures>,
    /// What tells the consumers of this process from those of others that follow the same feed.
    of: Option<String>,
}

/// What consumers want captured, and in which reign it was last asked of the owner.
#[derive(Default)]
struct Captures {
    reign: u64,
    wanted: HashMap<String, Vec<TableName>>,
}

impl RoutedDatabase {
    /// A database behind a gate.
    pub fn new(gate: Arc<Gate>, stacks: Arc<dyn Stacks<DatabaseService>>) -> Self {
        let routed = Routed::new(Arc::clone(&gate), Arc::clone(&stacks));
        RoutedDatabase { gate, stacks, routed, captures: Mutex::default(), of: None }
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
        let effect = op.effect().unwrap_or(Effect::Write);
        let pass = self.gate.admit(effect).await?;
        let owner = self.stacks.stack(&pass.route().owner)?;
        let open = pass.within(send(&owner, cx, op)).await?;
        Ok(open.wrap(|session| Box::new(Admitted { session, pass })))
    }

    async fn capture(&self, cx: &Context, op: &Capture) -> Result<Position> {
        let route = self.gate.route();
        let capture = Capture { consumer: self.own(&op.consumer), tables: op.tables.clone() };
        let at = send(&self.stacks.stack(&route.owner)?, cx, capture).await?;
        let mut captures = self.captures.lock();
        captures.reign = captures.reign.max(route.reign);
        if op.tables.is_empty() {
            captures.wanted.remove(&self.own(&op.consumer));
        } else {
            captures.wanted.insert(self.own(&op.consumer), op.tables.clone());
        }
        Ok(Position::Routed { epoch: route.reign, at: Box::new(at) })
    }

    /// Asks a new owner to capture what consumers asked of the one before. Between the change of
    /// route and this, the switch's own capture of all tables keeps the feed whole.
    async fn carry_captures_over(
        &self,
        cx: &Context,
        route: &Route,
        owner: &Stack<DatabaseService>,
    ) -> Result<()> {
        let wanted = {
            let mut captures = self.captures.lock();
            if captures.reign >= route.reign {
                return Ok(());
            }
            captures.reign = route.reign;
            captures.wanted.clone()
        };
        for (consumer, tables) in wanted {
            send(owner, cx, Capture { consumer, tables }).await?;
        }
        Ok(())
    }

    async fn changes(&self, cx: &Context, op: &Changes) -> Result<ChangeBatch> {
        let mut routes = self.gate.watch();
        let route = Arc::clone(&routes.borrow_and_update());
        let owner = self.stacks.stack(&route.owner)?;
        self.carry_captures_over(cx, &route, &owner).await?;
        let (reign, at) = match &op.after {
            None => (route.reign, None),
            Some(Position::Routed { epoch, at }) => (*epoch, Some((**at).clone())),
            Some(other) => (route.reign, Some(other.clone())),
        };
        if reign == route.reign {
            let Some(at) = at else {
                return Ok(stamp(reign, send(&owner, cx, op.clone()).await?));
            };
            let ask = Changes { after: Some(at.clone()), ..op.clone() };
            let batch = tokio::select! {
                batch = send(&owner, cx, ask) => batch?,
                // The consumer stays where it is and asks again.
                () = reign_over(&mut routes, route.reign) => {
                    ChangeBatch { changes: Vec::new(), position: at, at_end: false }
                }
            };
            return Ok(stamp(reign, batch));
        }
        match (&route.handover, at) {
            // What came last of it may be nowhere.
            (Some(handover), _) if handover.reign == reign && handover.lost => Err(gap()),
            (Some(handover), Some(at)) if handover.reign == reign => {
                let previous = self.stacks.stack(&handover.from)?;
                let ask = Changes { after: Some(at), wait: std::time::Duration::ZERO, ..op.clone() };
                let batch = send(&previous, cx, ask).await?;
                let past_end = batch.changes.iter().any(|change| !handover.end.covers(change.mark));
                let done = batch.at_end || past_end;
                let mut own = ChangeBatch { at_end: false, ..batch };
                own.changes.retain(|change| handover.end.covers(change.mark));
                if done {
                    own.position = handover.start.clone();
                }
                Ok(stamp(if done { route.reign } else { reign }, own))
            }
            _ => Err(gap()),
        }
    }
}

/// A transaction that goes on for as long as what it was admitted under.
struct Admitted {
    session: Box<dyn Session>,
    pass: Pass,
}

impl Session for Admitted {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        let Admitted { session, pass } = self;
        Box::pin(async move { pass.within(session.step(cx, step)).await })
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        let Admitted { session, pass } = *self;
        Box::pin(async move {
            pass.within(session.end(keep)).await?;
            if keep { pass.acknowledge() } else { Ok(()) }
        })
    }
}

/// Completes when another backend has taken over.
async fn reign_over(routes: &mut tokio::sync::watch::Receiver<Arc<Route>>, reign: u64) {
    loop {
        if routes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if routes.borrow_and_update().reign != reign {
            return;
        }
    }
}

/// Leaves out what a switch copied (its consumers saw it on the other side) and stamps the position.
fn stamp(reign: u64, mut batch: ChangeBatch) -> ChangeBatch {
    batch.changes.retain(|change| change.origin.as_deref().is_none_or(is_stray));
    batch.position = Position::Routed { epoch: reign, at: Box::new(batch.position) };
    batch
}

fn gap() -> Error {
    Error::new(ErrorKind::NotFound, "BACKEND_010", "the change feed no longer reaches back to this position")
        .with_hint("read the rows anew and follow the feed from its present end")
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
            _ => self.routed.call(cx, op),
        }
    }
}
