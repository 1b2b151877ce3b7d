//! Conditions.

use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Comparison, Field, Filter, Is, Operand, Operator, Quantifier, Query};

use super::field::{Term, rank};
use super::{Planner, Scope};

impl Planner<'_> {
    /// A condition on rows of a table; `query` has the embeds that conditions may name.
    ///
    /// # Errors
    /// 42703 for unknown columns, those of wrong literals.
    pub(super) fn filter(&mut self, scope: &Scope, query: &Query, filter: &Filter) -> Result<String> {
        match filter {
            Filter::And(all) => self.joined(scope, query, all, " AND ", "1"),
            Filter::Or(all) => self.joined(scope, query, all, " OR ", "0"),
            Filter::Not(inner) => Ok(format!("NOT {}", self.filter(scope, query, inner)?)),
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
        Ok(format!("({})", parts.join(word)))
    }

    fn comparison(&mut self, scope: &Scope, comparison: &Comparison) -> Result<String> {
        let term = self.term(scope, &comparison.field)?;
        match (&comparison.operand, comparison.quantifier) {
            (Operand::Is(is), _) => Ok(is_sql(&term.sql, *is)),
            (Operand::List(literals), _) => self.list(&term, literals),
            (Operand::Text(text), None) => self.compare(&term, &comparison.operator, text),
            (Operand::Text(text), Some(quantifier)) => self.quantified(&term, comparison, quantifier, text),
        }
    }

    fn list(&mut self, term: &Term, literals: &[String]) -> Result<String> {
        if literals.is_empty() {
            return Ok("0".to_owned());
        }
        let bound =
            literals.iter().map(|text| self.literal(&term.ty, text)).collect::<Result<Vec<_>>>()?.join(", ");
        let collation = if matches!(term.ty, Type::Numeric(_)) { " COLLATE DECIMAL" } else { "" };
        Ok(format!("{}{collation} IN ({bound})", term.sql))
    }

    fn quantified(
        &mut self,
        term: &Term,
        comparison: &Comparison,
        quantifier: Quantifier,
        text: &str,
    ) -> Result<String> {
        // How many elements there are, and which are null, decides the statement's text.
        self.recorder = None;
        let Value::Array(elements) = Value::parse(&Type::Array(Box::new(Type::Text)), text)? else {
            return Err(Error::invalid_input("an array was expected"));
        };
        let parts = elements
            .iter()
            .map(|element| match element.to_text() {
                Some(text) => self.compare(term, &comparison.operator, &text).map(|sql| format!("({sql})")),
                None => Ok("NULL".to_owned()),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(match (quantifier, parts.is_empty()) {
            (Quantifier::Any, true) => "0".to_owned(),
            (Quantifier::All, true) => "1".to_owned(),
            (Quantifier::Any, false) => parts.join(" OR "),
            (Quantifier::All, false) => parts.join(" AND "),
        })
    }

    fn compare(&mut self, term: &Term, operator: &Operator, text: &str) -> Result<String> {
        let sql = &term.sql;
        match operator {
            Operator::Eq | Operator::Neq | Operator::IsDistinct => self.equality(term, operator, text),
            Operator::Gt => self.ordered(term, ">", text),
            Operator::Gte => self.ordered(term, ">=", text),
            Operator::Lt => self.ordered(term, "<", text),
            Operator::Lte => self.ordered(term, "<=", text),
            Operator::Like => self.pattern(term, "ts_like", text),
            Operator::Ilike => self.pattern(term, "ts_ilike", text),
            Operator::Match => self.pattern(term, "ts_match", text),
            Operator::Imatch => self.pattern(term, "ts_imatch", text),
            Operator::In => self.list(term, std::slice::from_ref(&text.to_owned())),
            Operator::Is => Err(Error::invalid_input("is takes null, true, false or unknown")),
            Operator::Contains | Operator::ContainedBy | Operator::Overlaps => {
                let literal = self.literal(&term.ty, text)?;
                let function = match (&term.ty, operator) {
                    (Type::Jsonb, Operator::Contains | Operator::ContainedBy) => "ts_json_contains",
                    (Type::Array(_), Operator::Overlaps) => "ts_array_overlaps",
                    (Type::Array(_), _) => "ts_array_contains",
                    _ => return Err(no_operator(operator, &term.ty)),
                };
                Ok(match operator {
                    Operator::ContainedBy => format!("{function}({literal}, {sql})"),
                    _ => format!("{function}({sql}, {literal})"),
                })
            }
            _ => Err(Error::unsupported("this database has no full-text search and no ranges")),
        }
    }

    fn equality(&mut self, term: &Term, operator: &Operator, text: &str) -> Result<String> {
        let literal = self.literal(&term.ty, text)?;
        let sql = &term.sql;
        let sign = match operator {
            Operator::Eq => "=",
            Operator::Neq => "<>",
            _ => "IS NOT",
        };
        Ok(match &term.ty {
            Type::Numeric(_) => format!("{sql} {sign} {literal} COLLATE DECIMAL"),
            Type::Jsonb => match operator {
                Operator::Eq => format!("ts_json_equal({sql}, {literal})"),
                Operator::Neq => format!("NOT ts_json_equal({sql}, {literal})"),
                _ => format!("coalesce(NOT ts_json_equal({sql}, {literal}), {sql} IS NOT {literal})"),
            },
            Type::Json => return Err(no_operator(operator, &term.ty)),
            Type::Interval => format!("ts_interval_span({sql}) {sign} ts_interval_span({literal})"),
            _ => format!("{sql} {sign} {literal}"),
        })
    }

    fn ordered(&mut self, term: &Term, sign: &str, text: &str) -> Result<String> {
        let left = self.comparable(term);
        let literal = self.literal(&term.ty, text)?;
        let right = match (self.schema.labels(&term.ty), &term.ty) {
            (Some(labels), _) => rank(&literal, labels),
            (None, Type::Interval) => format!("ts_interval_span({literal})"),
            _ => literal,
        };
        Ok(format!("{left} {sign} {right}"))
    }

    fn pattern(&mut self, term: &Term, function: &str, text: &str) -> Result<String> {
        if !matches!(term.ty, Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Other(_)) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "42883",
                format!("operator does not exist: {} ~~ unknown", term.ty),
            ));
        }
        let literal = self.literal(&Type::Text, text)?;
        Ok(format!("{function}({}, {literal})", term.sql))
    }

    /// `clients=is.null` and `clients=not.is.null`, where `clients` is an embed.
    fn embed_is_null(&mut self, scope: &Scope, query: &Query, one: &Comparison) -> Result<Option<String>> {
        let Comparison { field: Field { name, path }, operand: Operand::Is(is), .. } = one else {
            return Ok(None);
        };
        let Some(embed) = super::embed::named(query, name).filter(|_| path.is_empty()) else {
            return Ok(None);
        };
        let exists = self.embed_exists(scope, embed)?;
        Ok(Some(match is {
            Is::Null => format!("NOT {exists}"),
            _ => exists,
        }))
    }
}

fn is_sql(sql: &str, is: Is) -> String {
    match is {
        Is::Null | Is::Unknown => format!("{sql} IS NULL"),
        Is::NotNull => format!("{sql} IS NOT NULL"),
        Is::True => format!("{sql} IS 1"),
        Is::False => format!("{sql} IS 0"),
    }
}

fn no_operator(operator: &Operator, ty: &Type) -> Error {
    let sign = match operator {
        Operator::Contains => "@>",
        Operator::ContainedBy => "<@",
        Operator::Overlaps => "&&",
        Operator::Neq => "<>",
        _ => "=",
    };
    Error::new(ErrorKind::InvalidInput, "42883", format!("operator does not exist: {ty} {sign} unknown"))
}
