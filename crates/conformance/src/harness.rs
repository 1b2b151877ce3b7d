//! Runs cases against a provider and says which fail.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use truststream_kernel::{Context, Error, ErrorKind, FeatureSet, Handle, Result, Service, Stack};
use truststream_layers::{GuardLayer, MetricsLayer, RetryLayer, TimeoutLayer, TraceLayer, fold};

/// Why a case failed: an error nobody asked for, or a comparison that did not hold.
#[derive(Debug)]
pub enum Failure {
    /// The provider reported an error where an answer was expected.
    Error(Error),
    /// An assertion did not hold.
    Assertion(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::Assertion(format!("the reply is not JSON: {error}"))
    }
}

/// How a case ends. Comparisons that do not hold panic; the harness catches them.
pub type Outcome = Result<(), Failure>;

/// One behaviour of a service.
#[derive(Debug)]
pub struct Case<S: Service> {
    /// What must hold, in words.
    pub name: &'static str,
    /// Features it needs; a provider without them must refuse.
    pub needs: fn() -> FeatureSet,
    /// The check.
    pub run: fn(Env<S>) -> BoxFuture<'static, Outcome>,
}

/// The cases that a provider can be asked at all; where its suite is run says why not the others.
pub fn only<S: Service>(cases: &'static [Case<S>], asked: impl Fn(&Case<S>) -> bool) -> &'static [Case<S>] {
    let asked = cases.iter().filter(|case| asked(case));
    let asked: Vec<_> =
        asked.map(|case| Case { name: case.name, needs: case.needs, run: case.run }).collect();
    Vec::leak(asked)
}

/// A table of cases: `cases!(DatabaseService { reading::orders, embeds::spread: Embeds })`.
#[macro_export]
#[doc(hidden)]
macro_rules! cases {
    ($service:ty { $($check:path $(: $feature:path)?),+ $(,)? }) => {
        &[$($crate::Case::<$service> {
            name: stringify!($check),
            needs: || truststream_kernel::FeatureSet::EMPTY$(.with($feature))?,
            run: |env| Box::pin($check(env)),
        }),+]
    };
}

type Open<S> = dyn Fn() -> BoxFuture<'static, Result<Stack<S>>> + Send + Sync;

/// A fresh instance of the service under test.
pub struct Env<S: Service> {
    service: Handle<S>,
    open: Arc<Open<S>>,
    layers: Layers,
    provider: &'static str,
}

impl<S: Service> Env<S> {
    /// The service, asked by TrustStream itself.
    pub fn service(&self) -> &Handle<S> {
        &self.service
    }

    /// Another fresh instance.
    ///
    /// # Errors
    /// Whatever opening it reports.
    pub async fn another(&self) -> Result<Handle<S>> {
        open(self.open.as_ref(), self.layers, self.provider).await
    }
}

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// What stands between a case and the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layers {
    /// Only the guard, which drivers rely on.
    Guard,
    /// All layers, as the runtime puts them.
    All,
}

async fn open<S: Service>(open: &Open<S>, layers: Layers, provider: &'static str) -> Result<Handle<S>> {
    let driver = open().await?;
    let guard = GuardLayer::new(provider);
    let stack = match layers {
        Layers::Guard => fold(&driver, &[&guard]),
        Layers::All => fold(
            &driver,
            &[
                &TraceLayer::new(provider),
                &MetricsLayer::new(provider),
                &guard,
                &RetryLayer::default(),
                &TimeoutLayer::default(),
            ],
        ),
    };
    Ok(Handle::new(stack, Context::system()))
}

/// Runs the cases on fresh instances, behind the guard alone and behind all layers, prints a line
/// for each, and panics naming those that fail. `CONFORMANCE=word` runs those whose name has it.
///
/// # Panics
/// When a case fails.
pub async fn run<S, F, O>(provider: &'static str, cases: &'static [Case<S>], open_fresh: F)
where
    S: Service,
    F: Fn() -> O + Send + Sync + 'static,
    O: Future<Output = Result<Stack<S>>> + Send + 'static,
{
    let wanted = std::env::var("CONFORMANCE").unwrap_or_default();
    let open_fresh: Arc<Open<S>> = Arc::new(move || Box::pin(open_fresh()));
    let mut failed = Vec::new();
    for layers in [Layers::Guard, Layers::All] {
        for case in cases.iter().filter(|case| case.name.contains(&wanted)) {
            let start = Instant::now();
            let verdict = judge(case, provider, layers, &open_fresh).await;
            let word = if verdict.is_ok() { "ok" } else { "FAILED" };
            println!("{provider} {} ({layers:?}) ... {word} {:.0?}", case.name, start.elapsed());
            if let Err(why) = verdict {
                failed.push(format!("{} ({layers:?}): {why}", case.name));
            }
        }
    }
    assert!(failed.is_empty(), "{provider} fails {} cases:\n\n{}\n", failed.len(), failed.join("\n\n"));
}

