//! The one erased boundary: services, calls, and the glue from typed drivers to it.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{Context, Error, Features, Operation, Result};

/// A family of operations.
pub trait Service: Send + Sync + 'static {
    /// The word documents, metrics and errors use, such as `database`.
    const NAME: &'static str;
    /// Names of the service's features, by number.
    const FEATURES: &'static [&'static str];
    /// All its operations.
    type Op: Operation;
    /// All its replies.
    type Reply: Send + 'static;
}

/// Answers the operations of a service: a driver, a layer, a route.
pub trait Call<S: Service>: Send + Sync {
    /// What can be asked of it.
    fn features(&self) -> Features;

    /// Answers one operation. The operation is borrowed, so a retry clones nothing.
    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>>;
}

/// A driver wrapped in its layers, behind one erased call.
pub type Stack<S> = Arc<dyn Call<S>>;

/// One typed request of a service: becomes an operation, takes its reply back.
pub trait Request<S: Service>: Into<S::Op> {
    /// What the driver method returns.
    type Reply;

    /// The reply of this request, or `None` if it is another operation's.
    fn reply(reply: S::Reply) -> Option<Self::Reply>;
}

/// Sends a typed request through a stack.
///
/// # Errors
/// Whatever the stack reports; `Internal` if it answers with another operation's reply.
pub async fn send<S: Service, R: Request<S>>(stack: &Stack<S>, cx: &Context, request: R) -> Result<R::Reply> {
    let reply = stack.call(cx, &request.into()).await?;
    R::reply(reply).ok_or_else(|| Error::internal("a layer answered with the reply of another operation"))
}

/// A typed driver as an erased call; made by the [`operations!`](crate::operations) table.
pub struct Driven<D>(pub D);

/// The table of a service's operations: declares its marker type, operation and reply enums, and
/// the glue between the typed driver trait and the erased call.
#[macro_export]
macro_rules! operations {
    (
        $(#[$doc:meta])*
        $service:ident($name:literal, $features:ty), driver $driver:ident, op $op:ident, reply $reply:ident {
            $($variant:ident => $method:ident -> $answer:ty, $effect:ident, $idempotent:literal;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $service;

        /// Every operation of the service.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub enum $op { $($variant($variant)),+ }

        /// Every reply of the service.
        #[allow(missing_docs, clippy::large_enum_variant)]
        pub enum $reply { $($variant($answer)),+ }

        impl $crate::Service for $service {
            const NAME: &'static str = $name;
            const FEATURES: &'static [&'static str] = <$features>::NAMES;
            type Op = $op;
            type Reply = $reply;
        }

        impl $crate::Operation for $op {
            fn info(&self) -> $crate::OpInfo {
                match self {
                    $($op::$variant(request) => $crate::OpInfo {
                        name: stringify!($method),
                        effect: $crate::Requires::effect(request).unwrap_or($crate::Effect::$effect),
                        idempotent: $idempotent,
                    }),+
                }
            }

            fn needs(&self) -> $crate::FeatureSet {
                match self { $($op::$variant(request) => $crate::Requires::needs(request)),+ }
            }

            fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
                match self { $($op::$variant(request) => $crate::Requires::shape(request, out)),+ }
            }
        }

        impl<D: $driver> $crate::Call<$service> for $crate::Driven<D> {
            fn features(&self) -> $crate::Features {
                $driver::features(&self.0)
            }

            fn call<'a>(
                &'a self,
                cx: &'a $crate::Context,
                op: &'a $op,
            ) -> $crate::BoxFuture<'a, $crate::Result<$reply>> {
                match op {
                    $($op::$variant(request) => {
                        Box::pin(async move { self.0.$method(cx, request).await.map($reply::$variant) })
                    }),+
                }
            }
        }

        $(
            impl From<$variant> for $op {
                fn from(request: $variant) -> Self {
                    $op::$variant(request)
                }
            }

            impl $crate::Request<$service> for $variant {
                type Reply = $answer;

                fn reply(reply: $reply) -> Option<$answer> {
                    match reply {
                        $reply::$variant(answer) => Some(answer),
                        #[allow(unreachable_patterns)]
                        _ => None,
                    }
                }
            }
        )+
    };
}
