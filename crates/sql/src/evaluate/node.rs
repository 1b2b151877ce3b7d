//! What is computed: a tree that was read from an expression.

use truststream_kernel::{Error, Result, Value};

use crate::raised::kind_of;

/// What a strict operation makes of values of which none is null.
pub(super) type Operation = Box<dyn Fn(&[Value]) -> Result<Value> + Send + Sync>;

pub(super) enum Node {
    Constant(Value),
    /// What the function within which it stands is called with.
    Argument(usize),
    /// Null where an argument is.
    Strict(Operation, Vec<Node>),
    /// Conditions with what is then, and what is otherwise.
    Case(Vec<(Node, Node)>, Box<Node>),
    /// The first that is not null.
    First(Vec<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    /// The second, called with the first.
    Within(Vec<Node>, Box<Node>),
    /// A value, unless it is broken by a rule of which it is the argument.
    Rule {
        value: Box<Node>,
        broken: Box<Node>,
        code: &'static str,
        message: String,
    },
    /// An error: its code and message.
    Raise(Box<Node>, Box<Node>),
}

impl Node {
    pub(super) fn value(&self, arguments: &[Value]) -> Result<Value> {
        match self {
            Node::Constant(value) => Ok(value.clone()),
            Node::Argument(at) => Ok(arguments.get(*at).cloned().unwrap_or(Value::Null)),
            Node::Strict(operation, nodes) => {
                let values = all(nodes, arguments)?;
                if values.contains(&Value::Null) { Ok(Value::Null) } else { operation(&values) }
            }
            Node::Case(branches, otherwise) => {
                for (condition, then) in branches {
                    if condition.value(arguments)? == Value::Bool(true) {
                        return then.value(arguments);
                    }
                }
                otherwise.value(arguments)
            }
            Node::First(nodes) => {
                for node in nodes {
                    let value = node.value(arguments)?;
                    if value != Value::Null {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Node::And(left, right) => match left.value(arguments)? {
                Value::Bool(false) => Ok(Value::Bool(false)),
                left => Ok(match (left, right.value(arguments)?) {
                    (_, Value::Bool(false)) => Value::Bool(false),
                    (Value::Null, _) | (_, Value::Null) => Value::Null,
                    _ => Value::Bool(true),
                }),
            },
            Node::Not(inner) => Ok(match inner.value(arguments)? {
                Value::Bool(value) => Value::Bool(!value),
                other => other,
            }),
            Node::IsNull(inner) => Ok(Value::Bool(inner.value(arguments)? == Value::Null)),
            Node::Within(given, body) => body.value(&all(given, arguments)?),
            Node::Rule { value, broken, code, message } => {
                let value = value.value(arguments)?;
                if broken.value(std::slice::from_ref(&value))? == Value::Bool(true) {
                    return Err(Error::new(kind_of(code), *code, message.clone()));
                }
                Ok(value)
            }
            Node::Raise(code, message) => {
                let text = |node: &Node| -> Result<String> {
                    Ok(node.value(arguments)?.to_text().unwrap_or_default())
                };
                let (code, message) = (text(code)?, text(message)?);
                Err(Error::new(kind_of(&code), code, message))
            }
        }
    }
}

fn all(nodes: &[Node], arguments: &[Value]) -> Result<Vec<Value>> {
    nodes.iter().map(|node| node.value(arguments)).collect()
}
