//! Conditions: tests of values, and what follows from them.

use sqlparser::ast::{CaseWhen, Expr};
use truststream_kernel::Type;

use super::caseless::is_caseless;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

impl Translator<'_> {
    pub(super) fn logical(&mut self, left: &Expr, op: &str, right: &Expr) -> Result<Term, Unsupported> {
        let (left, right) = (self.condition(left)?, self.condition(right)?);
        Ok(Term::new(format!("({left} {op} {right})"), Type::Bool))
    }

    /// An expression that must be a condition.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Result<String, Unsupported> {
        let term = self.expr(expr)?;
        Ok(self.coerced(term, &Type::Bool)?.sql)
    }

    pub(super) fn between(
        &mut self,
        expr: &Expr,
        negated: bool,
        low: &Expr,
        high: &Expr,
    ) -> Result<Term, Unsupported> {
        let low = self.compare(expr, ">=", low)?;
        let high = self.compare(expr, "<=", high)?;
        let not = if negated { "NOT " } else { "" };
        Ok(Term::new(format!("({not}({} AND {}))", low.sql, high.sql), Type::Bool))
    }

    pub(super) fn postfix(
        &mut self,
        inner: &Expr,
        test: &str,
        ty: Option<Type>,
    ) -> Result<Term, Unsupported> {
        let mut term = self.expr(inner)?;
        if let Some(ty) = ty {
            term = self.coerced(term, &ty)?;
        } else if term.known().is_some_and(|ty| self.composite(ty).is_some()) {
            let null = u8::from(test == "IS NULL");
            return Ok(Term::new(format!("ts_record_nulls({}, {null})", term.sql), Type::Bool));
        }
        Ok(Term::new(format!("({} {test})", term.sql), Type::Bool))
    }

    pub(super) fn pattern(
        &mut self,
        function: &str,
        text: &Expr,
        pattern: &Expr,
        negated: bool,
    ) -> Result<Term, Unsupported> {
        let (text, pattern) = (self.expr(text)?, self.expr(pattern)?);
        let function = match text.known() {
            Some(ty) if is_caseless(ty) => without_case(function),
            _ => function,
        };
        let (text, pattern) = (self.coerced(text, &Type::Text)?, self.coerced(pattern, &Type::Text)?);
        let not = if negated { "NOT " } else { "" };
        Ok(Term::new(format!("({not}{function}({}, {}))", text.sql, pattern.sql), Type::Bool))
    }

    /// `text like any (array[…])`
    pub(super) fn like_any(
        &mut self,
        function: &str,
        text: &Expr,
        patterns: &Expr,
        negated: bool,
    ) -> Result<Term, Unsupported> {
        let mut inner = patterns;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        let literal = match inner {
            Expr::Value(value) => value.clone().into_string(),
            _ => None,
        };
        let listed = match literal {
            Some(text) => Some(self.elements(&text, &Type::Text)?),
            None => self.constant_list(inner)?,
        };
        let Some(items) = listed.filter(|items| !items.is_empty()) else {
            return Err(Unsupported::new(patterns, "patterns that are not listed one by one"));
        };
        let text = self.expr(text)?;
        let function = match text.known() {
            Some(ty) if is_caseless(ty) => without_case(function),
            _ => function,
        };
        let text = self.coerced(text, &Type::Text)?.sql;
        let not = if negated { "NOT " } else { "" };
        let tests = items
            .into_iter()
            .map(|item| Ok(format!("{not}{function}({text}, {})", self.coerced(item, &Type::Text)?.sql)));
        let tests = tests.collect::<Result<Vec<_>, Unsupported>>()?;
        Ok(Term::new(format!("({})", tests.join(" OR ")), Type::Bool))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Term, Unsupported> {
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for when in conditions {
            tests.push(match operand {
                Some(operand) => self.compare(operand, "=", &when.condition)?.sql,
                None => self.condition(&when.condition)?,
            });
            results.push(self.expr(&when.result)?);
        }
        results.push(otherwise.map_or_else(|| Ok(Term::null()), |expr| self.expr(expr))?);
        let (mut results, ty) = self.unified_all(results)?;
        let otherwise = results.pop().unwrap_or_else(Term::null);
        let mut sql = String::from("CASE");
        for (test, result) in tests.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {test} THEN {}", result.sql));
        }
        sql.push_str(&format!(" ELSE {} END", otherwise.sql));
        Ok(Term { sql: format!("({sql})"), ty: TermType::Known(ty) })
    }
}

/// The match of a pattern that does not tell cases apart.
fn without_case(function: &str) -> &str {
    match function {
        "ts_like" => "ts_ilike",
        "ts_match" => "ts_imatch",
        other => other,
    }
}
