//! Calls: PostgreSQL's functions that are computed of values alone, and those of the catalog.

use sqlparser::ast::{Expr, Function as Called, FunctionArg, FunctionArgExpr, FunctionArguments};
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::Function;

use super::convert::{Target, converted};
use super::node::{Node, Operation};
use super::read::{Reader, Typed};
use crate::expression::bits::Bits;
use crate::expression::functions::FUNCTIONS;
use crate::expression::{TEXTS, Unsupported, parameter_type};

impl<'c> Reader<'c> {
    pub(super) fn function(&mut self, called: &Called) -> Result<Typed, Unsupported> {
        let arguments = self.arguments(called)?;
        let name = called.name.to_string().to_lowercase();
        let own = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        if let Some(found) = self.built_in(own, &arguments)? {
            return Ok(found);
        }
        let name =
            self.meant(&called.name, |name| self.catalog.functions.iter().any(|one| one.name == *name));
        let named = self.catalog.functions.iter().filter(|one| one.name == name);
        let fitting: Vec<&'c Function> =
            named.filter(|one| one.parameters.len() == arguments.len()).collect();
        let given = self.all(&arguments)?;
        let mut fits = Vec::new();
        for function in fitting {
            let exact = function
                .parameters
                .iter()
                .zip(&given)
                .filter(|(one, value)| {
                    value.literal.is_none() && value.ty == parameter_type(self.catalog, one)
                })
                .count();
            let placed =
                self.all(&arguments)?.into_iter().zip(&function.parameters).map(|(value, parameter)| {
                    converted(self.catalog, value, &parameter_type(self.catalog, parameter), Target::Coerced)
                });
            if let Ok(placed) = placed.collect::<Result<Vec<_>, _>>() {
                fits.push((exact, function, placed));
            }
        }
        fits.sort_by_key(|(exact, ..)| std::cmp::Reverse(*exact));
        let mut fits = fits.into_iter();
        match (fits.next(), fits.next()) {
            (Some((best, ..)), Some((next, ..))) if best == next => {
                Err(Unsupported::new(called, "several functions of this name take this"))
            }
            (Some((_, function, placed)), _) => self.call(function, placed),
            (None, _) => Err(Unsupported {
                // The catalog has others of the name: this one may come later.
                code: self.catalog.functions.iter().any(|one| one.name == name).then(|| "42883".to_owned()),
                ..Unsupported::new(called, "this function is not computed in process")
            }),
        }
    }

