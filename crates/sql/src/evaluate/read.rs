//! The walk over a function's expression.

use sqlparser::ast::{BinaryOperator as Binary, DataType, Expr, UnaryOperator, Value as Literal};
use truststream_kernel::{Error, Type, Value};
use truststream_services::database::{Catalog, Function, TableName};

use super::convert::{Target, converted};
use super::node::Node;
use crate::expression::{Unsupported, lone_expression, parameter_type, query_of};
use crate::schema::{ident, parts, table_name, type_in_signature, type_named, type_of};

/// How deep functions may lead to other functions.
const DEEPEST: usize = 12;

/// Something that is computed, with its type.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) ty: Type,
    /// A literal whose type is what its surroundings want; null if it is none.
    pub(super) literal: Option<Option<String>>,
}

impl Typed {
    pub(super) fn known(node: Node, ty: Type) -> Self {
        Typed { node, ty, literal: None }
    }

    pub(super) fn constant(value: Value, ty: Type) -> Self {
        Typed::known(Node::Constant(value), ty)
    }

    fn untyped(text: Option<String>) -> Self {
        let value = text.clone().map_or(Value::Null, Value::Text);
        Typed { literal: Some(text), ..Typed::constant(value, Type::Text) }
    }
}

/// A function whose body is read.
struct Frame {
    parameters: Vec<(String, Type)>,
}

