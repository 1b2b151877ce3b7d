//! Functions and operators of arrays, which are stored as JSON.

use sqlparser::ast::{BinaryOperator, Expr, Function, FunctionArguments, Query, Subscript};
use truststream_kernel::Type;

use super::cast::{is_integer, is_text};
use super::compare::plain_in_json;
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::quote::quote;
use crate::schema::table_name;

/// The type of an array's elements, where these lie in JSON as they lie in columns.
fn element(array: &Term) -> Option<&Type> {
    match array.known() {
        Some(Type::Array(element)) if plain_in_json(element) => Some(element),
        _ => None,
    }
}

fn array_of(sql: String, element: &Type) -> Option<Term> {
    Some(Term::new(sql, Type::Array(Box::new(element.clone()))))
}

/// What is between the parentheses of `array(select …)`.
pub(super) fn query_of_array(expr: &Expr) -> Option<&Query> {
    let Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. }) = expr else {
        return None;
    };
    (table_name(name).name == "array").then_some(query)
}

impl Translator<'_> {
    /// `array(select …)`: the rows of one column, in their order; none make an empty array.
    pub(super) fn array_of_rows(&mut self, query: &Query) -> Result<Term, Unsupported> {
        let (sql, mut columns) = self.query(query)?;
        let (Some((name, ty)), true) = (columns.pop(), columns.is_empty()) else {
            return Err(Unsupported::new(query, "subquery must return only one column"));
        };
        let value = self.settled(Term { sql: quote(&name), ty })?;
        let element = value.known().cloned().unwrap_or(Type::Text);
        let sql = format!("(SELECT json_group_array({}) FROM ({sql}))", self.as_json(&value));
        Ok(Term::new(sql, Type::Array(Box::new(element))))
    }

    /// Functions of arrays, and between them and texts.
    pub(super) fn of_array(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let text = |term: &Term| Ok(self.coerced(term.clone(), &Type::Text)?.sql);
        let texts = |terms: &[Term]| terms.iter().map(text).collect::<Result<Vec<_>, Unsupported>>();
        let is_array = |term: &Term| matches!(term.known(), Some(Type::Array(_)));
        Ok(match (name, arguments) {
            ("cardinality", [array]) if is_array(array) => {
                Some(Term::new(format!("json_array_length({})", array.sql), Type::Int4))
            }
            ("array_length", [array, one]) if is_array(array) && one.sql == "1" => {
                Some(Term::new(format!("nullif(json_array_length({}), 0)", array.sql), Type::Int4))
            }
            ("array_upper", [array, one]) if is_array(array) && one.sql == "1" => {
                Some(Term::new(format!("ts_array_bound('upper', {})", array.sql), Type::Int4))
            }
            ("array_lower", [array, one]) if is_array(array) && one.sql == "1" => {
                Some(Term::new(format!("ts_array_bound('lower', {})", array.sql), Type::Int4))
            }
            ("string_to_array", [_, _] | [_, _, _]) => {
                array_of(format!("ts_string_to_array({})", texts(arguments)?.join(", ")), &Type::Text)
            }
            ("array_to_string", [array, rest @ ..])
                if (1..3).contains(&rest.len()) && element(array).is_some() =>
            {
                let sql = format!("ts_array_to_string({}, {})", array.sql, texts(rest)?.join(", "));
                Some(Term::new(sql, Type::Text))
            }
            ("array_append" | "array_remove" | "array_position" | "array_positions", [array, value]) => {
                let Some(ty) = element(array) else { return Ok(None) };
                let value = self.coerced(value.clone(), ty)?;
                let sql = format!("ts_{name}({}, {})", array.sql, value.sql);
                match name {
                    "array_position" => Some(Term::new(sql, Type::Int4)),
                    "array_positions" => array_of(sql, &Type::Int4),
                    _ => array_of(sql, ty),
                }
            }
            ("array_position", [array, value, from]) => {
                let Some(ty) = element(array) else { return Ok(None) };
                let (value, from) =
                    (self.coerced(value.clone(), ty)?, self.coerced(from.clone(), &Type::Int4)?);
                let sql = format!("ts_array_position({}, {}, {})", array.sql, value.sql, from.sql);
                Some(Term::new(sql, Type::Int4))
            }
            ("array_prepend", [value, array]) => {
                let Some(ty) = element(array) else { return Ok(None) };
                let value = self.coerced(value.clone(), ty)?;
                array_of(format!("ts_array_prepend({}, {})", value.sql, array.sql), ty)
            }
            ("array_replace", [array, from, to]) => {
                let Some(ty) = element(array) else { return Ok(None) };
                let (from, to) = (self.coerced(from.clone(), ty)?, self.coerced(to.clone(), ty)?);
                array_of(format!("ts_array_replace({}, {}, {})", array.sql, from.sql, to.sql), ty)
            }
            ("array_cat", [left, right]) => self.arrays_joined(left, right)?,
            _ => None,
        })
    }

    /// `left || right`, where one of them is an array: PostgreSQL takes a bare text beside it for an array too.
    pub(super) fn arrays_joined(&self, left: &Term, right: &Term) -> Result<Option<Term>, Unsupported> {
        let bare = |term: &Term| matches!(term.ty, TermType::Literal(_) | TermType::Null);
        Ok(match (element(left), element(right)) {
            (None, None) => None,
            (Some(ty), Some(other)) if alike(ty, other) => {
                array_of(format!("ts_array_cat({}, {})", left.sql, right.sql), ty)
            }
            (Some(ty), None) if bare(right) => {
                let right = self.coerced(right.clone(), &Type::Array(Box::new(ty.clone())))?;
                array_of(format!("ts_array_cat({}, {})", left.sql, right.sql), ty)
            }
            (None, Some(ty)) if bare(left) => {
                let left = self.coerced(left.clone(), &Type::Array(Box::new(ty.clone())))?;
                array_of(format!("ts_array_cat({}, {})", left.sql, right.sql), ty)
            }
            (Some(ty), None) if right.known().is_some_and(|known| alike(ty, known)) => {
                array_of(format!("ts_array_append({}, {})", left.sql, right.sql), ty)
            }
            (None, Some(ty)) if left.known().is_some_and(|known| alike(ty, known)) => {
                array_of(format!("ts_array_prepend({}, {})", left.sql, right.sql), ty)
            }
            _ => None,
        })
    }

    /// `array[from:to]`
    pub(super) fn slice(&mut self, array: &Term, range: &Subscript) -> Result<Option<Term>, Unsupported> {
        let (Some(ty), Subscript::Slice { lower_bound, upper_bound, stride: None }) = (element(array), range)
        else {
            return Ok(None);
        };
        let mut bound = |bound: &Option<Expr>| match bound {
            // Not null, which would make the slice null.
            None => Ok("''".to_owned()),
            Some(bound) => {
                let bound = self.expr(bound)?;
                Ok(self.coerced(bound, &Type::Int4)?.sql)
            }
        };
        let (from, to) = (bound(lower_bound)?, bound(upper_bound)?);
        Ok(array_of(format!("ts_array_slice({}, {from}, {to})", array.sql), ty))
    }

    /// `left op all (array)`, where `op` compares.
    pub(super) fn compared_with_all(
        &self,
        left: &Term,
        op: &BinaryOperator,
        array: &Term,
    ) -> Result<Option<Term>, Unsupported> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let Some(ty) = element(array).filter(|ty| is_integer(ty) || is_text(ty)) else { return Ok(None) };
        if !matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
            return Ok(None);
        }
        let left = self.coerced(left.clone(), ty)?;
        let none = format!("json_array_length({}) = 0", array.sql);
        // Of no elements it is true even for a null, which a function does not see.
        let sql = format!("iif({none}, 1, ts_all('{op}', {}, {}))", left.sql, array.sql);
        Ok(Some(Term::new(sql, Type::Bool)))
    }
}

fn alike(left: &Type, right: &Type) -> bool {
    left == right || (is_text(left) && is_text(right)) || (is_integer(left) && is_integer(right))
}
