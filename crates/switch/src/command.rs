//! What is asked of whoever leads switches, as it travels through the control store.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use truststream_kernel::{Error, ErrorKind, Result};

use crate::{Mirrors, Options, Switcher};

/// Something to be done to the project's switches.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Starts one.
    Start {
        /// The backend to move to.
        to: String,
        /// How it is made.
        options: Options,
    },
    /// Stops it until it is resumed.
    Pause,
    /// Goes on.
    Resume,
    /// Returns to the backend that served before.
    Back,
    /// Moves a part, or all that are left.
    Move {
        /// The part.
        part: Option<String>,
    },
    /// Returns a part.
    PartBack {
        /// The part.
        part: String,
    },
    /// Closes the way back.
    Finalize,
    /// Gives it up.
    Abort,
    /// Tries one on some rows.
    Rehearse {
        /// The backend to move to.
        to: String,
    },
    /// Says what a failover would cost.
    Foresee,
    /// Has the mirror take the place of the backend that serves.
    FailOver,
    /// Compares two backends.
    Verify {
        /// The one whose rows are right.
        source: String,
        /// The other one.
        target: String,
        /// How they are compared.
        options: Options,
    },
}

impl Command {
    /// Does it in this process; the answer is that of the switcher's method.
    pub(crate) async fn run(self, switcher: &Switcher, mirrors: Option<Arc<Mirrors>>) -> Result<Json> {
        let mirrors = mirrors.ok_or_else(|| Error::internal("there are no mirrors here"));
        match self {
            Command::Foresee => written(&mirrors?.foresee().await?),
            Command::FailOver => {
                written(&mirrors?.fail_over("asked for by the operator", None, Duration::ZERO).await?)
            }
            Command::Start { to, options } => written(&switcher.start(&to, options).await?),
            Command::Pause => written(&switcher.pause().await?),
            Command::Resume => written(&switcher.resume().await?),
            Command::Back => written(&switcher.back().await?),
            Command::Move { part } => written(&switcher.move_part(part.as_deref()).await?),
            Command::PartBack { part } => written(&switcher.part_back(&part).await?),
            Command::Finalize => written(&switcher.finalize().await?),
            Command::Abort => written(&switcher.abort().await?),
            Command::Rehearse { to } => written(&switcher.rehearse(&to).await?),
            Command::Verify { source, target, options } => {
                written(&switcher.verify(&source, &target, &options).await?)
            }
        }
    }
}

fn written(value: &impl Serialize) -> Result<Json> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal("an answer can't be written").with_source(error))
}

/// A command, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    #[serde(default)]
    pub(crate) answer: Option<Answer>,
}

impl Asked {
    pub(crate) fn new(command: Command) -> Self {
        Asked { command, answer: None }
    }
}

/// What came of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It was done.
    Done(Json),
    /// It was not, and this is why.
    Failed { kind: String, code: String, message: String, details: Option<Json>, hint: Option<String> },
}

impl From<Result<Json>> for Answer {
    fn from(result: Result<Json>) -> Self {
        match result {
            Ok(value) => Answer::Done(value),
            Err(error) => Answer::Failed {
                kind: error.kind().name().to_owned(),
                code: error.code().to_owned(),
                message: error.message().to_owned(),
                details: error.details().cloned(),
                hint: error.hint().map(str::to_owned),
            },
        }
    }
}

impl Answer {
    /// The answer as whoever asked would have got it from its own process.
    pub(crate) fn into_result(self) -> Result<Json> {
        match self {
            Answer::Done(value) => Ok(value),
            Answer::Failed { kind, code, message, details, hint } => {
                let kind = ErrorKind::ALL.iter().find(|known| known.name() == kind);
                let mut error = Error::new(*kind.unwrap_or(&ErrorKind::Internal), code, message);
                if let Some(details) = details {
                    error = error.with_details(details);
                }
                if let Some(hint) = hint {
                    error = error.with_hint(hint);
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_travels_as_it_is() {
        let error = Error::new(ErrorKind::Conflict, "BACKEND_011", "not over").with_hint("abort it");
        let text = serde_json::to_string(&Answer::from(Err(error))).unwrap();
        let answer: Answer = serde_json::from_str(&text).unwrap();
        let error = answer.into_result().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "BACKEND_011"));
        assert_eq!((error.message(), error.hint()), ("not over", Some("abort it")));
    }
}
