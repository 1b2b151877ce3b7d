//! Texts put together and taken apart: `concat`, `format`, `left`.

use mongodb::bson::{Bson, doc};
use sqlparser::ast::Expr;
use truststream_kernel::{Error, ErrorKind, Result, Type};

use super::{Translator, call, unsupported};
use crate::term::{Term, Want, any, constant, constant_of};

impl Translator<'_, '_> {
    /// `concat(…)`: nulls are no texts.
    pub(super) fn concat(&mut self, parts: &[Expr]) -> Result<Term> {
        let parts = parts.iter().map(|part| self.printed(part)).collect::<Result<Vec<_>>>()?;
        Ok(joined(parts))
    }

    /// `format(template, …)` with `%s` and `%%`.
    pub(super) fn formatted(&mut self, template: &Expr, given: &[Expr]) -> Result<Term> {
        let text = self.text(template)?;
        if text.is_unknown() {
            return Ok(text);
        }
        let Some(Bson::String(text)) = constant_of(&text.expr) else {
            return Err(unsupported("a format that is not known beforehand", template));
        };
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let (mut signs, mut given) = (text.chars(), given.iter());
        while let Some(sign) = signs.next() {
            if sign != '%' {
                plain.push(sign);
                continue;
            }
            match signs.next() {
                Some('%') => plain.push('%'),
                Some('s') => {
                    let Some(next) = given.next() else {
                        let message = "too few arguments for format()";
                        return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
                    };
                    parts.push(Term::new(constant(std::mem::take(&mut plain)), Type::Text));
                    parts.push(self.printed(next)?);
                }
                _ => return Err(unsupported("of formats others than %s", template)),
            }
        }
        parts.push(Term::new(constant(plain), Type::Text));
        Ok(joined(parts))
    }

    /// `replace(text, from, to)`: of nothing nothing is replaced.
    pub(super) fn replaced(&mut self, text: &Expr, from: &Expr, to: &Expr) -> Result<Term> {
        let (text, from, to) = (self.text(text)?, self.text(from)?, self.text(to)?);
        if from.is_unknown() {
            return Ok(from);
        }
        if !matches!(constant_of(&from.expr), Some(Bson::String(from)) if !from.is_empty()) {
            return Err(unsupported("a replacement of what is not known beforehand", from.expr));
        }
        let replaced = doc! { "input": text.expr, "find": from.expr, "replacement": to.expr };
        Ok(Term::new(call("$replaceAll", replaced), Type::Text))
    }

    /// `left(text, n)` and `right(text, n)`: so many signs of one end, or all but so many of the other one.
    pub(super) fn end_of(&mut self, text: &Expr, wanted: &Expr, first: bool) -> Result<Term> {
        let (text, number) = (self.text(text)?, self.value(wanted, Some(&Type::Int4))?);
        if text.is_unknown() || number.is_unknown() {
            return Ok(Term::unknown(Type::Text));
        }
        if !matches!(number.ty, Type::Int2 | Type::Int4) {
            return Err(unsupported("a number of signs of this type", wanted));
        }
        let given = doc! {
            "t": { "$ifNull": [text.expr.clone(), ""] }, "n": { "$ifNull": [number.expr.clone(), 0] },
        };
        let many = doc! { "$cond": [
            { "$gte": ["$$n", 0] }, { "$min": ["$$n", "$$l"] }, { "$max": [{ "$add": ["$$l", "$$n"] }, 0] },
        ] };
        let from = if first { Bson::from(0) } else { doc! { "$subtract": ["$$l", "$$m"] }.into() };
        let taken = doc! { "$let": { "vars": { "m": many }, "in": { "$substrCP": ["$$t", from, "$$m"] } } };
        let taken = doc! { "$let": { "vars": { "l": { "$strLenCP": "$$t" } }, "in": taken } };
        let taken = doc! { "$let": { "vars": given, "in": taken } };
        let none = any(vec![text.is_null(Want::True), number.is_null(Want::True)]);
        Ok(Term::new(call("$cond", vec![none, Bson::Null, taken.into()]), Type::Text))
    }

    /// A value as PostgreSQL prints it; nothing for null.
    fn printed(&mut self, expr: &Expr) -> Result<Term> {
        let term = self.value(expr, Some(&Type::Text))?;
        if term.ty == Type::Bool {
            // It prints other words than it casts to.
            return Err(unsupported("a truth value within a text", expr));
        }
        self.assigned(term, &Type::Text)
    }
}

fn joined(parts: Vec<Term>) -> Term {
    if parts.iter().any(Term::is_unknown) {
        return Term::unknown(Type::Text);
    }
    let parts = parts.into_iter().map(|part| call("$ifNull", vec![part.expr, "".into()]));
    Term::new(call("$concat", parts.collect::<Vec<_>>()), Type::Text)
}
