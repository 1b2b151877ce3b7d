//! Values: columns, literals, arithmetic, JSON.

use mongodb::bson::Bson;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, DataType, Expr, Ident, UnaryOperator, Value as Literal,
};
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{Catalog, JsonKey};

use super::aggregates::is_aggregate;
use super::{Translator, call, unsupported};
use crate::cast::target;
use crate::plan::{step_into, text_of};
use crate::term::{NOTHING, Term, Want, constant, constant_of, is_json};

/// Types whose values are stored alike, and so compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Number,
    Text,
    Moment,
    Json,
    Other(u8),
}

pub(super) fn family(ty: &Type) -> Family {
    match ty {
        ty if ty.is_number() => Family::Number,
        Type::Text | Type::Varchar(_) | Type::Char(_) => Family::Text,
        Type::Timestamptz => Family::Moment,
        Type::Json | Type::Jsonb => Family::Json,
        Type::Bool => Family::Other(0),
        Type::Uuid => Family::Other(1),
        Type::Timestamp => Family::Other(2),
        Type::Date => Family::Other(3),
        Type::Time => Family::Other(4),
        Type::Interval => Family::Other(5),
        Type::Bytes => Family::Other(6),
        Type::Enum(_) => Family::Other(7),
        Type::Array(_) => Family::Other(8),
        _ => Family::Other(9),
    }
}

/// Whether an expression is a quoted literal or null, which takes its type from where it stands.
pub(super) fn untyped(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => untyped(inner),
        Expr::Value(value) => matches!(value.value, Literal::SingleQuotedString(_) | Literal::Null),
        _ => false,
    }
}

