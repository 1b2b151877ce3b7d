//! How commands fail: one sentence, what was wrong, what to do, an exit code.

use std::process::ExitCode;

use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind};

/// Why a command failed.
#[derive(Debug)]
pub struct Failure(Box<Told>);

#[derive(Debug)]
struct Told {
    exit: u8,
    code: String,
    message: String,
    details: Option<Json>,
    hint: Option<String>,
}

/// A command's result.
pub type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// Nothing runs that the command could talk to.
    pub fn nothing_runs(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure(Box::new(Told {
            exit: 3,
            code: "BACKEND_013".to_owned(),
            message: message.into(),
            details: None,
            hint: Some(hint.into()),
        }))
    }

    /// An answer of the gateway that says what went wrong.
    pub fn answered(answer: &Json) -> Self {
        let text = |name: &str| answer.get(name).and_then(Json::as_str).map(str::to_owned);
        Failure(Box::new(Told {
            exit: 1,
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| "the gateway refused".to_owned()),
            details: answer.get("details").filter(|details| !details.is_null()).cloned(),
            hint: text("hint"),
        }))
    }

    /// The same for those who know errors of services only.
    pub fn into_error(self) -> Error {
        let Told { exit, code, message, details, hint } = *self.0;
        let kind = if exit == 3 { ErrorKind::Unavailable } else { ErrorKind::InvalidInput };
        let mut error = Error::new(kind, code, message);
        if let Some(details) = details {
            error = error.with_details(details);
        }
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Tells the user, on stderr.
    pub fn report(&self, as_json: bool) -> ExitCode {
        if as_json {
            let Told { code, message, details, hint, .. } = &*self.0;
            eprintln!("{}", json!({ "code": code, "message": message, "details": details, "hint": hint }));
        } else {
            eprintln!("error: {} [{}]", self.0.message, self.0.code);
            match &self.0.details {
                Some(Json::String(details)) => details.lines().for_each(|line| eprintln!("  {line}")),
                Some(Json::Array(problems)) => {
                    problems.iter().for_each(|problem| eprintln!("  {}", one_problem(problem)))
                }
                _ => {}
            }
            if let Some(hint) = &self.0.hint {
                eprintln!("hint: {hint}");
            }
        }
        ExitCode::from(self.0.exit)
    }
}

fn one_problem(problem: &Json) -> String {
    let text = |name: &str| problem.get(name).and_then(Json::as_str).unwrap_or_default();
    let line = problem.get("line").and_then(Json::as_u64).unwrap_or_default();
    format!("{}:{line}: {} ({})", text("migration"), text("reason"), text("statement"))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = if error.kind() == ErrorKind::Configuration { 2 } else { 1 };
        tracing::debug!(?error, "the command failed");
        Failure(Box::new(Told {
            exit,
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            // Problems with migrations are part of the message already.
            details: error.details().filter(|details| details.is_string()).cloned(),
            hint: error.hint().map(str::to_owned),
        }))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Error::unavailable(error.to_string()).into()
    }
}
