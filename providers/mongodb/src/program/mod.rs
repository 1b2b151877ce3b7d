//! Bodies in PL/pgSQL: run in process, step by step; their expressions and statements are translated with the
//! variables' values in place of their names, and computed by the server where they are not known here.

mod check;
mod fire;
mod loops;
mod names;
mod step;

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::Expr;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::Function;
use truststream_sql::plpgsql::{Body, Flow, read_whole};

use crate::cast::cast;
use crate::invoke::Called;
use crate::schema::Schema;
use crate::sql::{Translator, parse, stored_form};
use crate::storage;
use crate::work::Work;

pub(crate) use check::{check, check_triggers};
pub(crate) use fire::{Event, Fired, triggers};
use names::Names;

/// Rows that a body gives at most.
const MOST: usize = 100_000;

/// How a step ended: the body, with the row that a trigger returns.
type Ended = Flow<Option<String>>;

/// A body that runs.
struct Run<'r> {
    work: &'r mut Work,
    schema: &'r Schema,
    function: &'r Function,
    /// The columns of what it gives.
    columns: &'r [(String, Type)],
    names: Names,
    given: Vec<Document>,
    /// Whether it must not write.
    read_only: bool,
    /// How many rows the last statement was about.
    count: usize,
}

/// The body of a function.
///
/// # Errors
/// 0A000 with the line of what is not understood.
fn body_of(function: &Function, text: &str) -> Result<Body> {
    read_whole(text).map_err(|fault| {
        Error::unsupported(format!(
            "function {}: line {}: {} runs on PostgreSQL only",
            function.name, fault.line, fault.text
        ))
    })
}

impl Work {
    /// Runs a function in PL/pgSQL with these arguments: the rows it gives.
    ///
    /// # Errors
    /// Those of its statements, what it raises; 2F005 if it ends without the value it owes.
    pub(crate) async fn program(
        &mut self,
        schema: &Schema,
        function: &Function,
        values: &[Value],
        (columns, read_only): (&[(String, Type)], bool),
    ) -> Result<Vec<Document>> {
        let body = body_of(function, function.body.as_deref().unwrap_or_default())?;
        let mut names = Names::of(&schema.catalog, function, Some(values));
        names.declare("found", Type::Bool, Some(Value::Bool(false)));
        let owner = self.owner;
        self.owner |= function.security_definer;
        let mut run =
            Run { work: self, schema, function, columns, names, given: Vec::new(), read_only, count: 0 };
        let ended = run.whole(&body).await;
        let given = std::mem::take(&mut run.given);
        self.owner = owner;
        match ended? {
            Flow::Over(_) => Ok(given),
            _ if function.returns.set || function.returns.void => Ok(given),
            _ => {
                let message = "control reached end of function without RETURN";
                Err(Error::new(ErrorKind::InvalidInput, "2F005", message))
            }
        }
    }

    /// The value of an expression of a function that is called for itself.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated, those of computing it.
    pub(crate) async fn value_of(
        &mut self,
        schema: &Schema,
        (function, arguments): Called<'_>,
        expr: &Expr,
        ty: &Type,
    ) -> Result<Value> {
        let (term, mut stages) =
            Translator::value_of_call(&mut self.planner(schema), function, arguments, expr, ty)?;
        let known = if stages.is_empty() { term.known()? } else { None };
        let value = match known {
            Some(value) => value,
            None => {
                stages.push(doc! { "$project": { "_id": 0, "v": stored_form(&term) } });
                let found = self.evaluated(&[Document::new()], stages).await?;
                storage::value(found.first().and_then(|one| one.get("v")).unwrap_or(&Bson::Null), &term.ty)?
            }
        };
        cast(&schema.catalog, value, &term.ty, ty)
    }
}

impl Run<'_> {
    /// The value of an expression, as a type.
    async fn value(&mut self, text: &str, ty: &Type) -> Result<Value> {
        if self.work.cx.remaining().is_some_and(|left| left.is_zero()) {
            return Err(Error::timeout(format!("function {} ran too long", self.function.name)));
        }
        let (function, arguments) = self.names.called(&self.schema.catalog, self.function)?;
        let expr = parse(text)?;
        self.work.value_of(self.schema, (&function, &arguments), &expr, ty).await
    }

    async fn holds(&mut self, test: &str) -> Result<bool> {
        Ok(self.value(test, &Type::Bool).await? == Value::Bool(true))
    }

    fn give(&mut self, rows: Vec<Document>) -> Result<()> {
        self.given.extend(rows);
        if self.given.len() > MOST {
            let message = format!("function {} has too many rows at hand", self.function.name);
            return Err(Error::new(ErrorKind::TooLarge, "54000", message));
        }
        Ok(())
    }
}
