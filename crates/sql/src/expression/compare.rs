//! Comparisons, in the order and by the equality of each type.

use sqlparser::ast::{BinaryOperator, Expr, Query};
use truststream_kernel::{Type, Value};

use super::arrays::query_of_array;
use super::caseless::is_caseless;
use super::cast::{is_float, is_integer, is_text};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};

/// The type both sides of a comparison are brought to.
fn common(left: &TermType, right: &TermType) -> Option<Type> {
    let widened = |ty: &Type| match ty {
        Type::Varchar(_) => Type::Text,
        Type::Numeric(_) => Type::Numeric(None),
        other => other.clone(),
    };
    match (left, right) {
        (TermType::Known(left), TermType::Known(right)) => common_of_known(left, right),
        (TermType::Known(ty), _) | (_, TermType::Known(ty)) => Some(widened(ty)),
        _ => Some(Type::Text),
    }
}

fn common_of_known(left: &Type, right: &Type) -> Option<Type> {
    let either = |test: fn(&Type) -> bool| test(left) || test(right);
    if let (Type::Char(length), Type::Char(_)) = (left, right) {
        return Some(Type::Char(*length));
    }
    let textual = |ty: &Type| is_text(ty) || is_caseless(ty);
    if left != right && textual(left) && textual(right) || is_text(left) && is_text(right) {
        return Some(Type::Text);
    }
    if left.is_number() && right.is_number() {
        return Some(if either(is_float) {
            Type::Float8
        } else if is_integer(left) && is_integer(right) {
            Type::Int8
        } else {
            Type::Numeric(None)
        });
    }
    let time = |ty: &Type| matches!(ty, Type::Timestamptz | Type::Timestamp | Type::Date);
    if left != right && time(left) && time(right) {
        let zone = *left == Type::Timestamptz || *right == Type::Timestamptz;
        return Some(if zone { Type::Timestamptz } else { Type::Timestamp });
    }
    (left == right).then(|| left.clone())
}

