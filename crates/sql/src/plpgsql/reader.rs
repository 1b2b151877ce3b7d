//! A body's text as steps.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{Body, Fault, Step, Variable};

/// Reads a body.
pub(crate) fn read(body: &str) -> Result<Body, Fault> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, body)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| Fault { line: error.location.line, text: error.message })?;
    let tokens = tokens
        .into_iter()
        .filter(|one| !matches!(&one.token, Token::Whitespace(space) if space.to_string().trim() != ""))
        .map(|one| (one.token, one.span.start.line))
        .collect();
    let mut reader = Reader { tokens, at: 0, variables: Vec::new() };
    if reader.take("declare") {
        reader.declarations()?;
    }
    reader.expect("begin")?;
    let steps = reader.steps(&["end"])?;
    reader.expect("end")?;
    Ok(Body { variables: reader.variables, steps })
}

struct Reader {
    tokens: Vec<(Token, u64)>,
    at: usize,
    variables: Vec<Variable>,
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

    /// `name type [:= value];` up to the body's `begin`.
    fn declarations(&mut self) -> Result<(), Fault> {
        while self.peek() != "begin" {
            self.take("declare");
            let name = self.name()?;
            self.take("constant");
            let mut ty = Vec::new();
            while !self.at_value() {
                self.skip_spaces();
                match self.tokens.get(self.at) {
                    Some((Token::Mod, _)) => return self.fault("a type taken from a column or table (%)"),
                    Some((token, _)) => ty.push(token.to_string()),
                    None => return self.fault("a declaration that does not end"),
                }
                self.at += 1;
            }
            let type_name = ty.join(" ").replace(" . ", ".").replace('"', "").to_lowercase();
            if type_name == "record" || type_name.is_empty() {
                return self.fault("a variable that is a row");
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
    fn name(&mut self) -> Result<String, Fault> {
        self.skip_spaces();
        let Some((Token::Word(word), _)) = self.tokens.get(self.at).cloned() else {
            return self.fault("what is no name");
        };
        self.at += 1;
        Ok(if word.quote_style.is_some() { word.value } else { word.value.to_lowercase() })
    }

    fn is_variable(&self, name: &str) -> bool {
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
        self.take("strict");
        let mut variables = vec![self.name()?];
        while self.take_token(&Token::Comma) {
            variables.push(self.name()?);
        }
        if let Some(other) = variables.iter().find(|name| !self.is_variable(name)) {
            return self.fault(format!("\"into {other}\", which is no variable,"));
        }
        let sql = format!("{sql} {}", self.rest()?).trim().to_owned();
        Ok(Step::Into { variables, sql })
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
            "insert" | "update" | "delete" | "select" | "with" => self.statement(),
            "new" => self.assignment(),
            "exception" => self.fault("a handler of exceptions"),
            name if self.is_variable(name) => {
                let variable = self.name()?;
                if !self.take_token(&Token::Assignment) && !self.take_token(&Token::Eq) {
                    return self.fault("what is no assignment");
                }
                Ok(Step::Set { variable, value: self.rest()? })
            }
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
        Ok(Step::Raise { code, message: message.replace("''", "'"), arguments })
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
