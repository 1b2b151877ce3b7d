//! Refuses operations that the provider can't answer, before any I/O.

use truststream_kernel::{
    BoxFuture, Call, Context, Error, Features, Layer, Operation, Result, Service, Stack,
};

/// Compares what an operation needs with what the stack below declares.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    provider: &'static str,
}

impl GuardLayer {
    /// A guard in front of the named provider.
    pub fn new(provider: &'static str) -> Self {
        GuardLayer { provider }
    }
}

impl<S: Service> Layer<S> for GuardLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        std::sync::Arc::new(Guarded { inner, provider: self.provider })
    }
}

struct Guarded<S: Service> {
    inner: Stack<S>,
    provider: &'static str,
}

impl<S: Service> Call<S> for Guarded<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        let missing = op.needs().minus(self.inner.features().supported());
        if missing.is_empty() {
            return self.inner.call(cx, op);
        }
        let names = missing.names(S::FEATURES).join(", ");
        let error = Error::unsupported(format!("the {} provider does not support {names}", self.provider))
            .with_hint("choose a provider that does; see the table of features in the documentation")
            .during(op.info().name, self.provider);
        Box::pin(std::future::ready(Err(error)))
    }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::ErrorKind;

    use super::*;
    use crate::fake::{Fake, read, write};

    #[tokio::test]
    async fn what_is_missing_is_named_and_nothing_is_done() {
        let fake = Fake::default();
        let stack = GuardLayer::new("fake").wrap(fake.stack());
        let error = stack.call(&Context::system(), &read().needing_wings()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"));
        assert_eq!(error.message(), "the fake provider does not support wings");
        assert_eq!((error.operation(), error.provider()), (Some("read"), Some("fake")));
        assert_eq!(fake.calls(), 0);
    }

    #[tokio::test]
    async fn what_is_supported_passes() {
        let fake = Fake::default();
        let stack = GuardLayer::new("fake").wrap(fake.stack());
        stack.call(&Context::system(), &write()).await.unwrap();
        assert_eq!(fake.calls(), 1);
        let winged = Fake::default().with_wings();
        let stack = GuardLayer::new("fake").wrap(winged.stack());
        stack.call(&Context::system(), &read().needing_wings()).await.unwrap();
        assert_eq!(winged.calls(), 1);
    }
}
