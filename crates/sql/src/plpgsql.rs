//! The simple shapes of PL/pgSQL bodies: assignments to the new row, conditions, statements on
//! rows, `raise` and `return`. Variables, loops and handlers of exceptions are not among them.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// What is not understood of a body, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line within the body, from 1.
    pub line: u64,
    /// The part, or what is missing.
    pub text: String,
}

/// One statement of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `new.column := value;`
    Assign { column: String, value: String },
    /// `if … then … elsif … else … end if;`
    If { branches: Vec<(String, Vec<Step>)>, otherwise: Vec<Step> },
    /// `return …;` with the text behind it, which may be empty.
    Return(String),
    /// `return query …;`
    ReturnQuery(String),
    /// `raise exception …;`
    Raise { code: String, message: String, arguments: Vec<String> },
    /// A statement on rows.
    Sql(String),
    /// What changes nothing: `null;`, notices.
    Nothing,
}

/// Reads a body.
pub(crate) fn read(body: &str) -> Result<Vec<Step>, Fault> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, body)
        .tokenize_with_location()
        .map_err(|error| Fault { line: error.location.line, text: error.message })?;
    let tokens = tokens
        .into_iter()
        .filter(|one| !matches!(&one.token, Token::Whitespace(space) if space.to_string().trim() != ""))
        .map(|one| (one.token, one.span.start.line))
        .collect();
    let mut reader = Reader { tokens, at: 0 };
    reader.expect("begin")?;
    let steps = reader.steps(&["end"])?;
    reader.expect("end")?;
    Ok(steps)
}

/// A body that is only statements one after another, as they would be in `language sql`.
pub(crate) fn plain(body: &str) -> Result<String, Fault> {
    let mut statements = Vec::new();
    let steps = read(body)?;
    let last = steps.len().saturating_sub(1);
    for (at, step) in steps.into_iter().enumerate() {
        match step {
            Step::Nothing => {}
            Step::Sql(sql) => statements.push(sql),
            Step::Return(value) if value.is_empty() => {}
            Step::Return(value) if at == last => statements.push(format!("select {value}")),
            Step::ReturnQuery(query) if at >= last.saturating_sub(1) => statements.push(query),
            _ => {
                return Err(Fault {
                    line: 1,
                    text: "a body with conditions, or that goes on after it returned".into(),
                });
            }
        }
    }
    Ok(statements.join(";\n"))
}

struct Reader {
    tokens: Vec<(Token, u64)>,
    at: usize,
}

