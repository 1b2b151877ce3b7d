//! A body's text as steps.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{Body, Fault, Step, Variable};

/// Reads a body of a simple shape: no loops, no rows as variables.
pub(crate) fn read(body: &str) -> Result<Body, Fault> {
    let (body, beyond) = parse(body)?;
    beyond.map_or(Ok(body), Err)
}

/// Reads a body of whatever shape.
///
/// # Errors
/// The first part that is not understood, with its line.
pub fn read_whole(body: &str) -> Result<Body, Fault> {
    parse(body).map(|(body, _)| body)
}

/// A body, and the first of it that is not simple.
fn parse(body: &str) -> Result<(Body, Option<Fault>), Fault> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, body)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| Fault { line: error.location.line, text: error.message })?;
    let tokens = tokens
        .into_iter()
        .filter(|one| !matches!(&one.token, Token::Whitespace(space) if space.to_string().trim() != ""))
        .map(|one| (one.token, one.span.start.line))
        .collect();
    let mut reader = Reader { tokens, at: 0, variables: Vec::new(), handling: 0, beyond: None };
    let body = reader.block()?;
    Ok((body, reader.beyond))
}

pub(super) struct Reader {
    pub(super) tokens: Vec<(Token, u64)>,
    pub(super) at: usize,
    /// Those that can be named here.
    pub(super) variables: Vec<Variable>,
    /// How many handlers are around.
    pub(super) handling: usize,
    /// The first that only a program does.
    beyond: Option<Fault>,
}

impl Reader {
    fn line(&self) -> u64 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    /// Notes what is not simple.
    pub(super) fn beyond(&mut self, text: impl Into<String>) {
        let fault = Fault { line: self.line(), text: text.into() };
        self.beyond.get_or_insert(fault);
    }

    /// `[declare …] begin … [exception …] end`
    pub(super) fn block(&mut self) -> Result<Body, Fault> {
        let outer = self.variables.len();
        if self.take("declare") {
            self.declarations()?;
        }
        self.expect("begin")?;
        let steps = self.steps(&["exception", "end"])?;
        let handlers = self.handlers()?;
        self.expect("end")?;
        Ok(Body { variables: self.variables.split_off(outer), steps, handlers })
    }

