//! Several requests as one.

use std::borrow::Cow;

use truststream_kernel::{Body, Effect, FeatureSet, Requires, Result};

use super::{Arguments, Delete, Format, Insert, Invoke, Isolation, Raw, Select, Update};

/// Several writes and reads, applied all or none, in order, in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What to do.
    pub steps: Vec<Step>,
    /// What the steps see of others who write at the same moment; the engine's default if absent.
    pub isolation: Option<Isolation>,
}

impl Batch {
    /// Steps in the engine's default isolation.
    pub fn new(steps: Vec<Step>) -> Self {
        Batch { steps, isolation: None }
    }
}

impl Requires for Batch {
    fn needs(&self) -> FeatureSet {
        self.steps.iter().fold(FeatureSet::EMPTY, |set, step| set | step.needs())
    }

    fn effect(&self) -> Option<Effect> {
        self.steps.iter().all(Step::only_reads).then_some(Effect::Read)
    }
}

/// One step of a [`Batch`] or of a transaction.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Step {
    Select(Select),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Invoke(Invoke),
    Raw(Raw),
    /// The whole batch fails with `Conflict` (SQLSTATE 40001) unless the step before it touched
    /// exactly so many rows. Repeating it as it is does not help, and the error says so.
    Expect(u64),
}

impl Step {
    /// Whether it changes nothing.
    pub fn only_reads(&self) -> bool {
        match self {
            Step::Select(_) | Step::Expect(_) => true,
            Step::Invoke(invoke) => invoke.read_only,
            Step::Raw(raw) => raw.read_only,
            Step::Insert(_) | Step::Update(_) | Step::Delete(_) => false,
        }
    }

    /// How its reply is wanted.
    pub fn format_mut(&mut self) -> Option<&mut Format> {
        match self {
            Step::Select(op) => Some(&mut op.format),
            Step::Insert(op) => Some(&mut op.options.format),
            Step::Update(op) => Some(&mut op.options.format),
            Step::Delete(op) => Some(&mut op.options.format),
            Step::Invoke(op) => Some(&mut op.format),
            Step::Raw(_) | Step::Expect(_) => None,
        }
    }

    /// What it brings, if that is a body.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Step::Insert(insert) => Some(&insert.rows),
            Step::Update(update) => Some(&update.values),
            Step::Invoke(invoke) => match &invoke.arguments {
                Arguments::Json(body) | Arguments::Raw { body, .. } => Some(body),
                Arguments::Named(_) => None,
            },
            Step::Select(_) | Step::Delete(_) | Step::Raw(_) | Step::Expect(_) => None,
        }
    }

    /// The same step with its body in memory.
    ///
    /// # Errors
    /// Those of reading the body.
    pub async fn in_memory(&self) -> Result<Cow<'_, Self>> {
        let Some(body @ Body::Open { .. }) = self.body() else { return Ok(Cow::Borrowed(self)) };
        let bytes = Body::from(body.collect(usize::MAX).await?);
        let mut step = self.clone();
        match &mut step {
            Step::Insert(insert) => insert.rows = bytes,
            Step::Update(update) => update.values = bytes,
            Step::Invoke(invoke) => match &mut invoke.arguments {
                Arguments::Json(body) | Arguments::Raw { body, .. } => *body = bytes,
                Arguments::Named(_) => {}
            },
            Step::Select(_) | Step::Delete(_) | Step::Raw(_) | Step::Expect(_) => {}
        }
        Ok(Cow::Owned(step))
    }
}

impl Requires for Step {
    fn needs(&self) -> FeatureSet {
        match self {
            Step::Select(select) => select.needs(),
            Step::Insert(insert) => insert.needs(),
            Step::Update(update) => update.needs(),
            Step::Delete(delete) => delete.needs(),
            Step::Invoke(invoke) => invoke.needs(),
            Step::Raw(raw) => raw.needs(),
            Step::Expect(_) => FeatureSet::EMPTY,
        }
    }
}

macro_rules! steps {
    ($($operation:ident),+) => {
        $(impl From<$operation> for Step {
            fn from(operation: $operation) -> Self {
                Step::$operation(operation)
            }
        })+
    };
}

steps!(Select, Insert, Update, Delete, Invoke, Raw);