impl Reader {
    fn line(&self) -> u64 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    fn fault<T>(&self, text: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { line: self.line(), text: text.into() })
    }

    fn skip_spaces(&mut self) {
        while matches!(self.tokens.get(self.at), Some((Token::Whitespace(_), _))) {
            self.at += 1;
        }
    }

    /// The next word in lower case, if a word comes next.
    fn peek(&mut self) -> String {
        self.skip_spaces();
        match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) if word.quote_style.is_none() => word.value.to_lowercase(),
            _ => String::new(),
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == word;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.take(word) { Ok(()) } else { self.fault(format!("what is not simple ({word} is expected)")) }
    }

    fn take_token(&mut self, token: &Token) -> bool {
        self.skip_spaces();
        let found = self.tokens.get(self.at).is_some_and(|(one, _)| one == token);
        self.at += usize::from(found);
        found
    }

    /// The text up to a word or the end of the statement, both outside of parentheses and `case`.
    fn text_until(&mut self, stops: &[&str]) -> Result<String, Fault> {
        let (mut text, mut depth, mut cases) = (String::new(), 0_usize, 0_usize);
        loop {
            let Some((token, _)) = self.tokens.get(self.at) else {
                return self.fault("a statement that does not end");
            };
            match token {
                Token::SemiColon if depth == 0 => break,
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(word) if word.quote_style.is_none() => {
                    let word = word.value.to_lowercase();
                    if depth == 0 && cases == 0 && stops.contains(&word.as_str()) {
                        break;
                    }
                    cases += usize::from(word == "case");
                    cases -= usize::from(word == "end" && cases > 0);
                }
                _ => {}
            }
            text.push_str(&token.to_string());
            self.at += 1;
        }
        Ok(text.trim().to_owned())
    }

    fn rest(&mut self) -> Result<String, Fault> {
        let text = self.text_until(&[])?;
        self.at += 1;
        Ok(text)
    }

    fn steps(&mut self, ends: &[&str]) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        loop {
            let word = self.peek();
            if ends.contains(&word.as_str()) {
                return Ok(steps);
            }
            steps.push(self.step(&word)?);
        }
    }

    fn step(&mut self, word: &str) -> Result<Step, Fault> {
        match word {
            "if" => self.condition(),
            "return" => {
                self.at += 1;
                if self.take("query") {
                    return Ok(Step::ReturnQuery(self.rest()?));
                }
                Ok(Step::Return(self.rest()?))
            }
            "raise" => self.raise(),
            "perform" => {
                self.at += 1;
                Ok(Step::Sql(format!("select {}", self.rest()?)))
            }
            "null" => self.rest().map(|_| Step::Nothing),
            "insert" | "update" | "delete" => Ok(Step::Sql(self.rest()?)),
            "new" => self.assignment(),
            "exception" => self.fault("a handler of exceptions"),
            other => {
                let shown = if other.is_empty() { "this".to_owned() } else { format!("\"{other}\"") };
                self.fault(format!("{shown} in a body of plpgsql"))
            }
        }
    }

    fn assignment(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let dotted = self.take_token(&Token::Period);
        let column = match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) if dotted && word.quote_style.is_some() => word.value.clone(),
            Some((Token::Word(word), _)) if dotted => word.value.to_lowercase(),
            _ => return self.fault("an assignment of the whole row"),
        };
        self.at += 1;
        if !self.take_token(&Token::Assignment) && !self.take_token(&Token::Eq) {
            return self.fault("what is no assignment");
        }
        Ok(Step::Assign { column, value: self.rest()? })
    }

    fn condition(&mut self) -> Result<Step, Fault> {
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        loop {
            self.at += 1;
            let test = self.text_until(&["then"])?;
            self.expect("then")?;
            branches.push((test, self.steps(&["elsif", "elseif", "else", "end"])?));
            match self.peek().as_str() {
                "elsif" | "elseif" => {}
                "else" => {
                    self.at += 1;
                    otherwise = self.steps(&["end"])?;
                    break;
                }
                _ => break,
            }
        }
        self.expect("end")?;
        self.expect("if")?;
        if !self.take_token(&Token::SemiColon) {
            return self.fault("\"end if\" without a semicolon");
        }
        Ok(Step::If { branches, otherwise })
    }

    fn raise(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let level = self.peek();
        if ["notice", "log", "info", "debug", "warning"].contains(&level.as_str()) {
            return self.rest().map(|_| Step::Nothing);
        }
        self.take("exception");
        self.skip_spaces();
        let Some((Token::SingleQuotedString(message), _)) = self.tokens.get(self.at).cloned() else {
            return self.fault("\"raise\" without a message as a text");
        };
        self.at += 1;
        let mut arguments = Vec::new();
        while self.take_token(&Token::Comma) {
            arguments.push(self.argument()?);
        }
        let mut code = "P0001".to_owned();
        if self.take("using") {
            self.skip_spaces();
            let option = self.peek();
            self.at += 1;
            let equal = self.take_token(&Token::Eq) || self.take_token(&Token::Assignment);
            self.skip_spaces();
            match self.tokens.get(self.at).cloned() {
                Some((Token::SingleQuotedString(text), _)) if equal && option == "errcode" => {
                    code = code_of(&text);
                }
                _ => return self.fault("\"raise\" with options besides errcode"),
            }
            self.at += 1;
        }
        if !self.take_token(&Token::SemiColon) {
            return self.fault("this form of \"raise\"");
        }
        Ok(Step::Raise { code, message, arguments })
    }

    /// One argument of `raise`.
    fn argument(&mut self) -> Result<String, Fault> {
        let (mut text, mut depth) = (String::new(), 0_usize);
        loop {
            if depth == 0 && self.peek() == "using" {
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

/// A SQLSTATE, or the one of a condition's name.
fn code_of(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "check_violation" => "23514",
        "unique_violation" => "23505",
        "foreign_key_violation" => "23503",
        "not_null_violation" => "23502",
        "insufficient_privilege" => "42501",
        "invalid_parameter_value" => "22023",
        "raise_exception" => "P0001",
        _ => return text.to_owned(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_bodies_are_read() {
        let body = "begin
          -- why
          if new.a is null then new.a := case when new.b then 1 else 2 end; elsif new.a < 0 then
            raise exception 'no % here', new.a using errcode = 'check_violation';
          end if;
          insert into log (a) values (new.a);
          return new;
        end;";
        let steps = read(body).unwrap();
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[1], Step::Sql("insert into log (a) values (new.a)".into()));
        assert_eq!(steps[2], Step::Return("new".into()));
        let Step::If { branches, otherwise } = &steps[0] else { panic!("{steps:?}") };
        assert!(otherwise.is_empty());
        assert_eq!(branches[0].0, "new.a is null");
        let raised = Step::Raise {
            code: "23514".into(),
            message: "no % here".into(),
            arguments: vec!["new . a".into()],
        };
        assert_eq!(branches[1].1, [raised]);
    }

    #[test]
    fn what_is_not_simple_is_named_with_its_line() {
        let fault = read("begin\n  new.a := 1;\n  for i in 1..3 loop null; end loop;\nend").unwrap_err();
        assert_eq!((fault.line, fault.text.as_str()), (3, "\"for\" in a body of plpgsql"));
        assert!(read("declare x int; begin return new; end").is_err());
    }
}
