//! Sessions: a refresh token that was given out is taken.

use super::Violation;
use crate::history::{Action, History, Outcome};

pub(super) fn check(history: &History) -> Vec<Violation> {
    let refused =
        history.operations.iter().filter_map(|operation| match (&operation.action, &operation.outcome) {
            (Action::Rotate { session }, Outcome::Refused(why)) if is_verdict(why) => Some(Violation::new(
                "signed out",
                format!("session {session} at {:?}: {why}", operation.began),
            )),
            _ => None,
        });
    refused.collect()
}

/// Whether the answer is about the token, not about the server.
fn is_verdict(why: &str) -> bool {
    why.starts_with("400") || why.starts_with("401") || why.starts_with("403")
}
