//! The typed face of a service.

use std::sync::Arc;

use crate::{Context, Request, Result, Service, Stack, send};

/// A service as one caller sees it: a stack and a context. Cheap to clone.
pub struct Handle<S: Service> {
    stack: Stack<S>,
    cx: Context,
}

impl<S: Service> Handle<S> {
    /// A handle on a stack, acting as `cx` says.
    pub fn new(stack: Stack<S>, cx: Context) -> Self {
        Handle { stack, cx }
    }

    /// The same service for another caller.
    #[must_use]
    pub fn with(&self, cx: Context) -> Self {
        Handle { stack: Arc::clone(&self.stack), cx }
    }

    /// Who this handle acts for.
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// The stack below.
    pub fn stack(&self) -> &Stack<S> {
        &self.stack
    }

    /// Sends a request: `database.send(Select::new(table, query)).await?`.
    ///
    /// # Errors
    /// Whatever the driver or a layer reports.
    pub async fn send<R: Request<S>>(&self, request: R) -> Result<R::Reply> {
        send(&self.stack, &self.cx, request).await
    }
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        self.with(self.cx.clone())
    }
}
