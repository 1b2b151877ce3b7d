//! Loops, blocks within blocks, `case` and what else only a program does.

use sqlparser::tokenizer::Token;

use super::reader::Reader;
use super::{Fault, Step, Variable};

impl Reader {
    /// The statement that a word begins; `None` if it begins none.
    pub(super) fn looping(&mut self, word: &str) -> Result<Option<Step>, Fault> {
        let label = self.label()?;
        let word = if label.is_some() { self.peek() } else { word.to_owned() };
        let step = match word.as_str() {
            "loop" => self.body(label, None)?,
            "while" => {
                self.at += 1;
                let test = self.text_until(&["loop"])?;
                self.body(label, Some(test))?
            }
            "for" | "foreach" => self.each(label, word == "foreach")?,
            "declare" | "begin" if label.is_none() => {
                let block = self.block()?;
                self.ended()?;
                Step::Block(block)
            }
            "exit" | "continue" => self.leaving(word == "continue")?,
            "case" => self.case()?,
            "assert" => self.assertion()?,
            "get" => self.diagnostics()?,
            _ => return Ok(None),
        };
        Ok(Some(step))
    }

    /// `<<label>>`
    fn label(&mut self) -> Result<Option<String>, Fault> {
        if !self.take_token(&Token::ShiftLeft) {
            return Ok(None);
        }
        let label = self.name()?;
        if self.take_token(&Token::ShiftRight) {
            Ok(Some(label))
        } else {
            self.fault("a label that does not end")
        }
    }

    pub(super) fn ended(&mut self) -> Result<(), Fault> {
        if self.take_token(&Token::SemiColon) { Ok(()) } else { self.fault("a statement that does not end") }
    }

    /// `loop … end loop [label];`
    fn inner(&mut self) -> Result<Vec<Step>, Fault> {
        self.expect("loop")?;
        let steps = self.steps(&["end"])?;
        self.expect("end")?;
        self.expect("loop")?;
        if !self.peek().is_empty() {
            self.name()?;
        }
        self.ended()?;
        Ok(steps)
    }

    fn body(&mut self, label: Option<String>, test: Option<String>) -> Result<Step, Fault> {
        Ok(Step::Loop { label, test, steps: self.inner()? })
    }

    /// `for … in … loop`, `foreach … in array … loop`
    fn each(&mut self, label: Option<String>, array: bool) -> Result<Step, Fault> {
        self.at += 1;
        let mut variables = vec![self.name()?];
        while self.take_token(&Token::Comma) {
            variables.push(self.name()?);
        }
        self.expect("in")?;
        if array {
            self.expect("array")?;
            let sql = format!("select * from unnest({})", self.text_until(&["loop"])?);
            return Ok(Step::Rows { label, variables, sql, steps: self.inner()? });
        }
        if self.take("execute") {
            let (sql, values) = self.looped_execute()?;
            let step = Box::new(Step::Rows { label, variables, sql, steps: self.inner()? });
            return Ok(Step::Execute { values, step });
        }
        let word = self.peek();
        let text = self.text_until(&["loop"])?;
        let Some((first, last)) =
            text.split_once("..").filter(|_| !matches!(word.as_str(), "select" | "with"))
        else {
            let sql = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text);
            return Ok(Step::Rows { label, variables, sql: sql.to_owned(), steps: self.inner()? });
        };
        let lower = last.to_lowercase();
        let (last, by) = match lower.rfind(" by ") {
            Some(at) => (&last[..at], last[at + 4..].to_owned()),
            None => (last, "1".to_owned()),
        };
        let reverse = word == "reverse";
        let first = if reverse { &first["reverse".len()..] } else { first };
        let ends = [first.trim().to_owned(), last.trim().to_owned(), by];
        let (variable, outer) = (variables.remove(0), self.variables.len());
        self.variables.push(Variable { name: variable.clone(), type_name: "integer".into(), value: None });
        let steps = self.inner()?;
        self.variables.truncate(outer);
        Ok(Step::Range { label, variable, reverse, ends, steps })
    }

    /// `exit [label] [when …];`
    fn leaving(&mut self, next: bool) -> Result<Step, Fault> {
        self.at += 1;
        let label = match self.peek().as_str() {
            "" | "when" => None,
            _ => Some(self.name()?),
        };
        if self.take("when") {
            return Ok(Step::Leave { label, next, test: Some(self.rest()?) });
        }
        self.ended()?;
        Ok(Step::Leave { label, next, test: None })
    }

    /// `case [value] when … then … else … end case;`
    fn case(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let value = self.text_until(&["when"])?;
        let mut branches = Vec::new();
        let mut otherwise = vec![Step::Raise {
            code: "20000".into(),
            message: "case not found".into(),
            arguments: Vec::new(),
            options: vec![("hint".into(), "'CASE statement is missing ELSE part.'".into())],
        }];
        while self.take("when") {
            let test = self.text_until(&["then"])?;
            self.expect("then")?;
            let test = if value.is_empty() { test } else { format!("({value}) in ({test})") };
            branches.push((test, self.steps(&["when", "else", "end"])?));
        }
        if self.take("else") {
            otherwise = self.steps(&["end"])?;
        }
        self.expect("end")?;
        self.expect("case")?;
        self.ended()?;
        Ok(Step::If { branches, otherwise })
    }
}
