//! Settings: what functions say for the rest of the transaction, and of the reply.

use sqlparser::ast::{
    Expr, Function as Call, FunctionArg, FunctionArgExpr, FunctionArguments, Set, Statement, Value as Literal,
};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::Page;
use truststream_sql::response;

use super::Called;
use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::{Translator, lone_expression};
use crate::work::Work;

/// The name and the value that a statement sets: `set local "a.b" = 'c'`, `select set_config('a.b', 'c', true)`.
pub(crate) fn setting(statement: &Statement) -> Option<(Expr, Expr)> {
    match statement {
        Statement::Set(Set::SingleAssignment { variable, values, .. }) => {
            let parts = variable.0.iter().filter_map(|part| part.as_ident());
            let name = parts.map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
            let [value] = values.as_slice() else { return None };
            Some((Expr::Value(Literal::SingleQuotedString(name).into()), value.clone()))
        }
        Statement::Query(query) => match lone_expression(query)? {
            Expr::Function(call) if names_set_config(call) => {
                let FunctionArguments::List(list) = &call.args else { return None };
                let plain = |argument: &FunctionArg| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                };
                let mut arguments = list.args.iter().map(plain);
                Some((arguments.next()??, arguments.next()??))
            }
            _ => None,
        },
        _ => None,
    }
}

fn names_set_config(call: &Call) -> bool {
    let name = call.name.to_string().to_lowercase();
    name.strip_prefix("pg_catalog.").unwrap_or(&name) == "set_config"
}

/// Whether a setting can be made.
///
/// # Errors
/// What can't be translated.
pub(crate) fn check(
    planner: &mut Planner<'_>,
    (function, arguments): Called<'_>,
    (name, value): &(Expr, Expr),
) -> Result<()> {
    Translator::value_of_call(planner, function, arguments, name, &Type::Text)?;
    Translator::value_of_call(planner, function, arguments, value, &Type::Text).map(drop)
}

impl Work {
    /// Makes a setting, and gives its value.
    ///
    /// # Errors
    /// 42704 for a name that PostgreSQL has its own settings by.
    pub(crate) async fn set(
        &mut self,
        schema: &Schema,
        called: Called<'_>,
        (name, value): &(Expr, Expr),
    ) -> Result<String> {
        let name = self.text_of(schema, called, name).await?;
        if !name.contains('.') {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            return Err(Error::new(ErrorKind::NotFound, "42704", message));
        }
        let value = self.text_of(schema, called, value).await?;
        self.settings.insert(name, value.clone());
        Ok(value)
    }

    async fn text_of(&mut self, schema: &Schema, called: Called<'_>, expr: &Expr) -> Result<String> {
        Ok(self.value_of(schema, called, expr, &Type::Text).await?.to_text().unwrap_or_default())
    }

    /// The page with what functions said of the reply.
    ///
    /// # Errors
    /// PGRST111 and PGRST112 for what no reply can have.
    pub(crate) fn replied(&self, page: Page) -> Result<Page> {
        let said = |name: &str| self.settings.get(name).map(String::as_str);
        let status = response::status(said("response.status"))?.or(page.status);
        let headers = response::headers(said("response.headers"))?;
        Ok(Page { status, headers, ..page })
    }
}
