//! Transactions of several requests: each belongs to one backend for its whole life.

use std::sync::Arc;

use truststream_kernel::{BoxFuture, Context, Effect, Requires, Result, send};
use truststream_services::database::{Begin, DatabaseService, OpenTransaction, Page, Session, Step};
use truststream_switch::{Gate, Pass, Plea, Route, Touch};

use crate::routed::Stacks;

/// A transaction that goes on for as long as what it was admitted under.
pub(crate) struct Admitted {
    pub(crate) session: Box<dyn Session>,
    pub(crate) pass: Pass,
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

/// A transaction over a database of which two backends serve parts, or are about to: it begins with
/// its first step, on the side that serves what that touches, and stays there.
pub(crate) struct Undecided {
    gate: Arc<Gate>,
    stacks: Arc<dyn Stacks<DatabaseService>>,
    cx: Context,
    begin: Begin,
    open: Option<Open>,
}

struct Open {
    transaction: OpenTransaction,
    pass: Pass,
    touched: Touch,
}

impl Undecided {
    pub(crate) fn new(
        gate: Arc<Gate>,
        stacks: Arc<dyn Stacks<DatabaseService>>,
        cx: Context,
        begin: Begin,
    ) -> Self {
        Undecided { gate, stacks, cx, begin, open: None }
    }

    /// The side that serves what a step touches, with everything else that it serves.
    async fn open(&mut self, cx: &Context, step: &Step) -> Result<Open> {
        let effect = self.begin.effect().unwrap_or(Effect::Write);
        let plea = Plea::of_step(cx, step);
        let reach = |route: &Route| plea.touch(route).and_all_beside(route);
        // As it is found out before the gate asks for it under its lock.
        reach(&self.gate.route());
        let pass = self.gate.admit_to(effect, &reach).await?;
        let owner = self.stacks.stack(pass.owner())?;
        let transaction = pass.within(send(&owner, &self.cx, self.begin)).await?;
        Ok(Open { transaction, pass, touched: Touch::NONE })
    }

    async fn run(&mut self, cx: &Context, step: &Step) -> Result<Page> {
        if self.open.is_none() {
            self.open = Some(self.open(cx, step).await?);
        }
        let Some(Open { transaction, pass, touched }) = &mut self.open else { return Ok(Page::default()) };
        *touched = touched.with(pass.admits(cx, step)?);
        self.gate.note(pass.route(), *touched);
        Ok(pass.within(transaction.step(cx, step)).await?.unwrap_or_default())
    }
}

impl Session for Undecided {
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.run(cx, step))
    }

    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let Some(Open { transaction, pass, .. }) = self.open else { return Ok(()) };
            if !keep {
                return pass.within(transaction.rollback()).await;
            }
            pass.within(transaction.commit()).await?;
            pass.acknowledge()
        })
    }
}
