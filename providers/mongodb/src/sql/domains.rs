//! Casts to domains with rules.

use mongodb::bson::{Bson, doc};
use sqlparser::ast::Expr;
use truststream_kernel::Result;
use truststream_services::database::{Domain, TableName};
use truststream_sql::schema::{breach, enum_table, type_named};

use super::frame::{Argument, Call};
use super::{Translator, parse};
use crate::plan::Planner;
use crate::term::{Term, Want, refusal};

impl<'a> Translator<'_, 'a> {
    /// A domain with rules by its name; one that has none is the type below it.
    pub(crate) fn domain(&self, name: &str) -> Option<(TableName, &'a Domain)> {
        let name = enum_table(&name.replace('"', ""));
        let schema: &'a crate::schema::Schema = self.planner.schema;
        let domain = schema.catalog.domains.get(&name)?;
        let ruled = domain.not_null || !domain.checks.is_empty() || self.domain(&domain.base).is_some();
        ruled.then_some((name, domain))
    }

    /// A value as a domain takes it; of another one the engine makes an error.
    pub(super) fn within_domain(
        &mut self,
        expr: &Expr,
        (name, domain): (TableName, &Domain),
    ) -> Result<Term> {
        let term = match self.domain(&domain.base) {
            Some(base) => self.within_domain(expr, base)?,
            None => {
                let ty = type_named(&self.planner.schema.catalog, &domain.base);
                self.cast_to(expr, &ty, || name.to_string())?
            }
        };
        self.ruled(term, (name, domain))
    }

    /// A value that was read, as a domain takes it.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn cast_to_domain(
        planner: &mut Planner<'_>,
        term: Term,
        (name, domain): (TableName, &Domain),
    ) -> Result<Term> {
        let translator = Translator::new(planner);
        let term = match translator.domain(&domain.base) {
            Some(base) => Translator::cast_to_domain(translator.planner, term, base)?,
            None => {
                let ty = type_named(&translator.planner.schema.catalog, &domain.base);
                translator.assigned(term, &ty)?
            }
        };
        Translator::new(planner).ruled(term, (name, domain))
    }

    /// A value that keeps the rules of a domain itself; of another one the engine makes an error.
    fn ruled(&mut self, term: Term, (name, domain): (TableName, &Domain)) -> Result<Term> {
        let shown = match name.schema.as_str() {
            "public" => name.name.clone(),
            _ => name.to_string(),
        };
        let mut broken = Vec::new();
        if domain.not_null {
            broken.push((term.is_null(Want::True), format!("domain {shown} does not allow null values")));
        }
        let floor = self.frames.len();
        self.calls.push(Call {
            name: name.name.clone(),
            schema: name.schema.clone(),
            parameters: vec![("value".to_owned(), Argument::Value(term.clone()))],
            floor,
        });
        let made = domain.checks.iter().map(|check| {
            let words = breach(&name, &check.name);
            Ok((self.truth(&parse(&check.expression)?, Want::False)?, words))
        });
        let made = made.collect::<Result<Vec<_>>>();
        self.calls.pop();
        broken.extend(made?);
        if term.is_unknown() {
            return Ok(term);
        }
        broken.retain(|(one, _)| *one != Bson::Boolean(false));
        let made = broken
            .into_iter()
            .rev()
            .fold(term.expr, |kept, (broken, words)| doc! { "$cond": [broken, refusal(words), kept] }.into());
        Ok(Term { expr: made, ..term })
    }
}
