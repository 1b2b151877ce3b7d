//! Asking a switch that runs to stop.

use std::sync::Arc;

use tokio::sync::watch;
use truststream_kernel::{Error, ErrorKind, Result};

use crate::Gate;
use crate::pace::Manners;

/// What is asked of a switch that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Go on.
    #[default]
    Go,
    /// Stop; somebody goes on later from what is stored.
    Stop,
    /// Stop and leave the source as it was.
    Abort,
}

/// Where a switch that runs sees what is asked of it. It looks between steps, so that nothing is
/// broken off half-way; and how the application fares meanwhile.
#[derive(Clone)]
pub(crate) struct Signal {
    wish: watch::Receiver<Wish>,
    manners: Arc<Manners>,
}

impl Signal {
    /// Of what need not mind the application.
    pub(crate) fn new() -> (watch::Sender<Wish>, Self) {
        Signal::with(Manners::beside(None))
    }

    /// Of what works beside the writes that pass this gate.
    pub(crate) fn beside(gate: &Arc<Gate>) -> (watch::Sender<Wish>, Self) {
        Signal::with(Manners::beside(Some(Arc::clone(gate))))
    }

    fn with(manners: Arc<Manners>) -> (watch::Sender<Wish>, Self) {
        let (sender, wish) = watch::channel(Wish::Go);
        (sender, Signal { wish, manners })
    }

    pub(crate) fn manners(&self) -> &Manners {
        &self.manners
    }

    pub(crate) fn wish(&self) -> Wish {
        *self.wish.borrow()
    }

    /// # Errors
    /// When it is asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        match self.wish() {
            Wish::Go => Ok(()),
            Wish::Stop => Err(stopped("the switch was stopped")),
            Wish::Abort => Err(stopped("aborted by the operator")),
        }
    }

    /// Waits, unless it is asked to stop before.
    pub(crate) async fn sleep(&self, time: std::time::Duration) {
        let mut receiver = self.wish.clone();
        let asked = async {
            // A sender that is gone can't ask any more.
            if receiver.wait_for(|wish| *wish != Wish::Go).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep(time) => {}
            () = asked => {}
        }
    }
}

fn stopped(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "BACKEND_011", message)
}
