//! Operators: comparisons, arithmetic, texts put together, steps into JSON, and choices between values.

use std::cmp::Ordering;

use sqlparser::ast::{BinaryOperator as Binary, CaseWhen, Expr};
use truststream_kernel::value::decimal;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};

use super::calls::pure;
use super::convert::{Target, converted};
use super::node::Node;
use super::read::{Reader, Typed};
use crate::expression::{NO_REST_OF_FLOATS, Unsupported, is_text};

impl Reader<'_> {
    pub(super) fn binary(&mut self, left: &Expr, op: &Binary, right: &Expr) -> Result<Typed, Unsupported> {
        match op {
            Binary::And => {
                let both = Node::And(Box::new(self.condition(left)?), Box::new(self.condition(right)?));
                Ok(Typed::known(both, Type::Bool))
            }
            Binary::Or => {
                let neither = [self.condition(left)?, self.condition(right)?];
                let [left, right] = neither.map(|one| Box::new(Node::Not(Box::new(one))));
                Ok(Typed::known(Node::Not(Box::new(Node::And(left, right))), Type::Bool))
            }
            Binary::Eq | Binary::NotEq | Binary::Lt | Binary::LtEq | Binary::Gt | Binary::GtEq => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.comparison(left, op, right)
            }
            Binary::Plus | Binary::Minus | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.arithmetic(left, op, right)
            }
            Binary::StringConcat => {
                let sides = [self.expr(left)?, self.expr(right)?];
                if !sides.iter().any(|side| side.literal.is_some() || is_text(&side.ty)) {
                    return Err(Unsupported::new(left, "a concatenation of what is no text"));
                }
                let [left, right] =
                    sides.map(|side| converted(self.catalog, side, &Type::Text, Target::Assigned));
                let joined = |values: &[Value]| match values {
                    [Value::Text(left), Value::Text(right)] => Ok(Value::Text(format!("{left}{right}"))),
                    _ => Err(Error::internal("texts were expected")),
                };
                Ok(Typed::known(Node::Strict(Box::new(joined), vec![left?.node, right?.node]), Type::Text))
            }
            Binary::HashArrow | Binary::HashLongArrow => {
                let document = self.document(left)?;
                let path = self.expr(right)?;
                let path =
                    converted(self.catalog, path, &Type::Array(Box::new(Type::Text)), Target::Coerced)?;
                self.path(document, path.node, *op == Binary::HashLongArrow)
            }
            Binary::Arrow | Binary::LongArrow => {
                let document = self.document(left)?;
                let Some(Some(key)) = self.expr(right)?.literal.filter(|key| is_name(key.as_deref())) else {
                    return Err(Unsupported::new(right, "a step into JSON by other than a name"));
                };
                let path = Node::Constant(Value::Array(vec![Value::Text(key)]));
                self.path(document, path, *op == Binary::LongArrow)
            }
            other => Err(Unsupported::new(other, "this operator is not computed in process")),
        }
    }

    fn document(&mut self, expr: &Expr) -> Result<Typed, Unsupported> {
        let document = self.expr(expr)?;
        match document.ty {
            Type::Json | Type::Jsonb => Ok(document),
            _ => Err(Unsupported::new(expr, "JSON is wanted here")),
        }
    }

    fn path(&self, document: Typed, path: Node, as_text: bool) -> Result<Typed, Unsupported> {
        let ty = if as_text { Type::Text } else { document.ty };
        let flag = Node::Constant(Value::Int(i64::from(as_text)));
        pure("ts_path", vec![document.node, path, flag], &ty)
    }

    /// Two values brought to one type.
    pub(super) fn unified(&self, left: Typed, right: Typed) -> Result<(Typed, Typed, Type), Unsupported> {
        let ty = match (&left.literal, &right.literal) {
            (Some(_), Some(_)) => Type::Text,
            (Some(_), None) => bare(&right.ty),
            (None, Some(_)) => bare(&left.ty),
            (None, None) => common(&left.ty, &right.ty).ok_or_else(|| {
                let reason = format!("operator does not exist for {} and {}", left.ty, right.ty);
                Unsupported::new("", reason)
            })?,
        };
        let as_one = |value| converted(self.catalog, value, &ty, Target::Coerced);
        Ok((as_one(left)?, as_one(right)?, ty.clone()))
    }

    pub(super) fn comparison(&self, left: Typed, op: &Binary, right: Typed) -> Result<Typed, Unsupported> {
        let (left, right, ty) = self.unified(left, right)?;
        let ordered = ty.is_number()
            || is_text(&ty) && !matches!(ty, Type::Char(_))
            || matches!(ty, Type::Bool | Type::Timestamptz | Type::Timestamp | Type::Date | Type::Uuid);
        let holds: fn(Ordering) -> bool = match op {
            Binary::Eq => Ordering::is_eq,
            Binary::NotEq => Ordering::is_ne,
            Binary::Lt => Ordering::is_lt,
            Binary::LtEq => Ordering::is_le,
            Binary::Gt => Ordering::is_gt,
            _ => Ordering::is_ge,
        };
        if !ordered {
            return Err(Unsupported::new(&ty, "a comparison of this type is not computed in process"));
        }
        let operation = move |values: &[Value]| Ok(Value::Bool(holds(order(&values[0], &values[1])?)));
        Ok(Typed::known(Node::Strict(Box::new(operation), vec![left.node, right.node]), Type::Bool))
    }

    pub(super) fn arithmetic(&self, left: Typed, op: &Binary, right: Typed) -> Result<Typed, Unsupported> {
        let ty = match (left.literal.is_some(), right.literal.is_some()) {
            (false, false) => common(&left.ty, &right.ty).filter(Type::is_number),
            (false, true) => Some(bare(&left.ty)).filter(Type::is_number),
            (true, false) => Some(bare(&right.ty)).filter(Type::is_number),
            (true, true) => None,
        };
        let ty = ty.ok_or_else(|| Unsupported::new(op, "arithmetic of other than numbers"))?;
        if matches!((op, &ty), (Binary::Modulo, Type::Float4 | Type::Float8)) {
            return Err(Unsupported::new(op, NO_REST_OF_FLOATS));
        }
        let as_one = |value| Ok(converted(self.catalog, value, &ty, Target::Coerced)?.node);
        let sign = Node::Constant(Value::Text(op.to_string()));
        let number = pure("ts_math", vec![sign, as_one(left)?, as_one(right)?], &ty)?;
        if !matches!(ty, Type::Int2 | Type::Int4) {
            return Ok(number);
        }
        let fits = |values: &[Value]| match &values[0] {
            Value::Int(number) if i32::try_from(*number).is_ok() => Ok(Value::Int(*number)),
            _ => Err(Error::new(ErrorKind::InvalidInput, "22003", "integer out of range")),
        };
        Ok(Typed::known(Node::Strict(Box::new(fits), vec![number.node]), Type::Int4))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, Unsupported> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for branch in branches {
            conditions.push(match operand {
                None => self.condition(&branch.condition)?,
                Some(operand) => {
                    let (left, right) = (self.expr(operand)?, self.expr(&branch.condition)?);
                    self.comparison(left, &Binary::Eq, right)?.node
                }
            });
            results.push(self.expr(&branch.result)?);
        }
        results.extend(otherwise.map(|otherwise| self.expr(otherwise)).transpose()?);
        let (mut results, ty) = self.alike(results)?;
        let last = if otherwise.is_some() { results.pop() } else { None };
        let last = last.unwrap_or(Node::Constant(Value::Null));
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Typed::known(Node::Case(branches, Box::new(last)), ty))
    }

    /// Values of which one is taken, brought to one type.
    pub(super) fn alike(&self, values: Vec<Typed>) -> Result<(Vec<Node>, Type), Unsupported> {
        let mut ty: Option<Type> = None;
        for value in values.iter().filter(|value| value.literal.is_none()) {
            ty = Some(match ty {
                None => value.ty.clone(),
                Some(ty) => common(&ty, &value.ty)
                    .ok_or_else(|| Unsupported::new(&value.ty, "these values have no type in common"))?,
            });
        }
        let ty = ty.unwrap_or(Type::Text);
        let nodes =
            values.into_iter().map(|value| Ok(converted(self.catalog, value, &ty, Target::Coerced)?.node));
        Ok((nodes.collect::<Result<_, Unsupported>>()?, ty))
    }
}

