//! What the operator asks of a switch that goes part by part.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use truststream_kernel::Result;

use crate::shared::Shared;

/// What is to be done next, as it is stored too: whoever goes on with the switch does it.
#[derive(Default)]
pub(crate) struct Wishes {
    asked: Mutex<VecDeque<PartWish>>,
    /// What is stored changes together with what is known here.
    changing: tokio::sync::Mutex<()>,
}

/// What is to be done with parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartWish {
    /// The part goes to the target.
    Move(String),
    /// The part returns to the source, and no other part moves by itself any more.
    Back(String),
    /// All that are left go, one after the other, and then the switch commits.
    All,
}

impl Wishes {
    /// What was asked for first.
    pub(super) fn next(&self) -> Option<PartWish> {
        self.asked.lock().front().cloned()
    }

    /// Whether something is asked for.
    pub(super) fn is_asked(&self) -> bool {
        !self.asked.lock().is_empty()
    }
}

impl Shared {
    /// Asks for something of a switch.
    pub(super) async fn wish(&self, id: u64, wish: PartWish) -> Result<()> {
        self.change_wishes(id, |asked| asked.push_back(wish)).await
    }

    /// What was asked for first was done, or can't be.
    pub(super) async fn wish_is_over(&self, id: u64) -> Result<()> {
        self.change_wishes(id, |asked| drop(asked.pop_front())).await
    }

    /// Nothing is asked for any more.
    pub(crate) async fn forget_wishes(&self, id: u64) -> Result<()> {
        if self.records.wishes(id).await?.is_empty() {
            self.wishes.asked.lock().clear();
            return Ok(());
        }
        self.change_wishes(id, VecDeque::clear).await
    }

    /// Knows what was asked for before, of whoever led the switch.
    pub(super) async fn take_wishes_up(&self, id: u64) -> Result<()> {
        let _alone = self.wishes.changing.lock().await;
        let stored = self.records.wishes(id).await?;
        *self.wishes.asked.lock() = stored;
        Ok(())
    }

    async fn change_wishes(&self, id: u64, change: impl FnOnce(&mut VecDeque<PartWish>)) -> Result<()> {
        let _alone = self.wishes.changing.lock().await;
        let mut asked = self.wishes.asked.lock().clone();
        change(&mut asked);
        self.records.save_wishes(id, &asked).await?;
        *self.wishes.asked.lock() = asked;
        Ok(())
    }
}
