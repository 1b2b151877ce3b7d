//! Steps into JSON, containment, arrays and their elements.

use sqlparser::ast::{AccessExpr, BinaryOperator, Expr, Subscript};
use truststream_kernel::{Type, Value};

use super::cast::{is_integer, stored_literal};
use super::compare::plain_in_json;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::quote::literal;

impl Translator<'_> {
    /// `document -> key` and `document ->> key`.
    pub(super) fn step(&mut self, left: &Expr, key: &Expr, as_text: bool) -> Result<Term, Unsupported> {
        let document = self.document(left)?;
        let key = self.expr(key)?;
        let key = match key.known() {
            Some(ty) if is_integer(ty) => key,
            _ => self.coerced(key, &Type::Text)?,
        };
        let ty = document.known().cloned().unwrap_or(Type::Jsonb);
        let sql = format!("ts_get({}, {}, {})", document.sql, key.sql, u8::from(as_text));
        Ok(Term::new(sql, if as_text { Type::Text } else { ty }))
    }

    /// `document #> path` and `document #>> path`.
    pub(super) fn path(&mut self, left: &Expr, path: &Expr, as_text: bool) -> Result<Term, Unsupported> {
        let document = self.document(left)?;
        let path = self.expr(path)?;
        let path = self.coerced(path, &Type::Array(Box::new(Type::Text)))?;
        let ty = document.known().cloned().unwrap_or(Type::Jsonb);
        let sql = format!("ts_path({}, {}, {})", document.sql, path.sql, u8::from(as_text));
        Ok(Term::new(sql, if as_text { Type::Text } else { ty }))
    }

    fn document(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let term = self.expr(expr)?;
        match &term.ty {
            TermType::Known(Type::Json | Type::Jsonb) => Ok(term),
            TermType::Literal(_) => self.coerced(term, &Type::Jsonb),
            _ => Err(Unsupported::new(expr, "JSON is wanted here")),
        }
    }

    /// `@>`, `<@`, `&&` of JSON and arrays.
    pub(super) fn containment(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Term, Unsupported> {
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let shown = format!("{} {op} {}", left.sql, right.sql);
        let (mut left, mut right, ty) = self.unified(left, right)?;
        if *op == BinaryOperator::ArrowAt {
            std::mem::swap(&mut left, &mut right);
        }
        let function = match (&ty, op) {
            (Type::Jsonb, BinaryOperator::AtArrow | BinaryOperator::ArrowAt) => "ts_json_contains",
            (Type::Array(element), _) if !plain_in_json(element) => {
                return Err(Unsupported::new(shown, format!("elements of type {element}")));
            }
            (Type::Array(_), BinaryOperator::PGOverlap) => "ts_array_overlaps",
            (Type::Array(_), _) => "ts_array_contains",
            _ => return Err(Unsupported::new(shown, "containment is for jsonb and arrays")),
        };
        Ok(Term::new(format!("{function}({}, {})", left.sql, right.sql), Type::Bool))
    }

    /// `?`, `?|`, `?&`.
    pub(super) fn has_key(&mut self, left: &Expr, right: &Expr, function: &str) -> Result<Term, Unsupported> {
        let document = self.document(left)?;
        let wanted = self.expr(right)?;
        let one = function == "ts_has_key";
        let ty = if one { Type::Text } else { Type::Array(Box::new(Type::Text)) };
        let wanted = self.coerced(wanted, &ty)?;
        Ok(Term::new(format!("{function}({}, {})", document.sql, wanted.sql), Type::Bool))
    }

    /// `array[…]`
    pub(super) fn array(&mut self, items: &[Expr]) -> Result<Term, Unsupported> {
        let terms = items.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>()?;
        let (terms, element) = self.unified_all(terms)?;
        if !plain_in_json(&element) {
            return Err(Unsupported::new(self.shown(items), format!("an array of {element}")));
        }
        let items: Vec<_> = terms.into_iter().map(|term| term.sql).collect();
        Ok(Term::new(format!("json_array({})", items.join(", ")), Type::Array(Box::new(element))))
    }

    /// `array[…]` whose items are constants, as a literal of the type wanted.
    pub(crate) fn array_as(&mut self, items: &[Expr], element: &Type) -> Result<Option<Term>, Unsupported> {
        let mut values = Vec::new();
        for item in items {
            let Expr::Value(constant) = item else { return Ok(None) };
            match (&constant.value, constant.clone().into_string()) {
                (sqlparser::ast::Value::Null, _) => values.push(Value::Null),
                (sqlparser::ast::Value::Number(number, _), _) => values.push(self.parsed(number, element)?),
                (sqlparser::ast::Value::Boolean(value), _) => {
                    values.push(self.parsed(&value.to_string(), element)?);
                }
                (_, Some(text)) => values.push(self.parsed(&text, element)?),
                _ => return Ok(None),
            }
        }
        let sql = stored_literal(&Value::Array(values));
        Ok(sql.map(|sql| Term::new(sql, Type::Array(Box::new(element.clone())))))
    }

    fn parsed(&self, text: &str, ty: &Type) -> Result<Value, Unsupported> {
        self.read_literal(text, ty)?;
        Value::parse(ty, text).map_err(|error| Unsupported::new(literal(text), error.message().to_owned()))
    }

    /// `root[1]`
    pub(super) fn subscript(&mut self, root: &Expr, chain: &[AccessExpr]) -> Result<Term, Unsupported> {
        if let Some(field) = self.field(root, chain) {
            return field;
        }
        let array = self.expr(root)?;
        if let Some(field) = self.field_of(&array, chain)? {
            return Ok(field);
        }
        if let [AccessExpr::Subscript(range)] = chain
            && let Some(slice) = self.slice(&array, range)?
        {
            return Ok(slice);
        }
        let [AccessExpr::Subscript(Subscript::Index { index })] = chain else {
            return Err(Unsupported::new(root, "slices and fields of composite values"));
        };
        match array.known() {
            Some(Type::Array(element)) if plain_in_json(element) => {
                let index = self.expr(index)?;
                let index = self.coerced(index, &Type::Int4)?;
                let sql = format!("ts_element({}, {})", array.sql, index.sql);
                Ok(Term::new(sql, element.as_ref().clone()))
            }
            Some(Type::Jsonb) => self.step(root, index, false),
            _ => Err(Unsupported::new(root, "this has no elements to take one of")),
        }
    }
}