/// The type that values of two types are brought to.
fn common(left: &Type, right: &Type) -> Option<Type> {
    let float = |ty: &Type| matches!(ty, Type::Float4 | Type::Float8);
    let numeric = |ty: &Type| matches!(ty, Type::Numeric(_));
    if left == right {
        return Some(bare(left));
    }
    if left.is_number() && right.is_number() {
        return Some(match (left, right) {
            _ if float(left) || float(right) => Type::Float8,
            _ if numeric(left) || numeric(right) => Type::Numeric(None),
            (Type::Int8, _) | (_, Type::Int8) => Type::Int8,
            _ => Type::Int4,
        });
    }
    let moment = |ty: &Type| matches!(ty, Type::Timestamptz | Type::Timestamp | Type::Date);
    if moment(left) && moment(right) {
        let zone = *left == Type::Timestamptz || *right == Type::Timestamptz;
        return Some(if zone { Type::Timestamptz } else { Type::Timestamp });
    }
    (is_text(left) && is_text(right)).then_some(Type::Text)
}

/// The type without length, precision and scale.
fn bare(ty: &Type) -> Type {
    match ty {
        Type::Numeric(_) => Type::Numeric(None),
        Type::Varchar(_) => Type::Text,
        other => other.clone(),
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering> {
    use Value::{Bool, Date, Decimal, Float, Int, Text, Timestamp, Timestamptz, Uuid};
    Ok(match (left, right) {
        (Int(left), Int(right))
        | (Timestamptz(left), Timestamptz(right))
        | (Timestamp(left), Timestamp(right)) => left.cmp(right),
        (Date(left), Date(right)) => left.cmp(right),
        (Bool(left), Bool(right)) => left.cmp(right),
        (Text(left), Text(right)) => left.cmp(right),
        (Uuid(left), Uuid(right)) => left.cmp(right),
        (Decimal(left), Decimal(right)) => decimal::compare(left, right),
        // NaN is the largest, and equal to itself.
        (Float(left), Float(right)) => {
            left.partial_cmp(right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
        }
        _ => return Err(Error::internal("values of two types were compared")),
    })
}

/// Whether a step by this text leads into objects only.
fn is_name(key: Option<&str>) -> bool {
    key.is_some_and(|key| key.parse::<i64>().is_err())
}
