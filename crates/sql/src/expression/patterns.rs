//! Functions of regular expressions.

use sqlparser::ast::Expr;
use truststream_kernel::Type;

use super::cast::{is_integer, is_text};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

impl Translator<'_> {
    pub(super) fn of_pattern(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let text = |term: Option<&Term>| match term {
            Some(term) => Ok(self.coerced(term.clone(), &Type::Text)?.sql),
            None => Ok("''".to_owned()),
        };
        let number = |term: Option<&Term>, otherwise: &str| match term {
            Some(term) => Ok(self.coerced(term.clone(), &Type::Int4)?.sql),
            None => Ok::<_, Unsupported>(otherwise.to_owned()),
        };
        let called = |function: &str, arguments: &[String], ty: Type| {
            Ok(Some(Term::new(format!("ts_{function}({})", arguments.join(", ")), ty)))
        };
        let [subject, pattern, rest @ ..] = arguments else { return Ok(None) };
        if !name.starts_with("regexp_") {
            return Ok(None);
        }
        let both = [text(Some(subject))?, text(Some(pattern))?];
        let with = |rest: Vec<String>| both.iter().cloned().chain(rest).collect::<Vec<_>>();
        match (name, rest) {
            ("regexp_match", [] | [_]) => {
                let ty = Type::Array(Box::new(Type::Text));
                called(name, &with(vec![text(rest.first())?]), ty)
            }
            // As one array of what are its rows.
            ("regexp_matches", [] | [_]) => {
                let ty = Type::Array(Box::new(Type::Array(Box::new(Type::Text))));
                called(name, &with(vec![text(rest.first())?]), ty)
            }
            ("regexp_split_to_array", [] | [_]) => {
                let ty = Type::Array(Box::new(Type::Text));
                called("regexp_split", &with(vec![text(rest.first())?]), ty)
            }
            ("regexp_like", [] | [_]) => called(name, &with(vec![text(rest.first())?]), Type::Bool),
            ("regexp_count", [] | [_] | [_, _]) => {
                called(name, &with(vec![number(rest.first(), "1")?, text(rest.get(1))?]), Type::Int4)
            }
            ("regexp_substr", [] | [_] | [_, _] | [_, _, _] | [_, _, _, _]) => {
                let (start, n) = (number(rest.first(), "1")?, number(rest.get(1), "1")?);
                let rest = vec![start, n, text(rest.get(2))?, number(rest.get(3), "0")?];
                called(name, &with(rest), Type::Text)
            }
            ("regexp_replace", [replacement, rest @ ..]) if rest.len() < 4 => {
                let starts = rest.first().is_some_and(|term| term.known().is_some_and(is_integer));
                let (start, n, flags) = match rest {
                    [start, rest @ ..] if starts => {
                        (number(Some(start), "1")?, number(rest.first(), "-1")?, text(rest.get(1))?)
                    }
                    [] | [_] => ("1".to_owned(), "-1".to_owned(), text(rest.first())?),
                    _ => return Ok(None),
                };
                called(name, &with(vec![text(Some(replacement))?, start, n, flags]), Type::Text)
            }
            _ => Ok(None),
        }
    }

    /// `substring(text from pattern)`; `None` where the second is a number.
    pub(super) fn found_by(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let ("substring", [subject, pattern]) = (name, arguments) else { return Ok(None) };
        let is_pattern = match &pattern.ty {
            TermType::Known(ty) => is_text(ty),
            other => matches!(other, TermType::Literal(_)),
        };
        if !is_pattern {
            return Ok(None);
        }
        let (subject, pattern) =
            (self.coerced(subject.clone(), &Type::Text)?, self.coerced(pattern.clone(), &Type::Text)?);
        Ok(Some(Term::new(format!("ts_regexp_found({}, {})", subject.sql, pattern.sql), Type::Text)))
    }

    /// `text similar to pattern escape character`
    pub(super) fn similar(
        &mut self,
        subject: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<Term, Unsupported> {
        let (subject, pattern) = (self.expr(subject)?, self.expr(pattern)?);
        let (subject, pattern) = (self.coerced(subject, &Type::Text)?, self.coerced(pattern, &Type::Text)?);
        let escape = match escape {
            Some(escape) => self.expr(escape)?,
            None => Term::literal("\\".to_owned()),
        };
        let escape = self.coerced(escape, &Type::Text)?;
        let not = if negated { "NOT " } else { "" };
        let sql = format!("({not}ts_similar({}, {}, {}))", subject.sql, pattern.sql, escape.sql);
        Ok(Term::new(sql, Type::Bool))
    }
}
