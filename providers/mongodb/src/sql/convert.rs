//! Values of one type as another, row by row.

use mongodb::bson::{Bson, doc};
use truststream_kernel::{Result, Type};

use super::moments::moment;
use super::numbers::{bounded, nearest};
use super::value::{Family, family};
use super::{Translator, call, unsupported};
use crate::cast::cast;
use crate::plan::Planner;
use crate::record;
use crate::term::{Term, Want, reckoned, refusal};
use crate::zone;

impl Translator<'_, '_> {
    /// A value as a column, a parameter or a result of a type takes it.
    pub(super) fn assigned(&self, term: Term, ty: &Type) -> Result<Term> {
        self.converted(term, ty, || ty.sql_name())
    }

    /// The same outside of an expression.
    ///
    /// # Errors
    /// 0A000 for a cast that there is nothing for.
    pub(crate) fn cast_of(planner: &mut Planner<'_>, term: Term, ty: &Type) -> Result<Term> {
        Translator::new(planner).assigned(term, ty)
    }

    pub(super) fn converted(&self, term: Term, to: &Type, shown: impl Fn() -> String) -> Result<Term> {
        if term.ty == *to {
            return Ok(term);
        }
        if family(&term.ty) == Family::Json && family(to) == Family::Json {
            return Ok(Term::new(term.expr, to.clone()));
        }
        if term.is_unknown() {
            return Ok(Term::unknown(to.clone()));
        }
        let catalog = &self.planner.schema.catalog;
        if let Some(value) = term.known()? {
            return Term::given(catalog, &cast(catalog, value, &term.ty, to)?, to);
        }
        use Type::{
            Bool, Date, Enum, Float4, Float8, Int2, Int4, Int8, Numeric, Text, Timestamp, Timestamptz,
            Varchar,
        };
        const DAY: i64 = 86_400_000_000;
        let expr = term.expr.clone();
        let exact = match (&term.ty, to) {
            (Int2 | Int4 | Int8, Int8) | (Int2, Int4) => expr,
            (Int2 | Int4 | Int8, Numeric(None)) => call("$toDecimal", expr),
            (Int2 | Int4 | Int8 | Numeric(_), Numeric(Some(digits))) => bounded(&term, *digits)?,
            (Int2 | Int4 | Int8 | Numeric(_), Float8) => call("$toDouble", expr),
            (Numeric(_), Numeric(None)) | (Float4, Float8) => expr,
            (Int2 | Int4 | Int8, Text) => call("$toString", expr),
            // Of what is no whole number the engine makes an error.
            (Text | Varchar(_), Int8) => call("$toLong", expr),
            (Text | Varchar(_), Int4) => narrowed(call("$toLong", expr), to),
            (Int8, Int4) | (Int8 | Int4, Int2) => narrowed(expr, to),
            (Numeric(_), Int2 | Int4 | Int8) => call("$toLong", narrowed(nearest(&term)?, to)),
            // Halves go to the even number, unlike those of decimals.
            (Float4 | Float8, Int2 | Int4 | Int8) => {
                let nearest = call("$round", vec![reckoned(&expr), 0.into()]);
                call("$toLong", narrowed(nearest, to))
            }
            (Varchar(_) | Text | Enum(_), Text) | (Text | Varchar(_), Varchar(None)) => expr,
            (Bool, Text) => {
                let text = call("$cond", vec![expr, "true".into(), "false".into()]);
                call("$cond", vec![term.is_null(Want::True), Bson::Null, text])
            }
            (Bool, Int4) => {
                let number = call("$cond", vec![expr, 1.into(), 0.into()]);
                call("$cond", vec![term.is_null(Want::True), Bson::Null, number])
            }
            (Timestamptz, Timestamp) | (Timestamp, Timestamptz) => {
                zone::only_utc("casts of moments")?;
                expr
            }
            (Date, Timestamptz) => {
                zone::only_utc("casts of dates")?;
                call("$multiply", vec![expr, Bson::Int64(DAY)])
            }
            (Date, Timestamp) => call("$multiply", vec![expr, Bson::Int64(DAY)]),
            (Timestamptz, Text) => moment(&expr, &term.ty, [" ", "+00"])?,
            (Timestamp | Date, Text) => moment(&expr, &term.ty, [" ", ""])?,
            (ty, Text) if record::is_record(catalog, ty) => record::text(catalog, &term)?,
            _ => return Err(unsupported("this cast", shown())),
        };
        Ok(Term::new(exact, to.clone()))
    }
}

/// A number within the bounds of a type of whole numbers.
fn narrowed(number: Bson, ty: &Type) -> Bson {
    let (least, most) = match ty {
        Type::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let within = doc! { "$and": [{ "$gte": ["$$n", least] }, { "$lte": ["$$n", most] }] };
    let none = doc! { "$lte": ["$$n", Bson::Null] };
    let refused = refusal(format!("{} out of range", ty.sql_name()));
    let narrowed = doc! { "$cond": [{ "$or": [none, within] }, "$$n", refused] };
    let known = doc! { "$ifNull": [number, Bson::Null] };
    doc! { "$let": { "vars": { "n": known }, "in": narrowed } }.into()
}
