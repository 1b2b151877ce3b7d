//! `execute` of texts that are known before they run.

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::reader::Reader;
use super::{Fault, Step, Values};
use crate::expression::parse;
use crate::quote::{literal, quote};

impl Reader {
    /// `execute text [into …] [using …];`
    pub(super) fn execute(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        let (sql, mut values) = self.known_text(&["into", "using"])?;
        self.using(&mut values, &["into"])?;
        let mut into = None;
        if self.take("into") {
            let strict = self.take("strict");
            into = Some((self.names()?, strict));
            self.using(&mut values, &[])?;
        }
        self.ended()?;
        let step = match into {
            Some((variables, strict)) => Step::Into { variables, sql, strict },
            None => Step::Sql(sql),
        };
        Ok(Step::Execute { values, step: Box::new(step) })
    }

    /// What follows `return query execute`.
    pub(super) fn returned_execute(&mut self) -> Result<Step, Fault> {
        let (sql, mut values) = self.known_text(&["using"])?;
        self.using(&mut values, &[])?;
        self.ended()?;
        Ok(Step::Execute { values, step: Box::new(Step::ReturnQuery(sql)) })
    }

    /// The query that follows `for … in execute`, and its values.
    pub(super) fn looped_execute(&mut self) -> Result<(String, Values), Fault> {
        let (sql, mut values) = self.known_text(&["using", "loop"])?;
        self.using(&mut values, &["loop"])?;
        Ok((sql, values))
    }

    /// `using value, …`
    fn using(&mut self, values: &mut Values, stops: &[&str]) -> Result<(), Fault> {
        if !self.take("using") {
            return Ok(());
        }
        for number in 1.. {
            values.push((format!("${number}"), self.argument(stops)?));
            if !self.take_token(&Token::Comma) {
                break;
            }
        }
        Ok(())
    }

    /// The statement that the expression up to one of these words is, with its `$1` as names, and the
    /// values that it has for literals.
    fn known_text(&mut self, stops: &[&str]) -> Result<(String, Values), Fault> {
        self.beyond("\"execute\"");
        let expression = self.text_until(stops)?;
        let mut literals = Vec::new();
        let parsed = parse(&expression).ok();
        let Some(text) = parsed.as_ref().and_then(|parsed| constant(parsed, &mut literals)) else {
            return self.fault("\"execute\" of a text that is put together while it runs");
        };
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text.trim().trim_end_matches(';'))
            .with_unescape(false)
            .tokenize();
        let Ok(tokens) = tokens else { return self.fault("\"execute\" of what can't be read") };
        if tokens.contains(&Token::SemiColon) {
            return self.fault("\"execute\" of several statements");
        }
        // A literal within a text in quotes would be a part of that text.
        let names = |name: &str| {
            let is_it = |token: &Token| matches!(token, Token::Word(word) if word.value == name);
            tokens.iter().any(is_it)
        };
        if !literals.iter().all(|(name, _)| names(name)) {
            return self.fault("\"execute\" of a text that is put together while it runs");
        }
        let named = |token: &Token| match token {
            Token::Placeholder(mark) => quote(mark),
            other => other.to_string(),
        };
        Ok((tokens.iter().map(named).collect(), literals))
    }
}

/// The text that an expression is whoever asks, and whenever, but for its literals.
fn constant(expr: &Expr, literals: &mut Values) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text.clone()),
            Value::DollarQuotedString(text) => Some(text.value.clone()),
            Value::Number(number, _) => Some(number.to_string()),
            _ => None,
        },
        Expr::Nested(inner) => constant(inner, literals),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. }
            if data_type.to_string().eq_ignore_ascii_case("text") =>
        {
            constant(expr, literals)
        }
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            Some(constant(left, literals)? + &constant(right, literals)?)
        }
        Expr::Function(function) => called(function, literals),
        _ => None,
    }
}

/// What a function that makes texts answers.
fn called(function: &Function, literals: &mut Values) -> Option<String> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let arguments: Vec<Expr> = list.args.iter().map(argument).collect::<Option<_>>()?;
    match (function.name.to_string().to_lowercase().as_str(), arguments.as_slice()) {
        ("format", [text, rest @ ..]) => formatted(&constant(text, literals)?, rest, literals),
        ("quote_ident", [name]) => Some(quote(&constant(name, literals)?)),
        ("quote_literal", [text]) => Some(literal(&constant(text, literals)?)),
        ("quote_nullable", [value]) => Some(literal_of(value, literals)),
        ("concat", parts) => parts.iter().map(|part| constant(part, literals)).collect(),
        _ => None,
    }
}

/// A literal of a value: of one that is not known before it runs, the name of its text.
fn literal_of(value: &Expr, literals: &mut Values) -> String {
    let mut inner = Vec::new();
    if let Some(text) = constant(value, &mut inner)
        && inner.is_empty()
    {
        return literal(&text);
    }
    let name = format!("%{}", literals.len() + 1);
    let named = quote(&name);
    literals.push((name, format!("({value})::text")));
    named
}

/// `format('… %I …', …)`
fn formatted(text: &str, arguments: &[Expr], literals: &mut Values) -> Option<String> {
    let (mut sql, mut rest, mut next) = (String::new(), text, 0);
    while let Some((before, after)) = rest.split_once('%') {
        sql.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = match after[digits..].strip_prefix('$') {
            Some(behind) if digits > 0 => (Some(&after[..digits]), behind),
            _ => (None, after),
        };
        let sign = after.chars().next()?;
        rest = &after[sign.len_utf8()..];
        if sign == '%' {
            sql.push('%');
            continue;
        }
        if let Some(number) = number {
            next = number.parse::<usize>().ok()?.checked_sub(1)?;
        }
        let argument = arguments.get(next)?;
        next += 1;
        match sign {
            's' => sql.push_str(&constant(argument, literals)?),
            'I' => sql.push_str(&quote(&constant(argument, literals)?)),
            'L' => sql.push_str(&literal_of(argument, literals)),
            _ => return None,
        }
    }
    sql.push_str(rest);
    Some(sql)
}
