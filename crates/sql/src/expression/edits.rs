//! Documents of `jsonb` changed.

use sqlparser::ast::{BinaryOperator, Expr};
use truststream_kernel::Type;

use super::cast::{is_integer, is_text};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

impl Translator<'_> {
    /// Functions that change a document.
    pub(super) fn of_document(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let document = |term: &Term| self.coerced(term.clone(), &Type::Jsonb);
        let jsonb = |sql: String| Ok(Some(Term::new(sql, Type::Jsonb)));
        match (name, arguments) {
            ("jsonb_set" | "jsonb_insert", [target, path, value, rest @ ..]) if rest.len() < 2 => {
                let (target, value) = (document(target)?.sql, document(value)?.sql);
                let path = self.coerced(path.clone(), &Type::Array(Box::new(Type::Text)))?.sql;
                let flag = match rest {
                    [flag] => self.coerced(flag.clone(), &Type::Bool)?.sql,
                    _ => u8::from(name == "jsonb_set").to_string(),
                };
                jsonb(format!("ts_{name}({target}, {path}, {value}, {flag})"))
            }
            ("jsonb_strip_nulls" | "jsonb_pretty", [target]) => {
                let sql = format!("ts_{name}({})", document(target)?.sql);
                let ty = if name == "jsonb_pretty" { Type::Text } else { Type::Jsonb };
                Ok(Some(Term::new(sql, ty)))
            }
            _ => Ok(None),
        }
    }

    /// `left || right`, where one of them is `jsonb`.
    pub(super) fn documents_joined(&self, left: &Term, right: &Term) -> Result<Option<Term>, Unsupported> {
        let is_document = |term: &Term| matches!(term.known(), Some(Type::Jsonb));
        let fits =
            |term: &Term| is_document(term) || matches!(term.ty, TermType::Literal(_) | TermType::Null);
        if !(is_document(left) || is_document(right)) || !fits(left) || !fits(right) {
            return Ok(None);
        }
        let (left, right) =
            (self.coerced(left.clone(), &Type::Jsonb)?, self.coerced(right.clone(), &Type::Jsonb)?);
        Ok(Some(Term::new(format!("ts_jsonb_concat({}, {})", left.sql, right.sql), Type::Jsonb)))
    }

    /// `document - key`: a text, several, or an element's number.
    pub(super) fn without(
        &self,
        left: &Term,
        op: &BinaryOperator,
        right: &Term,
    ) -> Result<Option<Term>, Unsupported> {
        if !matches!(left.known(), Some(Type::Jsonb)) || *op != BinaryOperator::Minus {
            return Ok(None);
        }
        let (right, many) = match &right.ty {
            TermType::Known(Type::Array(element)) if is_text(element) => (right.clone(), 1),
            TermType::Known(ty) if is_integer(ty) => (right.clone(), 0),
            _ => (self.coerced(right.clone(), &Type::Text)?, 0),
        };
        Ok(Some(Term::new(format!("ts_jsonb_without({}, {}, {many})", left.sql, right.sql), Type::Jsonb)))
    }

    /// `document #- path`
    pub(super) fn without_path(&mut self, left: &Expr, path: &Expr) -> Result<Term, Unsupported> {
        let (document, path) = (self.expr(left)?, self.expr(path)?);
        let document = self.coerced(document, &Type::Jsonb)?;
        let path = self.coerced(path, &Type::Array(Box::new(Type::Text)))?;
        Ok(Term::new(format!("ts_jsonb_without_path({}, {})", document.sql, path.sql), Type::Jsonb))
    }
}
