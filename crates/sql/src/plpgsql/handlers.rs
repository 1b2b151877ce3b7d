//! Handlers of errors, and what is told within them.

use sqlparser::tokenizer::Token;

use super::conditions::{Condition, code_of};
use super::reader::Reader;
use super::{Body, Fault, Handler, Step};

/// What an error is called within its handler: its code, its message, and what no text can name but by
/// `get stacked diagnostics` and `raise`, its details and its hint.
pub(crate) const CAUGHT: [&str; 4] = ["sqlstate", "sqlerrm", "sqlerrm details", "sqlerrm hint"];

impl Reader {
    /// `exception when … [or …] then … [when …]`
    pub(super) fn handlers(&mut self) -> Result<Vec<Handler>, Fault> {
        let mut handlers = Vec::new();
        if !self.take("exception") {
            return Ok(handlers);
        }
        self.beyond("a handler of exceptions");
        while self.take("when") {
            let mut conditions = vec![self.caught()?];
            while self.take("or") {
                conditions.push(self.caught()?);
            }
            self.expect("then")?;
            self.handling += 1;
            let steps = self.steps(&["when", "end"]);
            self.handling -= 1;
            handlers.push(Handler { conditions, steps: steps? });
        }
        if handlers.is_empty() { self.fault("a handler of no exception") } else { Ok(handlers) }
    }

    /// `others`, a condition's name, or `sqlstate '…'`
    fn caught(&mut self) -> Result<Condition, Fault> {
        if self.take("others") {
            return Ok(Condition::Others);
        }
        let name = if self.take("sqlstate") { self.quoted() } else { self.name().ok() };
        let Some(name) = name else { return self.fault("this condition of a handler") };
        let code = code_of(&name);
        if code.len() != 5 {
            return self.fault(format!("a handler of \"{name}\""));
        }
        Ok(Condition::State(code))
    }

    /// `raise;` within a handler: the same error once more.
    pub(super) fn raised_again(&self) -> Result<Step, Fault> {
        if self.handling == 0 {
            return self.fault("\"raise\" of nothing outside of a handler");
        }
        let options = ["errcode", "message", "detail", "hint"].iter().zip(CAUGHT);
        let options = options.map(|(option, name)| ((*option).to_owned(), format!("\"{name}\"")));
        let (code, message) = (String::new(), String::new());
        Ok(Step::Raise { code, message, arguments: Vec::new(), options: options.collect() })
    }

    /// `get [stacked] diagnostics variable = item, …;`
    pub(super) fn diagnostics(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let stacked = self.take("stacked");
        if stacked && self.handling == 0 {
            return self.fault("\"get stacked diagnostics\" outside of a handler");
        }
        if !stacked {
            self.take("current");
        }
        self.expect("diagnostics")?;
        let mut steps = vec![self.told(stacked)?];
        while self.take_token(&Token::Comma) {
            steps.push(self.told(stacked)?);
        }
        self.ended()?;
        Ok(match (steps.pop(), steps.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                steps.extend(last);
                Step::Block(Body { steps, ..Body::default() })
            }
        })
    }

    /// `variable = item`
    fn told(&mut self, stacked: bool) -> Result<Step, Fault> {
        let variable = self.name()?;
        if !self.take_token(&Token::Eq) && !self.take_token(&Token::Assignment) {
            return self.fault("what is no assignment");
        }
        let item = self.name()?;
        let caught = match item.as_str() {
            "row_count" if !stacked => return Ok(Step::RowCount(variable)),
            "returned_sqlstate" => 0,
            "message_text" => 1,
            "pg_exception_detail" => 2,
            "pg_exception_hint" => 3,
            _ => return self.fault(format!("\"get diagnostics\" of {item}")),
        };
        if !stacked {
            return self.fault(format!("\"get diagnostics\" of {item}"));
        }
        Ok(Step::Set { variable, value: format!("coalesce(\"{}\", '')", CAUGHT[caught]) })
    }
}
