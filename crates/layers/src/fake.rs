//! A service small enough to test layers on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, FeatureSet, Features, OpInfo, Operation, Result, Service, Stack,
};

truststream_kernel::features! {
    /// Features of the fake service.
    FakeFeature {
        /// Wings.
        Wings = "wings",
    }
}

pub(crate) struct FakeService;

impl Service for FakeService {
    const NAME: &'static str = "fake";
    const FEATURES: &'static [&'static str] = FakeFeature::NAMES;
    type Op = FakeOp;
    type Reply = ();
}

#[derive(Debug)]
pub(crate) struct FakeOp {
    info: OpInfo,
    needs: FeatureSet,
}

impl FakeOp {
    fn new(name: &'static str, effect: Effect) -> Self {
        FakeOp { info: OpInfo { name, effect, idempotent: effect == Effect::Read }, needs: FeatureSet::EMPTY }
    }

    pub(crate) fn idempotent(mut self) -> Self {
        self.info.idempotent = true;
        self
    }

    pub(crate) fn needing_wings(mut self) -> Self {
        self.needs = FeatureSet::of(&[FakeFeature::Wings]);
        self
    }
}

impl Operation for FakeOp {
    fn info(&self) -> OpInfo {
        self.info
    }

    fn needs(&self) -> FeatureSet {
        self.needs
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        out.write_str(self.info.name)
    }
}

pub(crate) fn read() -> FakeOp {
    FakeOp::new("read", Effect::Read)
}

pub(crate) fn write() -> FakeOp {
    FakeOp::new("write", Effect::Write)
}

pub(crate) fn admin() -> FakeOp {
    FakeOp::new("admin", Effect::Admin)
}

type MakeError = dyn Fn() -> Error + Send + Sync;

/// Fails a number of times, then answers after some time.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    calls: Arc<AtomicU32>,
    failures: u32,
    error: Option<Arc<MakeError>>,
    takes: Duration,
    features: Features,
}

impl Fake {
    pub(crate) fn failing(failures: u32, error: impl Fn() -> Error + Send + Sync + 'static) -> Self {
        Fake { failures, error: Some(Arc::new(error)), ..Fake::default() }
    }

    pub(crate) fn slow(takes: Duration) -> Self {
        Fake { takes, ..Fake::default() }
    }

    pub(crate) fn with_wings(mut self) -> Self {
        self.features.native = FeatureSet::of(&[FakeFeature::Wings]);
        self
    }

    pub(crate) fn stack(&self) -> Stack<FakeService> {
        Arc::new(self.clone())
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Call<FakeService> for Fake {
    fn features(&self) -> Features {
        self.features
    }

    fn call<'a>(&'a self, _: &'a Context, _: &'a FakeOp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            if !self.takes.is_zero() {
                tokio::time::sleep(self.takes).await;
            }
            match &self.error {
                Some(error) if call < self.failures => Err(error()),
                _ => Ok(()),
            }
        })
    }
}
