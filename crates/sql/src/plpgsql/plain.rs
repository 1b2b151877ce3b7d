//! Bodies as they would be in `language sql`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{Body, Fault, Step, read};
use crate::quote::literal;

/// How long the expression may become that a body's branches make.
const LONGEST: usize = 50_000;

/// Functions that answer otherwise each time.
const VOLATILE: &[&str] = &["random", "gen_random_uuid", "uuid_generate_v4", "clock_timestamp", "nextval"];

/// A body as statements one after another, or as one query where it only reads: its variables become
/// what they are set to, its conditions `case`.
pub(crate) fn plain(body: &str) -> Result<String, Fault> {
    let body = read(body)?;
    let mut known = Known::default();
    for variable in &body.variables {
        known.types.insert(variable.name.clone(), variable.type_name.clone());
        known.set(&variable.name, variable.value.as_deref().unwrap_or("null"))?;
    }
    if only_reads(&body.steps) && !is_straight(&body) {
        return Ok(format!("select {}", value_of(&body.steps, known)?));
    }
    statements(&body, &mut known)
}

fn fault<T>(text: &str) -> Result<T, Fault> {
    Err(Fault { line: 1, text: text.into() })
}

/// Whether a body is a list of statements already.
fn is_straight(body: &Body) -> bool {
    let straight =
        |step: &Step| matches!(step, Step::Nothing | Step::Sql(_) | Step::ReturnQuery(_) | Step::Return(_));
    body.variables.is_empty() && body.steps.iter().all(straight)
}

fn only_reads(steps: &[Step]) -> bool {
    steps.iter().all(|step| match step {
        Step::Set { .. } | Step::Nothing => true,
        Step::Return(value) => !value.is_empty(),
        Step::Raise { .. } => true,
        Step::Into { sql, .. } => sql.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("select")),
        Step::If { branches, otherwise } => {
            branches.iter().all(|(_, steps)| only_reads(steps)) && only_reads(otherwise)
        }
        _ => false,
    })
}

/// What a body returns, as an expression.
fn value_of(steps: &[Step], mut known: Known) -> Result<String, Fault> {
    let Some((first, rest)) = steps.split_first() else { return Ok("null".into()) };
    let value = match first {
        Step::Set { variable, value } => {
            known.set(variable, value)?;
            value_of(rest, known)?
        }
        Step::Into { variables, sql, .. } => {
            let [variable] = variables.as_slice() else {
                return fault("a query into several variables");
            };
            let first = if sql.to_lowercase().contains(" limit ") { "" } else { " limit 1" };
            known.set(variable, &format!("({sql}{first})"))?;
            value_of(rest, known)?
        }
        Step::If { branches, otherwise } => {
            let then = |steps: &[Step], known: Known| value_of(&[steps, rest].concat(), known);
            let mut cases = String::from("case");
            for (test, steps) in branches {
                let test = known.put_into(test)?;
                cases.push_str(&format!(" when {test} then {}", then(steps, known.clone())?));
            }
            format!("{cases} else {} end", then(otherwise, known)?)
        }
        Step::Return(value) => known.put_into(value)?,
        Step::Raise { code, message, arguments, .. } => known.raised(code, message, arguments)?,
        _ => value_of(rest, known)?,
    };
    if value.len() > LONGEST {
        return fault("a body of so many branches");
    }
    Ok(value)
}

