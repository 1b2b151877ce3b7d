//! The operations of applications as steps, and the pages of steps as replies.

use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{
    DatabaseOp, DatabaseReply, Page, Step, WriteOptions, is_above_policies,
};

/// Whether an operation is as the provider takes it: no key, no version, no SQL.
pub(super) fn needs_nothing(cx: &Context, op: &DatabaseOp) -> bool {
    let unversioned = match op {
        DatabaseOp::Select(_) => return true,
        DatabaseOp::Invoke(_) => true,
        DatabaseOp::Insert(op) => op.options.if_version.is_none(),
        DatabaseOp::Update(op) => op.options.if_version.is_none(),
        DatabaseOp::Delete(op) => op.options.if_version.is_none(),
        _ => false,
    };
    unversioned && cx.idempotency_key.is_none()
}

/// The steps of an operation that reads or writes rows; `None` for all others.
pub(super) fn steps(op: &DatabaseOp) -> Option<Vec<Step>> {
    Some(match op {
        DatabaseOp::Select(op) => vec![op.clone().into()],
        DatabaseOp::Insert(op) => vec![op.clone().into()],
        DatabaseOp::Update(op) => vec![op.clone().into()],
        DatabaseOp::Delete(op) => vec![op.clone().into()],
        DatabaseOp::Invoke(op) => vec![op.clone().into()],
        DatabaseOp::Raw(op) => vec![op.clone().into()],
        DatabaseOp::Batch(op) => op.steps.clone(),
        _ => return None,
    })
}

/// The reply of an operation whose steps gave these pages.
pub(super) fn reply(op: &DatabaseOp, mut pages: Vec<Page>) -> Result<DatabaseReply> {
    if let DatabaseOp::Batch(_) = op {
        return Ok(DatabaseReply::Batch(pages));
    }
    let page = pages.pop().ok_or_else(|| Error::internal("a step has no page"))?;
    Ok(match op {
        DatabaseOp::Select(_) => DatabaseReply::Select(page),
        DatabaseOp::Insert(_) => DatabaseReply::Insert(page),
        DatabaseOp::Update(_) => DatabaseReply::Update(page),
        DatabaseOp::Delete(_) => DatabaseReply::Delete(page),
        DatabaseOp::Invoke(_) => DatabaseReply::Invoke(page),
        _ => DatabaseReply::Raw(page),
    })
}

/// The pages of a reply to steps.
pub(super) fn pages(reply: DatabaseReply) -> Result<Vec<Page>> {
    match reply {
        DatabaseReply::Select(page)
        | DatabaseReply::Insert(page)
        | DatabaseReply::Update(page)
        | DatabaseReply::Delete(page)
        | DatabaseReply::Invoke(page)
        | DatabaseReply::Raw(page) => Ok(vec![page]),
        DatabaseReply::Batch(pages) => Ok(pages),
        _ => Err(Error::internal("a step was answered with the reply of another operation")),
    }
}

/// A step as an operation of its own.
pub(super) fn alone(step: Step) -> Result<DatabaseOp> {
    Ok(match step {
        Step::Select(op) => DatabaseOp::Select(op),
        Step::Insert(op) => DatabaseOp::Insert(op),
        Step::Update(op) => DatabaseOp::Update(op),
        Step::Delete(op) => DatabaseOp::Delete(op),
        Step::Invoke(op) => DatabaseOp::Invoke(op),
        Step::Raw(op) => DatabaseOp::Raw(op),
        Step::Expect(_) => return Err(Error::internal("nothing is expected of a single operation")),
    })
}

/// The options of a write.
pub(super) fn options(step: &Step) -> Option<&WriteOptions> {
    match step {
        Step::Insert(op) => Some(&op.options),
        Step::Update(op) => Some(&op.options),
        Step::Delete(op) => Some(&op.options),
        Step::Select(_) | Step::Invoke(_) | Step::Raw(_) | Step::Expect(_) => None,
    }
}

/// Refuses SQL of callers whom policies bind.
///
/// # Errors
/// 42501
pub(super) fn permit(cx: &Context, step: &Step) -> Result<()> {
    let Step::Raw(_) = step else { return Ok(()) };
    match cx.identity() {
        Some(identity) if !is_above_policies(&identity.role) => {
            let message = format!("permission denied: role \"{}\" may not send SQL", identity.role);
            Err(Error::permission_denied(message).with_hint("the service role may"))
        }
        _ => Ok(()),
    }
}
