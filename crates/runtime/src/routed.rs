//! A service as the route has it: every operation goes to the backend that owns the route.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use truststream_kernel::{BoxFuture, Call, Context, Features, Operation, Result, Service, Stack};
use truststream_switch::{Gate, Route};

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
}

/// The stack of one reign, so that most calls need no look-up by name.
struct Present<S: Service> {
    reign: u64,
    stack: Stack<S>,
}

impl<S: Service> Routed<S> {
    /// A service behind a gate.
    pub fn new(gate: Arc<Gate>, stacks: Arc<dyn Stacks<S>>) -> Self {
        Routed { gate, stacks, present: ArcSwapOption::empty() }
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
}

impl<S: Service> Call<S> for Routed<S> {
    fn features(&self) -> Features {
        self.owner(&self.gate.route()).map_or_else(|_| Features::default(), |stack| stack.features())
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(async move {
            let pass = self.gate.admit(op.info().effect).await?;
            self.owner(pass.route())?.call(cx, op).await
        })
    }
}