    pub(super) fn fault<T>(&self, text: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { line: self.line(), text: text.into() })
    }

    pub(super) fn skip_spaces(&mut self) {
        while matches!(self.tokens.get(self.at), Some((Token::Whitespace(_), _))) {
            self.at += 1;
        }
    }

    /// The next word in lower case, if a word comes next.
    pub(super) fn peek(&mut self) -> String {
        self.skip_spaces();
        match self.tokens.get(self.at) {
            Some((Token::Word(word), _)) if word.quote_style.is_none() => word.value.to_lowercase(),
            _ => String::new(),
        }
    }

    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == word;
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.take(word) { Ok(()) } else { self.fault(format!("what is not simple ({word} is expected)")) }
    }

    pub(super) fn take_token(&mut self, token: &Token) -> bool {
        self.skip_spaces();
        let found = self.tokens.get(self.at).is_some_and(|(one, _)| one == token);
        self.at += usize::from(found);
        found
    }

    /// The text up to a word or the end of the statement, both outside of parentheses and `case`.
    pub(super) fn text_until(&mut self, stops: &[&str]) -> Result<String, Fault> {
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

    /// `name type [:= value];` up to the body's `begin`.
    fn declarations(&mut self) -> Result<(), Fault> {
        while self.peek() != "begin" {
            self.take("declare");
            let name = self.name()?;
            self.take("constant");
            let mut ty = Vec::new();
            while !self.at_value() {
                self.skip_spaces();
                let Some((token, _)) = self.tokens.get(self.at).cloned() else {
                    return self.fault("a declaration that does not end");
                };
                if token == Token::Mod {
                    self.beyond("a type taken from a column or table (%)");
                }
                ty.push(token.to_string());
                self.at += 1;
            }
            let type_name =
                ty.join(" ").replace(" . ", ".").replace(" % ", "%").replace('"', "").to_lowercase();
            let type_name = type_name.trim_end_matches(" not null").to_owned();
            if type_name.is_empty() || type_name.starts_with("alias ") || type_name.contains("cursor") {
                return self.fault("this kind of variable");
            }
            if type_name == "record" {
                self.beyond("a variable that is a row");
            }
            let value = if self.take_token(&Token::SemiColon) {
                None
            } else {
                self.at += 1;
                Some(self.rest()?)
            };
            self.variables.push(Variable { name, type_name, value });
        }
        Ok(())
    }

    /// Whether a declaration's type is over.
    fn at_value(&mut self) -> bool {
        let default = self.peek() == "default";
        let token = self.tokens.get(self.at).map(|(token, _)| token);
        default || matches!(token, Some(Token::SemiColon | Token::Assignment | Token::Eq))
    }

    /// A name in the form PostgreSQL knows it.
    pub(super) fn name(&mut self) -> Result<String, Fault> {
        self.skip_spaces();
        let Some((Token::Word(word), _)) = self.tokens.get(self.at).cloned() else {
            return self.fault("what is no name");
        };
        self.at += 1;
        Ok(if word.quote_style.is_some() { word.value } else { word.value.to_lowercase() })
    }

    pub(super) fn is_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable.name == name)
    }

    /// A statement of SQL, and the variables it puts what it finds into.
    fn statement(&mut self) -> Result<Step, Fault> {
        let word = self.peek();
        let mut sql = self.text_until(&["into"])?;
        let inserts = word == "insert" && sql.eq_ignore_ascii_case("insert");
        if inserts {
            sql.push_str(" into");
            self.at += 1;
            sql.push_str(&self.text_until(&["into"])?.replacen("", " ", 1));
        }
        if !self.take("into") {
            self.at += 1;
            return if word == "select" {
                self.fault("a query whose result goes nowhere")
            } else {
                Ok(Step::Sql(sql))
            };
        }
        let strict = self.take("strict");
        if strict {
            self.beyond("\"into strict\"");
        }
        let variables = self.names()?;
        let sql = format!("{sql} {}", self.rest()?).trim().to_owned();
        Ok(Step::Into { variables, sql, strict })
    }

    /// Variables that something is put into.
    pub(super) fn names(&mut self) -> Result<Vec<String>, Fault> {
        let mut names = vec![self.name()?];
        while self.take_token(&Token::Comma) {
            names.push(self.name()?);
        }
        if let Some(other) = names.iter().find(|name| !self.is_variable(name)) {
            self.beyond(format!("\"into {other}\", which is no variable,"));
        }
        Ok(names)
    }

    pub(super) fn rest(&mut self) -> Result<String, Fault> {
        let text = self.text_until(&[])?;
        self.at += 1;
        Ok(text)
    }

    pub(super) fn steps(&mut self, ends: &[&str]) -> Result<Vec<Step>, Fault> {
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
                    if self.take("execute") {
                        return self.returned_execute();
                    }
                    return Ok(Step::ReturnQuery(self.rest()?));
                }
                if self.take("next") {
                    self.beyond("\"return next\"");
                    return Ok(Step::ReturnNext(self.rest()?));
                }
                Ok(Step::Return(self.rest()?))
            }
            "raise" => self.raise(),
            "perform" => {
                self.at += 1;
                Ok(Step::Sql(format!("select {}", self.rest()?)))
            }
            "null" => self.rest().map(|_| Step::Nothing),
            "insert" | "update" | "delete" | "select" | "with" => self.statement(),
            "new" => self.assignment(),
            "execute" => self.execute(),
            name if self.is_variable(name) => self.set(),
            _ => self.beyond_simple(word),
        }
    }

    /// `variable := value;`
    fn set(&mut self) -> Result<Step, Fault> {
        let mut variable = self.name()?;
        if self.take_token(&Token::Period) {
            self.beyond("a variable that is a row");
            variable = format!("{variable}.{}", self.name()?);
        }
        if !self.take_token(&Token::Assignment) && !self.take_token(&Token::Eq) {
            return self.fault("what is no assignment");
        }
        Ok(Step::Set { variable, value: self.rest()? })
    }

    /// What is named by a word that begins no simple statement: a loop, or a variable that was declared
    /// as a parameter.
    fn beyond_simple(&mut self, word: &str) -> Result<Step, Fault> {
        let shown = if word.is_empty() { "this".to_owned() } else { format!("\"{word}\"") };
        let fault = Fault { line: self.line(), text: format!("{shown} in a body of plpgsql") };
        if matches!(word, "call" | "open" | "fetch" | "close" | "move" | "commit" | "rollback") {
            return Err(fault);
        }
        self.beyond.get_or_insert(fault.clone());
        if let Some(step) = self.looping(word)? {
            return Ok(step);
        }
        match word {
            "set" | "refresh" | "truncate" => Ok(Step::Sql(self.rest()?)),
            "" => Err(fault),
            _ => {
                let at = self.at;
                self.set().map_err(|_| {
                    self.at = at;
                    fault
                })
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
}