/// Whether a case ends as the declared features say it must.
async fn judge<S: Service>(
    case: &'static Case<S>,
    provider: &'static str,
    layers: Layers,
    open_fresh: &Arc<Open<S>>,
) -> Result<(), String> {
    let service = open(open_fresh.as_ref(), layers, provider)
        .await
        .map_err(|error| format!("no instance to test: {error:?}"))?;
    let missing = (case.needs)().minus(service.stack().features().supported());
    let env = Env { service, open: Arc::clone(open_fresh), layers, provider };
    let outcome = match tokio::time::timeout(PATIENCE, tokio::spawn((case.run)(env))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(stopped)) => Err(Failure::Assertion(panic_text(stopped))),
        Err(_) => Err(Failure::Assertion(format!("it did not end within {PATIENCE:?}"))),
    };
    match (outcome, missing.is_empty()) {
        (Ok(()), true) => Ok(()),
        (Err(Failure::Error(error)), true) => Err(format!("unexpected error: {error:?}")),
        (Err(Failure::Assertion(text)), _) => Err(text),
        (Err(Failure::Error(error)), false) if error.kind() == ErrorKind::Unsupported => Ok(()),
        (Err(Failure::Error(error)), false) => {
            Err(format!("must be refused as unsupported ({:?}), but: {error:?}", missing.names(S::FEATURES)))
        }
        (Ok(()), false) => Err(format!("passes although {:?} is not declared", missing.names(S::FEATURES))),
    }
}

fn panic_text(stopped: tokio::task::JoinError) -> String {
    let payload: Box<dyn Any + Send> = match stopped.try_into_panic() {
        Ok(payload) => payload,
        Err(stopped) => return stopped.to_string(),
    };
    match payload.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => {
            payload.downcast_ref::<&str>().map_or_else(|| "it panicked".to_owned(), |text| (*text).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::{BoxFuture, Call, Features};
    use truststream_services::objects::{
        Check, Get, ObjectsFeature, ObjectsOp, ObjectsReply, ObjectsService,
    };

    use super::*;

    /// Answers checks; reads fail; it says it can what it is told to say.
    struct Stub(FeatureSet);

    impl Call<ObjectsService> for Stub {
        fn features(&self) -> Features {
            Features { native: self.0, emulated: FeatureSet::EMPTY }
        }

        fn call<'a>(&'a self, _: &'a Context, op: &'a ObjectsOp) -> BoxFuture<'a, Result<ObjectsReply>> {
            Box::pin(async move {
                match op {
                    ObjectsOp::Check(_) => Ok(ObjectsReply::Check(())),
                    _ => Err(Error::internal("broken")),
                }
            })
        }
    }

    async fn reads_a_part(env: Env<ObjectsService>) -> Outcome {
        env.service().send(Get { key: "k".into(), range: Some((0, 1)) }).await?;
        Ok(())
    }

    async fn answers(env: Env<ObjectsService>) -> Outcome {
        env.service().send(Check).await?;
        Ok(())
    }

    async fn compares(_: Env<ObjectsService>) -> Outcome {
        assert_eq!(1 + 1, 3, "arithmetic");
        Ok(())
    }

    const CASES: &[Case<ObjectsService>] = cases!(ObjectsService {
        reads_a_part: ObjectsFeature::Ranges,
        answers: ObjectsFeature::Ranges,
        answers,
        compares,
    });

    async fn verdict(case: usize, features: FeatureSet) -> Result<(), String> {
        let open_fresh: Arc<Open<ObjectsService>> =
            Arc::new(move || Box::pin(async move { Ok(Arc::new(Stub(features)) as Stack<ObjectsService>) }));
        judge(&CASES[case], "stub", Layers::Guard, &open_fresh).await
    }

    #[tokio::test]
    async fn what_is_declared_must_pass() {
        let ranges = FeatureSet::of(&[ObjectsFeature::Ranges]);
        assert_eq!(verdict(1, ranges).await, Ok(()));
        assert_eq!(verdict(2, ranges).await, Ok(()));
        assert!(verdict(0, ranges).await.unwrap_err().starts_with("unexpected error: Internal"));
        assert!(verdict(3, ranges).await.unwrap_err().contains("arithmetic"));
    }

    #[tokio::test]
    async fn what_is_not_declared_must_be_refused() {
        assert_eq!(verdict(0, FeatureSet::EMPTY).await, Ok(()));
        let passes = verdict(1, FeatureSet::EMPTY).await.unwrap_err();
        assert_eq!(passes, "passes although [\"ranges\"] is not declared");
    }
}
