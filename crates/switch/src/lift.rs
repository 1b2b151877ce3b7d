//! Lifting fences that nobody goes on with.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::machine::Event;
use crate::node::Node;
use crate::routes::change;
use crate::{ControlStore, Gate};

/// When a fence that could not be lifted is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// Lifts fences that this process saw stand for as long as they were to, whatever became of the
/// coordinator that set them. It ends with the node.
pub(crate) async fn lift_when_due(control: Arc<dyn ControlStore>, gate: Weak<Gate>, node: Weak<Node>) {
    let Some(mut states) = node.upgrade().map(|node| node.states()) else { return };
    loop {
        let Some(fence) = node.upgrade().map(|node| node.fence()) else { return };
        let due = fence.as_ref().map(|(_, due)| *due);
        tokio::select! {
            biased;
            changed = states.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let Some((expire, _)) = fence else { continue };
                if !lift(&*control, &gate, &node, expire).await {
                    // It stands longer than before, or the store does not answer.
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

async fn lift(control: &dyn ControlStore, gate: &Weak<Gate>, node: &Weak<Node>, expire: Event) -> bool {
    let Ok(sight) = change(control, &[expire]).await else { return false };
    if let (Some(gate), Some(node)) = (gate.upgrade(), node.upgrade()) {
        tracing::warn!(epoch = sight.state.route.epoch, "a fence was lifted that nobody went on with");
        gate.adopt(sight.state.route.clone());
        node.saw(&sight);
    }
    true
}
