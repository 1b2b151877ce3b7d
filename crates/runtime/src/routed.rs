//! A service as the route has it: every operation goes to the backend that owns the route.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, ErrorKind, Features, Operation, Result, Service, Stack,
};
use truststream_switch::{Gate, Pass, Reach, Route, Touch};

use crate::mirror::Fallback;

/// Finds the stack of a backend by the backend's name.
pub trait Stacks<S: Service>: Send + Sync {
    /// The backend's stack of this service.
    ///
    /// # Errors
    /// `BACKEND_001` when no such backend is open.
    fn stack(&self, backend: &str) -> Result<Stack<S>>;
}

/// Sends each operation to the owner of the route, through the gate.
pub struct Routed<S: Service> {
    gate: Arc<Gate>,
    stacks: Arc<dyn Stacks<S>>,
    present: ArcSwapOption<Present<S>>,
    fallback: Option<Arc<dyn Fallback>>,
}

/// The stack of one reign, so that most calls need no look-up by name.
struct Present<S: Service> {
    reign: u64,
    stack: Stack<S>,
}

impl<S: Service> Routed<S> {
    /// A service behind a gate.
    pub fn new(gate: Arc<Gate>, stacks: Arc<dyn Stacks<S>>) -> Self {
        Routed { gate, stacks, present: ArcSwapOption::empty(), fallback: None }
    }

    /// Reads that the owner of the route does not answer go where `fallback` says.
    #[must_use]
    pub fn with_fallback(self, fallback: Arc<dyn Fallback>) -> Self {
        Routed { fallback: Some(fallback), ..self }
    }

    /// Where a read goes that failed like this.
    fn instead(&self, pass: &Pass, error: &Error) -> Option<Stack<S>> {
        let owner = &pass.route().owner;
        if error.kind() != ErrorKind::Unavailable || pass.owner() != owner {
            return None;
        }
        let other = self.fallback.as_ref()?.of(owner)?;
        self.stacks.stack(&other).ok()
    }

    fn owner(&self, route: &Route) -> Result<Stack<S>> {
        if let Some(present) = self.present.load().as_ref()
            && present.reign == route.reign
        {
            return Ok(Arc::clone(&present.stack));
        }
        let stack = self.stacks.stack(&route.owner)?;
        let present = Present { reign: route.reign, stack: Arc::clone(&stack) };
        self.present.store(Some(Arc::new(present)));
        Ok(stack)
    }

    /// Does an operation where the parts are served that it may touch.
    pub(crate) async fn call_to(&self, cx: &Context, op: &S::Op, reach: Reach<'_>) -> Result<S::Reply> {
        let effect = op.info().effect;
        let pass = self.gate.admit_to(effect, reach).await?;
        let owner = match pass.owner() {
            owner if owner == pass.route().owner => self.owner(pass.route())?,
            owner => self.stacks.stack(owner)?,
        };
        match pass.within(owner.call(cx, op)).await {
            Ok(reply) => pass.acknowledge().map(|()| reply),
            Err(error) if effect == Effect::Read => match self.instead(&pass, &error) {
                Some(other) => other.call(cx, op).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

impl<S: Service> Call<S> for Routed<S> {
    fn features(&self) -> Features {
        self.owner(&self.gate.route()).map_or_else(|_| Features::default(), |stack| stack.features())
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(self.call_to(cx, op, &|_| Touch::REST))
    }
}
