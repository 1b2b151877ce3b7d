//! Conditions.

use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Comparison, Field, Filter, Is, Operand, Operator, Quantifier, Query};

use super::compare::is_sql;
use super::represented::Compared;
use super::{Planner, Scope, limits};

impl Planner<'_> {
    /// A condition on rows of a table; `query` has the embeds that conditions may name.
    ///
    /// # Errors
    /// 42703 for unknown columns, those of wrong literals.
    pub(super) fn filter(&mut self, scope: &Scope, query: &Query, filter: &Filter) -> Result<String> {
        match filter {
            Filter::And(all) => self.joined(scope, query, all, " AND ", "1"),
            Filter::Or(all) => self.joined(scope, query, all, " OR ", "0"),
            Filter::Not(inner) => {
                let outside = std::mem::replace(&mut self.negated, true);
                let inner = self.filter(scope, query, inner);
                self.negated = outside;
                Ok(format!("NOT {}", inner?))
            }
            Filter::Compare(comparison) => {
                if let Some(exists) = self.embed_is_null(scope, query, comparison)? {
                    return Ok(exists);
                }
                self.comparison(scope, comparison).map(|sql| format!("({sql})"))
            }
        }
    }

    fn joined(
        &mut self,
        scope: &Scope,
        query: &Query,
        all: &[Filter],
        word: &str,
        none: &str,
    ) -> Result<String> {
        if all.is_empty() {
            return Ok(none.to_owned());
        }
        let parts = all.iter().map(|one| self.filter(scope, query, one)).collect::<Result<Vec<_>>>()?;
        Ok(format!("({})", limits::joined(parts, word)))
    }

    fn comparison(&mut self, scope: &Scope, comparison: &Comparison) -> Result<String> {
        let term = self.compared(scope, &comparison.field)?;
        match (&comparison.operand, comparison.quantifier) {
            (Operand::Is(Is::Null), _) if self.schema.composite(&term.ty).is_some() => {
                Ok(format!("ts_record_nulls({}, 1)", term.sql))
            }
            (Operand::Is(Is::NotNull), _) if self.schema.composite(&term.ty).is_some() => {
                Ok(format!("ts_record_nulls({}, 0)", term.sql))
            }
            (Operand::Is(is), _) => is_sql(&term, *is),
            (Operand::List(literals), _) => self.list(&term, literals),
            (Operand::Text(text), None) => self.compare(scope, &term, &comparison.operator, text),
            (Operand::Text(text), Some(quantifier)) => {
                self.quantified(scope, &term, comparison, (quantifier, text))
            }
        }
    }

    fn quantified(
        &mut self,
        scope: &Scope,
        term: &Compared<'_>,
        comparison: &Comparison,
        (quantifier, text): (Quantifier, &str),
    ) -> Result<String> {
        let is_pattern = matches!(comparison.operator, Operator::Like | Operator::Ilike);
        if !is_pattern && term.is_read_for("=") {
            let message = "op ANY/ALL (array) requires array on right side";
            return Err(Error::new(ErrorKind::InvalidInput, "42809", message));
        }
        // How many elements there are, and which are null, decides the statement's text.
        self.recorder = None;
        let Value::Array(elements) = Value::parse(&Type::Array(Box::new(Type::Text)), text)? else {
            return Err(Error::invalid_input("an array was expected"));
        };
        limits::check_elements(elements.len())?;
        // An operator that the type has not is refused also where no element asks for it.
        let by_pattern = matches!(
            comparison.operator,
            Operator::Like | Operator::Ilike | Operator::Match | Operator::Imatch
        );
        if by_pattern || term.ty == Type::Json {
            let bound = self.parameters.len();
            self.compare(scope, term, &comparison.operator, "")?;
            self.parameters.truncate(bound);
        }
        // What is bound for the term has to be named, whatever it is compared with.
        let unknown = format!("({} = NULL)", term.sql);
        let parts = elements
            .iter()
            .map(|element| match element.to_text() {
                Some(text) => {
                    let sql = self.compare(scope, term, &comparison.operator, &text)?;
                    Ok(format!("({sql})"))
                }
                None => Ok(unknown.clone()),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(match (quantifier, parts.is_empty()) {
            (Quantifier::Any, true) => format!("{unknown} IS NOT NULL"),
            (Quantifier::All, true) => format!("{unknown} IS NULL"),
            (Quantifier::Any, false) => limits::joined(parts, " OR "),
            (Quantifier::All, false) => limits::joined(parts, " AND "),
        })
    }

    /// `clients=is.null` and `clients=not.is.null`, where `clients` is an embed.
    fn embed_is_null(&mut self, scope: &Scope, query: &Query, one: &Comparison) -> Result<Option<String>> {
        let Comparison { field: Field { name, path }, operand: Operand::Is(is), .. } = one else {
            return Ok(None);
        };
        let Some(embed) = query.embed(name).filter(|_| path.is_empty()) else {
            return Ok(None);
        };
        let exists = self.embed_exists(scope, embed)?;
        Ok(Some(match is {
            Is::Null => format!("NOT {exists}"),
            _ => exists,
        }))
    }
}
