//! Calls of functions that are more than a query: run for themselves, between two steps.

use sqlparser::ast::Expr;
use truststream_kernel::Result;
use truststream_services::database::Function;

use super::names::mark;
use super::{Compiler, Op, Statement};
use crate::expression::{Term, parameter_type, parse, result_columns};
use crate::plpgsql::Step;

impl Compiler<'_, '_, '_> {
    /// A step whose whole value is a call that can't be a part of a query; `None` if it is none.
    pub(super) fn calling(&mut self, step: &Step) -> Result<Option<Vec<Op>>> {
        let (text, variable) = match step {
            Step::Sql(sql) => (after_select(sql), None),
            Step::Set { variable, value } => (Some(value.as_str()), Some(variable)),
            Step::Into { variables, sql, .. } if variables.len() == 1 => {
                (after_select(sql), variables.first())
            }
            Step::Return(value) if !self.function.returns.composite && !self.function.returns.void => {
                (Some(value.as_str()), None)
            }
            _ => (None, None),
        };
        let Some(Ok(Expr::Function(call))) = text.map(parse) else { return Ok(None) };
        let (place, terms) = self.named(|translator| {
            let (function, terms) = translator.chosen_call(&call)?;
            let all = &translator.catalog().functions;
            Ok((all.iter().position(|one| std::ptr::eq(one, function)), terms))
        })?;
        let catalog = self.translator.catalog();
        let Some((place, function)) = place.and_then(|place| Some((place, catalog.functions.get(place)?)))
        else {
            return Ok(None);
        };
        if !is_callable(function) {
            return Ok(None);
        }
        let mut arguments = Vec::with_capacity(terms.len());
        for (term, parameter) in terms.into_iter().zip(&function.parameters) {
            let ty = parameter_type(catalog, parameter);
            arguments.push(format!("SELECT {}", self.translator.assigned(term, &ty)?.sql));
        }
        let cell = self.names.cell();
        let mut ops = vec![Op::Call { place, arguments, cell }];
        let ty = result_columns(catalog, function)?.swap_remove(0).1;
        let answer = Term::new(mark(cell), ty);
        match (step, variable) {
            (Step::Return(_), _) => {
                let sql = self.translator.assigned(answer, &self.columns[0].1)?.sql;
                ops.push(Op::Return(Some(format!("SELECT {sql}"))));
            }
            (_, Some(variable)) => {
                let (cell, ty) = self.variable(variable)?;
                ops.push(Op::Set(cell, format!("SELECT {}", self.translator.assigned(answer, &ty)?.sql)));
            }
            _ => {}
        }
        if matches!(step, Step::Sql(_) | Step::Into { .. }) {
            // One row was found.
            ops.push(Op::Run(Statement { sql: "SELECT 1".to_owned(), written: None }));
        }
        Ok(Some(ops))
    }
}

/// What `select` alone stands before.
fn after_select(sql: &str) -> Option<&str> {
    let rest = sql.get(..6).filter(|word| word.eq_ignore_ascii_case("select")).map(|_| &sql[6..])?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim())
}

/// Whether a function answers with one value, by statements.
fn is_callable(function: &Function) -> bool {
    let returns = &function.returns;
    let language = matches!(function.language.as_str(), "sql" | "plpgsql");
    language && !returns.set && !returns.composite && returns.type_name != "trigger"
}