/// Reads one function and those that it calls.
pub(super) struct Reader<'c> {
    pub(super) catalog: &'c Catalog,
    role: Option<&'c str>,
    /// The schema whose names need no schema: that of the function called first.
    path: Option<String>,
    frames: Vec<Frame>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(catalog: &'c Catalog, role: Option<&'c str>) -> Self {
        Reader { catalog, role, path: None, frames: Vec::new() }
    }

    /// A call of a function with these arguments, which fit.
    pub(super) fn call(&mut self, function: &Function, arguments: Vec<Typed>) -> Result<Typed, Unsupported> {
        if self.frames.len() >= DEEPEST {
            let reason = "stack depth limit exceeded: a function that calls itself";
            return Err(Unsupported::new(&function.name, reason));
        }
        if self.role.is_some_and(|role| !function.is_open_to(role)) {
            let message = format!("permission denied for function {}", function.name.name);
            return Err(Unsupported::carried(&Error::permission_denied(message)));
        }
        if function.returns.set || function.returns.composite || function.returns.void {
            return Err(Unsupported::new(&function.name, "a function of rows where one value is wanted"));
        }
        let query = query_of(function)?;
        let Some(expr) = lone_expression(&query) else {
            return Err(Unsupported::new(&function.name, "a function that reads tables, of a value at hand"));
        };
        let names = function.parameters.iter();
        let parameters =
            names.map(|one| (one.name.clone(), parameter_type(self.catalog, one))).collect::<Vec<_>>();
        let first = self.frames.is_empty();
        if first {
            self.path = Some(function.name.schema.clone());
        }
        self.enter(parameters);
        let ty = type_in_signature(self.catalog, &function.returns.type_name);
        let body = self.expr(expr).and_then(|body| converted(self.catalog, body, &ty, Target::Assigned));
        self.leave();
        if first {
            self.path = None;
        }
        let arguments: Vec<Node> = arguments.into_iter().map(|one| one.node).collect();
        let node = Node::Within(arguments, Box::new(body?.node));
        let node = match function.strict && !function.parameters.is_empty() {
            true => strict(node, function.parameters.len()),
            false => node,
        };
        let result = Typed::known(node, ty);
        match self.domain_named(&function.returns.type_name) {
            Some(domain) => self.of_domain(result, domain),
            None => Ok(result),
        }
    }

    /// Lets these be named in what is read next.
    pub(super) fn enter(&mut self, parameters: Vec<(String, Type)>) {
        self.frames.push(Frame { parameters });
    }

    /// Ends that.
    pub(super) fn leave(&mut self) {
        self.frames.pop();
    }

    /// What a name means that need not have a schema.
    pub(super) fn meant(
        &self,
        name: &sqlparser::ast::ObjectName,
        exists: impl Fn(&TableName) -> bool,
    ) -> TableName {
        let public = table_name(name);
        match (&self.path, parts(name).as_slice()) {
            (Some(schema), [only]) => {
                Some(TableName::new(schema.as_str(), only.as_str())).filter(exists).unwrap_or(public)
            }
            _ => public,
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Typed, Unsupported> {
        match expr {
            Expr::Nested(inner) => self.expr(inner),
            Expr::Identifier(name) => self.parameter(|at| at == ident(name), name),
            Expr::CompoundIdentifier(names) => match names.as_slice() {
                [_, name] => self.parameter(|at| at == ident(name), name),
                _ => Err(Unsupported::new(expr, "there is no such parameter")),
            },
            Expr::Value(value) => self.literal(&value.value),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Function(function) => self.function(function),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                let inner = self.condition(expr)?;
                Ok(Typed::known(Node::Not(Box::new(inner)), Type::Bool))
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let zero = Typed::constant(Value::Int(0), Type::Int4);
                let number = self.expr(expr)?;
                self.arithmetic(zero, &Binary::Minus, number)
            }
            Expr::IsNull(inner) => {
                let inner = self.expr(inner)?.node;
                Ok(Typed::known(Node::IsNull(Box::new(inner)), Type::Bool))
            }
            Expr::IsNotNull(inner) => {
                let inner = Node::IsNull(Box::new(self.expr(inner)?.node));
                Ok(Typed::known(Node::Not(Box::new(inner)), Type::Bool))
            }
            Expr::Extract { field, expr, .. } => self.extract(&field.to_string(), expr),
            Expr::Substring { .. } | Expr::Trim { .. } | Expr::Position { .. } => self.worded_call(expr),
            other => Err(Unsupported::new(other, "this expression is not computed in process")),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr) -> Result<Node, Unsupported> {
        let term = self.expr(expr)?;
        Ok(converted(self.catalog, term, &Type::Bool, Target::Coerced)?.node)
    }

    fn parameter(&self, is_it: impl Fn(&str) -> bool, shown: impl ToString) -> Result<Typed, Unsupported> {
        let parameters = self.frames.last().map(|frame| frame.parameters.as_slice()).unwrap_or_default();
        let at = parameters.iter().position(|(name, _)| is_it(name));
        self.argument(at, shown)
    }

    fn argument(&self, at: Option<usize>, shown: impl ToString) -> Result<Typed, Unsupported> {
        let parameters = self.frames.last().map(|frame| frame.parameters.as_slice()).unwrap_or_default();
        let found = at.and_then(|at| Some((at, parameters.get(at)?)));
        let (at, (_, ty)) = found.ok_or_else(|| Unsupported::new(shown, "there is no such parameter"))?;
        Ok(Typed::known(Node::Argument(at), ty.clone()))
    }

    fn literal(&self, value: &Literal) -> Result<Typed, Unsupported> {
        match value {
            Literal::Null => Ok(Typed::untyped(None)),
            Literal::Boolean(value) => Ok(Typed::constant(Value::Bool(*value), Type::Bool)),
            Literal::Number(digits, _) => match digits.parse::<i64>() {
                Ok(number) if i32::try_from(number).is_ok() => {
                    Ok(Typed::constant(Value::Int(number), Type::Int4))
                }
                Ok(number) => Ok(Typed::constant(Value::Int(number), Type::Int8)),
                Err(_) => {
                    let ty = Type::Numeric(None);
                    converted(self.catalog, Typed::untyped(Some(digits.clone())), &ty, Target::Coerced)
                }
            },
            Literal::Placeholder(mark) => {
                let at = mark.trim_start_matches('$').parse::<usize>().ok().and_then(|at| at.checked_sub(1));
                self.argument(at, mark)
            }
            other => match other.clone().into_string() {
                Some(text) => Ok(Typed::untyped(Some(text))),
                None => Err(Unsupported::new(other, "this kind of literal")),
            },
        }
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType) -> Result<Typed, Unsupported> {
        if let Some(domain) = self.domain_meant(data_type) {
            let ty = type_named(self.catalog, &domain.1.base);
            let value = self.expr(expr)?;
            let value = converted(self.catalog, value, &ty, Target::Cast)?;
            return self.of_domain(value, domain);
        }
        let ty = type_of(self.catalog, data_type);
        if let Some(number) = self.bits(expr, &ty)? {
            return Ok(number);
        }
        let value = self.expr(expr)?;
        converted(self.catalog, value, &ty, Target::Cast)
    }
}

/// A call of a function that is null where an argument is.
fn strict(call: Node, parameters: usize) -> Node {
    let Node::Within(arguments, body) = call else { return call };
    let nulls =
        (0..parameters).map(|at| (Node::IsNull(Box::new(Node::Argument(at))), Node::Constant(Value::Null)));
    Node::Within(arguments, Box::new(Node::Case(nulls.collect(), body)))
}