    fn arguments<'e>(&self, called: &'e Called) -> Result<Vec<&'e Expr>, Unsupported> {
        let refused = || Unsupported::new(called, "these arguments");
        let FunctionArguments::List(list) = &called.args else { return Err(refused()) };
        if called.filter.is_some() || called.over.is_some() || !list.clauses.is_empty() {
            return Err(refused());
        }
        let one = |argument: &'e FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            _ => Err(refused()),
        };
        list.args.iter().map(one).collect()
    }

    fn all(&mut self, arguments: &[&Expr]) -> Result<Vec<Typed>, Unsupported> {
        arguments.iter().map(|one| self.expr(one)).collect()
    }

    fn built_in(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Unsupported> {
        if let Some((_, types, function, result)) =
            TEXTS.iter().find(|one| one.0 == name && one.1.len() == arguments.len())
        {
            let nodes = self.all(arguments)?.into_iter().zip(*types);
            let nodes =
                nodes.map(|(value, ty)| Ok(converted(self.catalog, value, ty, Target::Coerced)?.node));
            return pure(function, nodes.collect::<Result<_, Unsupported>>()?, result).map(Some);
        }
        let Some((first, rest)) = arguments.split_first() else { return Ok(None) };
        match (name, rest) {
            ("to_json" | "to_jsonb", []) => self.json_of(name, first).map(Some),
            ("to_hex", []) => {
                let number = self.expr(first)?;
                let mask = if number.ty == Type::Int8 { -1 } else { 0xffff_ffff };
                let number = converted(self.catalog, number, &Type::Int8, Target::Coerced)?.node;
                let bits = move |values: &[Value]| match &values[0] {
                    Value::Int(number) => Ok(Value::Text(format!("{:x}", number & mask))),
                    _ => Err(Error::internal("a number was expected")),
                };
                Ok(Some(Typed::known(Node::Strict(Box::new(bits), vec![number]), Type::Text)))
            }
            ("to_timestamp", []) => {
                let seconds = self.expr(first)?;
                let seconds = converted(self.catalog, seconds, &Type::Float8, Target::Coerced)?.node;
                pure("ts_from_epoch", vec![seconds], &Type::Timestamptz).map(Some)
            }
            ("coalesce", _) => {
                let values = self.all(arguments)?;
                let (nodes, ty) = self.alike(values)?;
                Ok(Some(Typed::known(Node::First(nodes), ty)))
            }
            // What `raise` in a body becomes.
            ("ts_raise", [message]) => {
                let (code, message) = (self.expr(first)?, self.expr(message)?);
                let message = converted(self.catalog, message, &Type::Text, Target::Coerced)?;
                let raise = Node::Raise(Box::new(code.node), Box::new(message.node));
                Ok(Some(Typed { literal: Some(None), ..Typed::known(raise, Type::Text) }))
            }
            _ => Ok(None),
        }
    }

    fn json_of(&mut self, name: &str, value: &Expr) -> Result<Typed, Unsupported> {
        let value = self.expr(value)?;
        let to = if name == "to_json" { Type::Json } else { Type::Jsonb };
        if matches!(value.ty, Type::Array(_) | Type::Other(_) | Type::Enum(_)) {
            return Err(Unsupported::new(&value.ty, "this type as JSON is not computed in process"));
        }
        if value.ty == to {
            return Ok(value);
        }
        let (from, ty) = (value.ty.clone(), to.clone());
        let json = move |values: &[Value]| Value::from_json(&to, &values[0].to_json_as(&from));
        Ok(Typed::known(Node::Strict(Box::new(json), vec![value.node]), ty))
    }

    /// `extract(field from moment)`
    pub(super) fn extract(&mut self, field: &str, expr: &Expr) -> Result<Typed, Unsupported> {
        let moment = self.expr(expr)?;
        if !field.eq_ignore_ascii_case("epoch") || !matches!(moment.ty, Type::Timestamptz | Type::Timestamp) {
            return Err(Unsupported::new(field, "this part of a moment is not computed in process"));
        }
        let field = Node::Constant(Value::Text("epoch".into()));
        pure("ts_extract", vec![field, moment.node], &Type::Numeric(None))
    }

    /// `trim(x)`, `substring(x from 1 for 2)`, `position(x in y)`.
    pub(super) fn worded_call(&mut self, expr: &Expr) -> Result<Typed, Unsupported> {
        let (name, arguments): (&str, Vec<&Expr>) = match expr {
            Expr::Trim { trim_where: None, trim_what: None, trim_characters: None, expr: text } => {
                ("btrim", vec![text.as_ref()])
            }
            Expr::Substring { expr: text, substring_from: Some(from), substring_for, .. } => {
                let length = substring_for.as_deref();
                ("substring", [text.as_ref(), from.as_ref()].into_iter().chain(length).collect())
            }
            Expr::Position { expr: part, r#in: whole } => ("strpos", vec![whole.as_ref(), part.as_ref()]),
            other => return Err(Unsupported::new(other, "this form of the function")),
        };
        let found = self.built_in(name, &arguments)?;
        found.ok_or_else(|| Unsupported::new(expr, "this form of the function"))
    }

    /// `text::bit(n)::int`; `None` for what is no such cast.
    pub(super) fn bits(&mut self, expr: &Expr, ty: &Type) -> Result<Option<Typed>, Unsupported> {
        let Some(Bits { digits, length, width }) = Bits::of(expr, ty)? else { return Ok(None) };
        let digits = self.expr(digits)?;
        let digits = converted(self.catalog, digits, &Type::Text, Target::Coerced)?.node;
        let numbers =
            [length, width].map(|number| Node::Constant(Value::Int(i64::try_from(number).unwrap_or(64))));
        let [length, width] = numbers;
        pure("ts_bits", vec![digits, length, width], ty).map(Some)
    }
}

/// A call of a function that engines with SQL have by this name.
pub(super) fn pure(name: &'static str, nodes: Vec<Node>, result: &Type) -> Result<Typed, Unsupported> {
    let ty = result.clone();
    let operation: Operation = match FUNCTIONS.iter().find(|function| function.name == name) {
        Some(function) => Box::new(move |values| {
            let cells: Vec<Value> = values.iter().map(cell).collect();
            of_cell(function.call(&cells)?, &ty)
        }),
        None => of_engine(name)
            .ok_or_else(|| Unsupported::new(name, "this function is not computed in process"))?,
    };
    Ok(Typed::known(Node::Strict(operation, nodes), result.clone()))
}

/// What such engines have of their own.
fn of_engine(name: &str) -> Option<Operation> {
    fn text(value: &Value) -> Result<&str> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(Error::internal("a text was expected")),
        }
    }
    fn trimmed(values: &[Value], start: bool, end: bool) -> Result<Value> {
        let signs = values.get(1).map_or(Ok(" "), text)?;
        let mut rest = text(&values[0])?;
        if start {
            rest = rest.trim_start_matches(|sign: char| signs.contains(sign));
        }
        if end {
            rest = rest.trim_end_matches(|sign: char| signs.contains(sign));
        }
        Ok(Value::Text(rest.to_owned()))
    }
    Some(match name {
        "trim" => Box::new(|values| trimmed(values, true, true)),
        "ltrim" => Box::new(|values| trimmed(values, true, false)),
        "rtrim" => Box::new(|values| trimmed(values, false, true)),
        "replace" => Box::new(|values| {
            let (whole, from, to) = (text(&values[0])?, text(&values[1])?, text(&values[2])?);
            Ok(Value::Text(if from.is_empty() { whole.to_owned() } else { whole.replace(from, to) }))
        }),
        "instr" => Box::new(|values| {
            let (whole, part) = (text(&values[0])?, text(&values[1])?);
            let before = whole.find(part).map(|at| whole[..at].chars().count() + 1);
            Ok(Value::Int(i64::try_from(before.unwrap_or(0)).unwrap_or(i64::MAX)))
        }),
        "octet_length" => {
            Box::new(|values| Ok(Value::Int(i64::try_from(text(&values[0])?.len()).unwrap_or(i64::MAX))))
        }
        _ => return None,
    })
}

/// A value as the cells of those engines have it.
fn cell(value: &Value) -> Value {
    match value {
        Value::Bool(value) => Value::Int(i64::from(*value)),
        Value::Decimal(text) | Value::Json(text) => Value::Text(text.clone()),
        Value::Timestamptz(micros) | Value::Timestamp(micros) => Value::Int(*micros),
        Value::Array(_) => Value::Text(value.to_json()),
        other => other.clone(),
    }
}

/// What such a cell means.
fn of_cell(cell: Value, ty: &Type) -> Result<Value> {
    Ok(match (cell, ty) {
        (Value::Int(number), Type::Bool) => Value::Bool(number != 0),
        (Value::Int(micros), Type::Timestamptz) => Value::Timestamptz(micros),
        (Value::Int(micros), Type::Timestamp) => Value::Timestamp(micros),
        (Value::Int(number), Type::Numeric(_)) => Value::Decimal(number.to_string()),
        (Value::Text(text), Type::Numeric(_)) => Value::Decimal(text),
        (Value::Text(text), Type::Json | Type::Jsonb) => Value::Json(text),
        (other, _) => other,
    })
}
