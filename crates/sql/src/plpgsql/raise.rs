//! `raise` and `assert`.

use sqlparser::tokenizer::Token;

use super::conditions::code_of;
use super::reader::Reader;
use super::{Fault, Step};

impl Reader {
    pub(super) fn raise(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let level = self.peek();
        if ["notice", "log", "info", "debug", "warning"].contains(&level.as_str()) {
            return self.rest().map(|_| Step::Nothing);
        }
        if self.take_token(&Token::SemiColon) {
            self.beyond("\"raise\" of the same error");
            return self.raised_again();
        }
        self.take("exception");
        let (mut code, mut message, mut arguments) = ("P0001".to_owned(), None, Vec::new());
        if let Some(text) = self.quoted() {
            message = Some(text);
            while self.take_token(&Token::Comma) {
                arguments.push(self.argument(&["using"])?);
            }
        } else {
            self.beyond("\"raise\" without a message as a text");
            if self.take("sqlstate") {
                let Some(state) = self.quoted() else { return self.fault("this form of \"raise\"") };
                code = state;
            } else if !matches!(self.peek().as_str(), "" | "using") {
                let name = self.name()?;
                code = code_of(&name);
                message = Some(name);
            }
        }
        let options = self.options(&mut code)?;
        if !self.take_token(&Token::SemiColon) {
            return self.fault("this form of \"raise\"");
        }
        let own = options.iter().any(|(name, _)| name == "message");
        let message = match message {
            _ if own => String::new(),
            Some(message) => message,
            None => code.clone(),
        };
        Ok(Step::Raise { code, message, arguments, options })
    }

    /// `using option = value, …`; an `errcode` that is a text becomes the code.
    fn options(&mut self, code: &mut String) -> Result<Vec<(String, String)>, Fault> {
        let mut options = Vec::new();
        if !self.take("using") {
            return Ok(options);
        }
        loop {
            let option = self.peek();
            self.at += 1;
            if !self.take_token(&Token::Eq) && !self.take_token(&Token::Assignment) {
                return self.fault("this form of \"raise\"");
            }
            let value = self.argument(&["using"])?;
            let text = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
            match (option.as_str(), text) {
                ("errcode", Some(text)) if !text.contains('\'') => *code = code_of(text),
                ("errcode" | "message" | "detail" | "hint", _) => {
                    self.beyond("\"raise\" with options besides errcode");
                    options.push((option, value));
                }
                // What else an error may tell, its reader is never shown.
                ("column" | "constraint" | "datatype" | "table" | "schema", _) => {}
                _ => return self.fault("this option of \"raise\""),
            }
            if !self.take_token(&Token::Comma) {
                return Ok(options);
            }
        }
    }

    /// `assert condition [, message];`
    pub(super) fn assertion(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let test = self.argument(&["using"])?;
        let mut options = Vec::new();
        if self.take_token(&Token::Comma) {
            options.push(("message".to_owned(), self.argument(&["using"])?));
        }
        if !self.take_token(&Token::SemiColon) {
            return self.fault("this form of \"assert\"");
        }
        let message = if options.is_empty() { "assertion failed".to_owned() } else { String::new() };
        let raise = Step::Raise { code: "P0004".into(), message, arguments: Vec::new(), options };
        Ok(Step::If { branches: vec![(test, Vec::new())], otherwise: vec![raise] })
    }

    /// A text in quotes, if one comes next.
    pub(super) fn quoted(&mut self) -> Option<String> {
        self.skip_spaces();
        let Some((Token::SingleQuotedString(text), _)) = self.tokens.get(self.at).cloned() else {
            return None;
        };
        self.at += 1;
        Some(text.replace("''", "'"))
    }

    /// One expression of several, up to one of these words.
    pub(super) fn argument(&mut self, stops: &[&str]) -> Result<String, Fault> {
        let (mut text, mut depth) = (String::new(), 0_usize);
        loop {
            if depth == 0 && stops.contains(&self.peek().as_str()) {
                break;
            }
            match self.tokens.get(self.at) {
                None => return self.fault("a statement that does not end"),
                Some((Token::SemiColon | Token::Comma, _)) if depth == 0 => break,
                Some((token, _)) => {
                    depth += usize::from(*token == Token::LParen);
                    depth -= usize::from(*token == Token::RParen && depth > 0);
                    text.push_str(&format!("{token} "));
                    self.at += 1;
                }
            }
        }
        Ok(text.trim().to_owned())
    }
}