impl<'a> Translator<'_, 'a> {
    /// The value of an expression; a literal is read as `hint` has it.
    pub(super) fn value(&mut self, expr: &Expr, hint: Option<&Type>) -> Result<Term> {
        if let Some(key) = self.key_of_group(expr) {
            return Ok(key);
        }
        match expr {
            Expr::Nested(inner) => self.value(inner, hint),
            Expr::Identifier(name) if is_keyword(name) => self.keyword(&name.value),
            Expr::Identifier(name) => self.column(None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => self.column(Some(table), name),
                [_, table, name] => self.column(Some(table), name),
                _ => Err(unsupported("this name", expr)),
            },
            Expr::Value(value) => match &value.value {
                Literal::Placeholder(mark) => self.placeholder(mark),
                literal => self.literal(literal, hint),
            },
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::TypedString(typed) => {
                let ty = self.type_of(&typed.data_type)?;
                self.literal(&typed.value.value, Some(&ty))
            }
            Expr::Function(function) if function.over.is_some() => self.windowed(function),
            Expr::Function(function) if is_aggregate(function) => self.aggregate(function),
            Expr::Function(function) => self.function(function, hint),
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Subquery(query) => self.scalar(query, hint),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let term = self.value(expr, hint)?;
                self.arithmetic(BinaryOperator::Minus, Term::new(constant(0_i64), Type::Int4), term)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } => {
                let as_text = matches!(expr, Expr::BinaryOp { op: BinaryOperator::LongArrow, .. });
                self.json_step(left, right, as_text)
            }
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                self.concatenation(left, right)
            }
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) => {
                let left = self.value(left, None)?;
                let right = self.value(right, None)?;
                self.arithmetic(op.clone(), left, right)
            }
            Expr::Case { operand: None, conditions, else_result, .. } => {
                self.case(conditions, else_result.as_deref(), hint)
            }
            Expr::Array(array) if array.elem.is_empty() => {
                let ty = hint.cloned().unwrap_or(Type::Array(Box::new(Type::Text)));
                Ok(Term::new(constant(Vec::<Bson>::new()), ty))
            }
            Expr::Array(array) => self.array(&array.elem, hint),
            Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_slice() {
                [AccessExpr::Dot(Expr::Identifier(name)), within @ ..] => {
                    let field = match self.field_of(root, name) {
                        Some(field) => field,
                        None => {
                            let record = self.value(root, None)?;
                            self.field_of_record(&record, name, expr)?
                        }
                    };
                    within.iter().try_fold(field, |field, step| match step {
                        AccessExpr::Dot(Expr::Identifier(name)) => self.field_of_record(&field, name, expr),
                        _ => Err(unsupported("this field", expr)),
                    })
                }
                _ => self.element(root, access_chain),
            },
            Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                self.trimmed(expr)
            }
            Expr::BinaryOp { .. }
            | Expr::UnaryOp { op: UnaryOperator::Not, .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Exists { .. }
            | Expr::AnyOp { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
                if is_condition_of(expr) =>
            {
                let yes = self.truth(expr, Want::True)?;
                let no = self.truth(expr, Want::False)?;
                let unknown = call("$cond", vec![no, false.into(), Bson::Null]);
                Ok(Term::new(call("$cond", vec![yes, true.into(), unknown]), Type::Bool))
            }
            _ => Err(unsupported("this expression", expr)),
        }
    }

    fn concatenation(&mut self, left: &Expr, right: &Expr) -> Result<Term> {
        let sides = [self.value(left, Some(&Type::Text))?, self.value(right, Some(&Type::Text))?];
        if sides.iter().all(|side| family(&side.ty) != Family::Text) {
            return Err(unsupported("a concatenation of what is no text", right));
        }
        let [left, right] = sides;
        let sides = [self.assigned(left, &Type::Text)?, self.assigned(right, &Type::Text)?];
        Ok(Term::new(call("$concat", sides.map(|side| side.expr).to_vec()), Type::Text))
    }

    fn case(&mut self, branches: &[CaseWhen], other: Option<&Expr>, hint: Option<&Type>) -> Result<Term> {
        let mut made = match other {
            Some(other) => self.value(other, hint)?,
            None => Term::new(constant(Bson::Null), hint.cloned().unwrap_or(Type::Text)),
        };
        for branch in branches.iter().rev() {
            let then = self.value(&branch.result, hint)?;
            let condition = self.truth(&branch.condition, Want::True)?;
            if is_json(&then.ty) && !is_json(&made.ty) && made.known()? == Some(Value::Null) {
                made = Term::value(&Value::Null, &then.ty)?;
            }
            made = Term::either(condition, then, made);
        }
        Ok(made)
    }

    pub(super) fn catalog(&self) -> &'a Catalog {
        let schema: &'a crate::schema::Schema = self.planner.schema;
        &schema.catalog
    }

    fn literal(&self, literal: &Literal, hint: Option<&Type>) -> Result<Term> {
        match literal {
            Literal::Null => {
                let ty = hint.cloned().unwrap_or(Type::Text);
                Term::value(&Value::Null, &ty)
            }
            Literal::Boolean(value) => Ok(Term::new(constant(*value), Type::Bool)),
            Literal::Number(text, _) => {
                let ty = match text.parse::<i64>() {
                    Ok(number) if i32::try_from(number).is_ok() => Type::Int4,
                    Ok(_) => Type::Int8,
                    Err(_) => Type::Numeric(None),
                };
                let ty = hint.filter(|hint| hint.is_number()).cloned().unwrap_or(ty);
                match Term::literal(self.catalog(), text, &ty) {
                    Ok(term) => Ok(term),
                    Err(_) => Term::literal(self.catalog(), text, &Type::Numeric(None)),
                }
            }
            Literal::SingleQuotedString(text) | Literal::EscapedStringLiteral(text) => {
                Term::literal(self.catalog(), text, hint.unwrap_or(&Type::Text))
            }
            Literal::DollarQuotedString(text) => {
                Term::literal(self.catalog(), &text.value, hint.unwrap_or(&Type::Text))
            }
            other => Err(unsupported("this literal", other)),
        }
    }

    pub(super) fn type_of(&self, data_type: &DataType) -> Result<Type> {
        target(self.catalog(), &data_type.to_string().to_lowercase())
            .map_err(|error| unsupported("this type", data_type).with_source(error))
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType) -> Result<Term> {
        if let Some(domain) = self.domain(&data_type.to_string().to_lowercase()) {
            return self.within_domain(expr, domain);
        }
        let to = self.type_of(data_type)?;
        if let Some(record) = self.record(expr, &to)? {
            return Ok(record);
        }
        self.cast_to(expr, &to, || format!("{expr}::{data_type}"))
    }

    pub(super) fn cast_to(&mut self, expr: &Expr, to: &Type, shown: impl Fn() -> String) -> Result<Term> {
        if untyped(expr) {
            return self.value(expr, Some(to));
        }
        let term = self.value(expr, None)?;
        self.converted(term, to, shown)
    }

    fn json_step(&mut self, left: &Expr, right: &Expr, as_text: bool) -> Result<Term> {
        let json = self.value(left, None)?;
        let key = match right {
            Expr::Value(value) => match &value.value {
                Literal::SingleQuotedString(key) => Some(JsonKey::Key(key.clone())),
                Literal::Number(text, _) => text.parse().ok().map(JsonKey::Index),
                _ => None,
            },
            other => {
                let term = self.value(other, None)?;
                match constant_of(&term.expr) {
                    _ if term.is_unknown() => Some(JsonKey::Key(String::new())),
                    Some(Bson::String(key)) => Some(JsonKey::Key(key.clone())),
                    Some(Bson::Int64(at)) => Some(JsonKey::Index(*at)),
                    _ => None,
                }
            }
        };
        let Some(key) = key.filter(|_| family(&json.ty) == Family::Json) else {
            return Err(unsupported("this step into JSON", format!("{left} -> {right}")));
        };
        if json.is_unknown() {
            return Ok(Term::unknown(if as_text { Type::Text } else { json.ty }));
        }
        if let Some(known) = constant_of(&json.expr) {
            let found = match (known, &key) {
                (Bson::Document(members), JsonKey::Key(key)) => members.get(key),
                (Bson::Array(elements), JsonKey::Index(at)) => {
                    usize::try_from(*at).ok().and_then(|at| elements.get(at))
                }
                _ => None,
            };
            return Ok(match (found, as_text) {
                (None, true) | (Some(Bson::Null), true) => Term::new(constant(Bson::Null), Type::Text),
                (None, false) => Term::new(NOTHING, json.ty),
                (Some(Bson::String(text)), true) => Term::new(constant(text.as_str()), Type::Text),
                (Some(value), true) => Term::new(constant(crate::json::text(value)), Type::Text),
                (Some(value), false) => Term::new(constant(value.clone()), json.ty),
            });
        }
        if json.expr == Bson::String(NOTHING.into()) {
            let nothing = if as_text { constant(Bson::Null) } else { json.expr };
            return Ok(Term::new(nothing, if as_text { Type::Text } else { json.ty }));
        }
        let found = step_into(&json.expr, &key, &json.ty);
        Ok(if as_text { Term::new(text_of(&found), Type::Text) } else { Term::new(found, json.ty) })
    }

    fn array(&mut self, elements: &[Expr], hint: Option<&Type>) -> Result<Term> {
        let inner = match hint {
            Some(Type::Array(inner)) => Some(inner.as_ref()),
            _ => None,
        };
        let terms = elements.iter().map(|one| self.value(one, inner)).collect::<Result<Vec<_>>>()?;
        let ty = terms.first().map_or(Type::Text, |term| term.ty.clone());
        let known: Option<Vec<Bson>> = terms.iter().map(|term| constant_of(&term.expr).cloned()).collect();
        let known = known.ok_or_else(|| Error::unsupported("this database has no arrays of columns"))?;
        Ok(Term::new(constant(known), Type::Array(Box::new(ty))))
    }
}

/// An identifier as PostgreSQL knows it: in lower case unless quoted.
pub(crate) fn ident(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn is_keyword(name: &Ident) -> bool {
    const KEYWORDS: &[&str] =
        &["current_user", "session_user", "user", "current_role", "current_timestamp", "current_date"];
    name.quote_style.is_none() && KEYWORDS.contains(&name.value.to_lowercase().as_str())
}

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
}

fn is_condition_of(expr: &Expr) -> bool {
    use BinaryOperator::{
        And, ArrowAt, AtArrow, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or, PGOverlap, PGRegexIMatch, PGRegexMatch,
        PGRegexNotIMatch, PGRegexNotMatch,
    };
    match expr {
        Expr::BinaryOp { op, .. } => {
            let matching = matches!(op, PGRegexMatch | PGRegexIMatch | PGRegexNotMatch | PGRegexNotIMatch);
            matching
                || matches!(op, And | Or | Eq | NotEq | Gt | GtEq | Lt | LtEq | AtArrow | ArrowAt | PGOverlap)
        }
        _ => true,
    }
}
