//! Parts of moments: `extract`, `date_part`, `date_trunc`.

use sqlparser::ast::Expr;
use truststream_kernel::Type;

use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::literal;

/// What can be taken of a moment.
const FIELDS: &[&str] = &[
    "century",
    "day",
    "decade",
    "dow",
    "doy",
    "epoch",
    "hour",
    "isodow",
    "microseconds",
    "milliseconds",
    "minute",
    "month",
    "quarter",
    "second",
    "week",
    "year",
];

/// What a moment can be cut to.
const UNITS: &[&str] =
    &["microseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];

impl Translator<'_> {
    /// `extract(field from moment)`
    pub(super) fn extract(&mut self, field: &str, expr: &Expr) -> Result<Term, Unsupported> {
        let moment = self.expr(expr)?;
        self.part(field, &moment)
    }

    fn part(&self, field: &str, moment: &Term) -> Result<Term, Unsupported> {
        let field = field.to_lowercase();
        let known = FIELDS.contains(&field.as_str());
        if let (true, Some(Type::Interval)) = (known, moment.known()) {
            let sql = format!("ts_interval_extract({}, {})", literal(&field), moment.sql);
            return Ok(Term::new(sql, Type::Numeric(None)));
        }
        let moment = match moment.known() {
            Some(Type::Timestamptz) if field != "epoch" => self.cast_to(moment.clone(), &Type::Timestamp)?,
            Some(Type::Timestamptz | Type::Timestamp) => moment.clone(),
            Some(Type::Date) => self.cast_to(moment.clone(), &Type::Timestamp)?,
            _ => return Err(Unsupported::new(&moment.sql, "a part of anything but a moment")),
        };
        if !known {
            return Err(Unsupported::new(field, "this part of a moment"));
        }
        Ok(Term::new(format!("ts_extract({}, {})", literal(&field), moment.sql), Type::Numeric(None)))
    }

    /// `date_part(field, moment)`, `date_trunc(unit, moment)`
    pub(super) fn of_moment(&self, name: &str, terms: &[Term]) -> Result<Option<Term>, Unsupported> {
        let [word, moment] = terms else { return Ok(None) };
        let super::TermType::Literal(word) = &word.ty else { return Ok(None) };
        match name {
            "date_part" => {
                let part = self.part(word, moment)?;
                Ok(Some(Term::new(format!("CAST({} AS REAL)", part.sql), Type::Float8)))
            }
            "date_trunc" if UNITS.contains(&word.to_lowercase().as_str()) => {
                let ty = match moment.known() {
                    Some(Type::Timestamp) => Type::Timestamp,
                    Some(Type::Timestamptz | Type::Date) => Type::Timestamptz,
                    _ => return Ok(None),
                };
                let local = self.cast_to(moment.clone(), &Type::Timestamp)?;
                let cut = format!("ts_truncate({}, {})", literal(&word.to_lowercase()), local.sql);
                self.coerced(Term::new(cut, Type::Timestamp), &ty).map(Some)
            }
            _ => Ok(None),
        }
    }
}