impl Translator<'_> {
    /// Both terms as one type.
    pub(super) fn unified(&self, left: Term, right: Term) -> Result<(Term, Term, Type), Unsupported> {
        let Some(ty) = common(&left.ty, &right.ty) else {
            let (from, to) = (left.known(), right.known());
            let shown = |ty: Option<&Type>| ty.map_or_else(String::new, ToString::to_string);
            let reason = format!("operator does not exist for {} and {}", shown(from), shown(to));
            return Err(Unsupported::new(format!("{} … {}", left.sql, right.sql), reason));
        };
        Ok((self.coerced(left, &ty)?, self.coerced(right, &ty)?, ty))
    }

    /// One type for several terms, such as the branches of a case.
    pub(super) fn unified_all(&self, terms: Vec<Term>) -> Result<(Vec<Term>, Type), Unsupported> {
        let mut ty = TermType::Null;
        for term in &terms {
            let both = match (&ty, &term.ty) {
                (TermType::Null | TermType::Literal(_), TermType::Known(found)) => Some(found.clone()),
                (TermType::Known(one), TermType::Known(other)) if one == other => Some(one.clone()),
                (TermType::Known(_), _) => common(&ty, &term.ty),
                _ => continue,
            };
            let reason = "these values have no type in common";
            ty = TermType::Known(both.ok_or_else(|| Unsupported::new(&term.sql, reason))?);
        }
        let TermType::Known(ty) = ty else {
            let texts = terms.into_iter().map(|term| self.settled(term)).collect::<Result<_, _>>()?;
            return Ok((texts, Type::Text));
        };
        let terms = terms.into_iter().map(|term| self.coerced(term, &ty)).collect::<Result<_, _>>()?;
        Ok((terms, ty))
    }

    /// `(a, b) < (c, d)`: the first pair that differs decides, and a null before it leaves it open.
    pub(super) fn rows_compared(
        &mut self,
        lefts: &[Expr],
        op: &str,
        rights: &[Expr],
    ) -> Result<Term, Unsupported> {
        let mut compared: Option<Term> = None;
        for (left, right) in lefts.iter().zip(rights).rev() {
            compared = Some(match compared {
                None => self.compare(left, op, right)?,
                Some(rest) => {
                    let decides = self.compare(left, op.trim_end_matches('='), right)?.sql;
                    let same = self.compare(left, "=", right)?.sql;
                    Term::new(format!("({decides} OR ({same} AND {}))", rest.sql), Type::Bool)
                }
            });
        }
        compared.ok_or_else(|| Unsupported::new("()", "a row without values"))
    }

    /// `left op right`, where `op` is one of SQLite's comparison operators, `IS` and `IS NOT`.
    pub(super) fn comparison(&self, left: Term, op: &str, right: Term) -> Result<Term, Unsupported> {
        let (left, right, ty) = self.unified(left, right)?;
        let (left, right) = (left.sql, right.sql);
        let equality = matches!(op, "=" | "<>" | "IS" | "IS NOT");
        let refuse = |why: &str| Err(Unsupported::new(format!("{left} {op} {right}"), why));
        if let Some(key) = self.record_key(&ty).filter(|_| equality) {
            return Ok(Term::new(format!("({} {op} {})", key(&left), key(&right)), Type::Bool));
        }
        let sql = match &ty {
            Type::Numeric(_) => format!("({left} COLLATE DECIMAL {op} {right})"),
            Type::Char(_) => format!("(rtrim({left}, ' ') {op} rtrim({right}, ' '))"),
            Type::Interval => format!("(ts_interval_span({left}) {op} ts_interval_span({right}))"),
            Type::Jsonb if op == "=" => format!("ts_json_equal({left}, {right})"),
            Type::Jsonb if op == "<>" => format!("(NOT ts_json_equal({left}, {right}))"),
            Type::Json | Type::Jsonb => return refuse("this comparison of JSON"),
            Type::Enum(_) if !equality => return refuse("the order of an enum's labels"),
            Type::Array(element) if !equality || !plain_in_json(element) => {
                return refuse("this comparison of arrays");
            }
            Type::Other(name) if name == "money" => format!("({left} COLLATE MONEY {op} {right})"),
            ty if is_caseless(ty) => format!("({left} COLLATE CITEXT {op} {right})"),
            Type::Other(name) if equality && matches!(name.as_str(), "tsvector" | "tsquery") => {
                format!("({left} {op} {right})")
            }
            Type::Other(name) => return refuse(&format!("type {name} lives on PostgreSQL only")),
            _ => format!("({left} {op} {right})"),
        };
        Ok(Term::new(sql, Type::Bool))
    }

    /// `left in (…)`
    pub(super) fn in_list(&mut self, left: &Expr, list: &[Expr], negated: bool) -> Result<Term, Unsupported> {
        let left = self.expr(left)?;
        let list = list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>()?;
        self.in_terms(&left, list, negated)
    }

    fn in_terms(&self, left: &Term, list: Vec<Term>, negated: bool) -> Result<Term, Unsupported> {
        let not = if negated { "NOT " } else { "" };
        if list.is_empty() {
            return Ok(Term::new(if negated { "1" } else { "0" }, Type::Bool));
        }
        let terms = std::iter::once(left.clone()).chain(list).collect();
        let (mut terms, ty) = self.unified_all(terms)?;
        let left = terms.remove(0);
        let plain = is_integer(&ty)
            || matches!(
                ty,
                Type::Text | Type::Varchar(_) | Type::Uuid | Type::Enum(_) | Type::Bool | Type::Timestamptz
            );
        if plain {
            let items: Vec<_> = terms.into_iter().map(|term| term.sql).collect();
            return Ok(Term::new(format!("({} {not}IN ({}))", left.sql, items.join(", ")), Type::Bool));
        }
        let any = terms
            .into_iter()
            .map(|term| self.comparison(left.clone(), "=", term).map(|term| term.sql))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Term::new(format!("({not}({}))", any.join(" OR ")), Type::Bool))
    }

    /// `left in (select …)`
    pub(super) fn in_query(
        &mut self,
        left: &Expr,
        query: &Query,
        negated: bool,
    ) -> Result<Term, Unsupported> {
        let left = self.expr(left)?;
        let (sql, columns) = self.query(query)?;
        let [(_, column)] = columns.as_slice() else {
            return Err(Unsupported::new(query, "subquery has too many columns"));
        };
        let column = Term { sql: String::new(), ty: column.clone() };
        let Some(ty) = common(&left.ty, &column.ty) else {
            return Err(Unsupported::new(query, "both sides of \"in\" have different types"));
        };
        let same = column.known().is_none_or(|known| {
            *known == ty || (is_integer(known) && is_integer(&ty)) || (is_text(known) && is_text(&ty))
        });
        let special =
            matches!(ty, Type::Char(_) | Type::Json | Type::Jsonb | Type::Interval | Type::Other(_));
        if !same || special {
            return Err(Unsupported::new(query, format!("\"in\" of type {ty} with a sub-select")));
        }
        let left = self.coerced(left, &ty)?.sql;
        let collation = if matches!(ty, Type::Numeric(_)) { " COLLATE DECIMAL" } else { "" };
        let not = if negated { "NOT " } else { "" };
        Ok(Term::new(format!("({left}{collation} {not}IN ({sql}))"), Type::Bool))
    }

    /// `left op any (…)` and `left op all (…)` of lists and sub-selects.
    pub(super) fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        all: bool,
    ) -> Result<Term, Unsupported> {
        let negated = match (op, all) {
            (BinaryOperator::Eq, false) => false,
            (BinaryOperator::NotEq, true) => true,
            (_, true) if !matches!(right, Expr::Subquery(_)) => {
                let (value, array) = (self.expr(left)?, self.expr(right)?);
                let found = self.compared_with_all(&value, op, &array)?;
                let refused =
                    || Unsupported::new(format!("{left} {op} … ({right})"), "this operator with all");
                return found.ok_or_else(refused);
            }
            _ => {
                return Err(Unsupported::new(
                    format!("{left} {op} … ({right})"),
                    "this operator with any or all",
                ));
            }
        };
        let mut inner = right;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        if let Expr::Subquery(query) = inner {
            // `any ((select f()))`, one value that is an array, and `any (select …)` look alike.
            return match self.single_array(query)? {
                Some(array) => self.in_array(left, &array, negated),
                None => self.in_query(left, query, negated),
            };
        }
        if let Some(query) = query_of_array(inner) {
            return self.in_query(left, query, negated);
        }
        if let Some(items) = self.constant_list(inner)? {
            let left = self.expr(left)?;
            return self.in_terms(&left, items, negated);
        }
        let array = self.expr(inner)?;
        self.in_array(left, &array, negated)
    }

    fn single_array(&mut self, query: &Query) -> Result<Option<Term>, Unsupported> {
        let (sql, columns) = self.query(query)?;
        match columns.as_slice() {
            [(_, TermType::Known(ty @ Type::Array(_)))] => {
                Ok(Some(Term::new(format!("({sql})"), ty.clone())))
            }
            _ => Ok(None),
        }
    }

    fn in_array(&mut self, left: &Expr, array: &Term, negated: bool) -> Result<Term, Unsupported> {
        let Some(Type::Array(element)) = array.known() else {
            return Err(Unsupported::new(&array.sql, "an array is wanted here"));
        };
        let left = self.expr(left)?;
        let alike = left.known().is_some_and(|ty| common_of_known(ty, element).is_some());
        let left = if alike { left } else { self.coerced(left, element)? };
        if !plain_in_json(element) {
            return Err(Unsupported::new(&array.sql, format!("elements of type {element}")));
        }
        let not = if negated { "NOT " } else { "" };
        Ok(Term::new(format!("({not}ts_any({}, {}))", left.sql, array.sql), Type::Bool))
    }

    /// The elements of `array[…]` or of an array literal, with casts of the whole applied to each.
    pub(super) fn constant_list(&mut self, expr: &Expr) -> Result<Option<Vec<Term>>, Unsupported> {
        match expr {
            Expr::Nested(inner) => self.constant_list(inner),
            Expr::Array(array) => {
                array.elem.iter().map(|item| self.expr(item)).collect::<Result<_, _>>().map(Some)
            }
            Expr::Cast { expr, data_type, .. } => {
                let Type::Array(element) = self.type_of(data_type) else { return Ok(None) };
                if let Expr::Value(value) = expr.as_ref()
                    && let Some(text) = value.clone().into_string()
                {
                    return self.elements(&text, &element).map(Some);
                }
                let Some(items) = self.constant_list(expr)? else { return Ok(None) };
                items.into_iter().map(|item| self.cast_to(item, &element)).collect::<Result<_, _>>().map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn elements(&self, text: &str, element: &Type) -> Result<Vec<Term>, Unsupported> {
        let fault = |reason: &str| Unsupported::new(text, reason);
        let value =
            Value::parse(&Type::Array(Box::new(Type::Text)), text).map_err(|error| fault(error.message()))?;
        let Value::Array(items) = value else { return Err(fault("no array")) };
        let term = |item: &Value| match item {
            Value::Null => Ok(Term::null()),
            Value::Text(text) => self.read_literal(text, element),
            _ => Err(fault("an array of more dimensions")),
        };
        items.iter().map(term).collect()
    }
}

/// Whether an element of an array has the same form in JSON as in a column.
pub(super) fn plain_in_json(ty: &Type) -> bool {
    is_integer(ty) || matches!(ty, Type::Text | Type::Varchar(_) | Type::Uuid | Type::Enum(_))
}