/// The statements of a body without branches.
fn statements(body: &Body, known: &mut Known) -> Result<String, Fault> {
    let mut statements = Vec::new();
    let last = body.steps.len().saturating_sub(1);
    for (at, step) in body.steps.iter().enumerate() {
        match step {
            Step::Nothing => {}
            Step::Sql(sql) => statements.push(known.put_into(sql)?),
            Step::Return(value) if value.is_empty() => {}
            Step::Return(value) if at == last => {
                statements.push(format!("select {}", known.put_into(value)?))
            }
            Step::ReturnQuery(query) if at >= last.saturating_sub(1) => {
                statements.push(known.put_into(query)?)
            }
            Step::Set { variable, value } => {
                known.set(variable, value)?;
                if known.values[variable].to_lowercase().contains("select") {
                    return fault("a variable that is read from tables in a body that writes");
                }
            }
            Step::Into { variables, sql, .. } if at + 1 == last => {
                match (&body.steps[last], variables.as_slice()) {
                    (Step::Return(value), [variable]) if value.eq_ignore_ascii_case(variable) => {
                        statements.push(known.put_into(sql)?);
                        return Ok(statements.join(";\n"));
                    }
                    _ => return fault("\"returning into\" that is not returned at once"),
                }
            }
            Step::Into { .. } => return fault("\"into\" in a body that writes"),
            Step::If { branches, otherwise } if otherwise.is_empty() => {
                statements.push(guard(branches, known)?);
            }
            _ => return fault("a body that writes under conditions, or goes on after it returned"),
        }
    }
    Ok(statements.join(";\n"))
}

/// Branches that do nothing but fail, as a query.
fn guard(branches: &[(String, Vec<Step>)], known: &Known) -> Result<String, Fault> {
    let mut cases = String::new();
    for (test, steps) in branches {
        let [Step::Raise { code, message, arguments, .. }] = steps.as_slice() else {
            return fault("a body that writes under conditions, or goes on after it returned");
        };
        let failing = known.raised(code, message, arguments)?;
        cases.push_str(&format!(" when {} then {failing}", known.put_into(test)?));
    }
    Ok(format!("select case{cases} else null::text end"))
}

/// What variables are, as SQL.
#[derive(Clone, Default)]
struct Known {
    types: HashMap<String, String>,
    values: HashMap<String, String>,
    /// How often those were read whose value is another each time.
    reads: Rc<RefCell<HashMap<String, usize>>>,
}

impl Known {
    fn set(&mut self, variable: &str, value: &str) -> Result<(), Fault> {
        let value = self.put_into(value)?;
        let ty = self.types.get(variable).map_or("text", String::as_str);
        self.values.insert(variable.to_owned(), format!("cast({value} as {ty})"));
        Ok(())
    }

    /// A text with what variables are in their places.
    fn put_into(&self, text: &str) -> Result<String, Fault> {
        let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).with_unescape(false).tokenize() else {
            return fault("what can't be read");
        };
        let mut placed = String::with_capacity(text.len());
        for (at, token) in tokens.iter().enumerate() {
            let part = at > 0 && matches!(tokens[at - 1], Token::Period | Token::DoubleColon);
            let called = matches!(tokens.get(at + 1), Some(Token::LParen | Token::Period));
            let name = match token {
                Token::Word(word) if word.quote_style.is_some() => word.value.clone(),
                Token::Word(word) => word.value.to_lowercase(),
                _ => String::new(),
            };
            match self.values.get(&name).filter(|_| !part && !called) {
                Some(value) => {
                    self.count(&name, value)?;
                    placed.push_str(value);
                }
                None => placed.push_str(&token.to_string()),
            }
        }
        if placed.len() > LONGEST {
            return fault("a body of so many branches");
        }
        Ok(placed)
    }

    /// `raise exception` as a call that fails.
    fn raised(&self, code: &str, message: &str, arguments: &[String]) -> Result<String, Fault> {
        let mut parts = message.split('%').map(literal);
        let mut text = parts.next().unwrap_or_default();
        let mut arguments = arguments.iter();
        for part in parts {
            let Some(argument) = arguments.next() else {
                return fault("too few parameters for \"raise\"");
            };
            let argument = self.put_into(argument)?;
            text.push_str(&format!(" || coalesce(({argument})::text, '<NULL>') || {part}"));
        }
        Ok(format!("ts_raise({}, {text})", literal(code)))
    }

    fn count(&self, name: &str, value: &str) -> Result<(), Fault> {
        let value = value.to_lowercase();
        if VOLATILE.iter().any(|function| value.contains(&format!("{function}("))) {
            let mut reads = self.reads.borrow_mut();
            let times = reads.entry(name.to_owned()).or_default();
            *times += 1;
            if *times > 1 {
                return fault("a variable that is random and read twice");
            }
        }
        Ok(())
    }
}
