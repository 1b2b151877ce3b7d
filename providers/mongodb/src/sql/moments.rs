//! Moments and dates: as texts, and as clocks of other places show them.

use mongodb::bson::{Bson, doc};
use sqlparser::ast::Expr;
use truststream_kernel::value::zone::Zone;
use truststream_kernel::{Error, ErrorKind, Result, Type};

use super::{Translator, unsupported};
use crate::term::{Term, constant, constant_of};
use crate::zone;

const DAY: i64 = 86_400_000_000;
/// The first microsecond of year 1, and of year 10,000.
const YEARS: [i64; 2] = [-62_135_596_800_000_000, 253_402_300_800_000_000];

impl Translator<'_, '_> {
    /// `at time zone`: what clocks of a place show at a moment, or when they show it. UTC's show what is
    /// kept; of others only moments that are known here.
    pub(super) fn at_time_zone(&mut self, moment: &Expr, zone: &Expr) -> Result<Term> {
        let term = self.value(moment, Some(&Type::Timestamptz))?;
        let other = match term.ty {
            Type::Timestamptz => Type::Timestamp,
            Type::Timestamp => Type::Timestamptz,
            _ => return Err(unsupported("a time zone of what is no moment", moment)),
        };
        let name = self.text(zone)?;
        if name.is_unknown() || term.is_unknown() {
            return Ok(Term::unknown(other));
        }
        let name = constant_of(&name.expr).and_then(Bson::as_str);
        let name = name.ok_or_else(|| unsupported("a time zone that is not a constant", zone))?;
        let zone = Zone::named(name).ok_or_else(|| {
            let message = format!("time zone \"{name}\" not recognized");
            Error::new(ErrorKind::InvalidInput, "22023", message)
        })?;
        match constant_of(&term.expr) {
            _ if zone.is_utc() => Ok(Term::new(term.expr, other)),
            Some(Bson::Int64(known)) if matches!(*known, i64::MIN | i64::MAX) => {
                Ok(Term::new(term.expr, other))
            }
            Some(Bson::Int64(known)) if other == Type::Timestamp => {
                Ok(Term::new(constant(zone.local(*known)), other))
            }
            Some(Bson::Int64(known)) => Ok(Term::new(constant(zone.instant(*known)), other)),
            _ => Err(unsupported("clocks of another time zone than UTC", moment)),
        }
    }
}

/// A moment, a timestamp or a date in ISO 8601, with what stands before the time and behind it; null for null.
/// Of years that have no four digits the engine makes an error.
pub(super) fn moment(stored: &Bson, ty: &Type, [before, behind]: [&str; 2]) -> Result<Bson> {
    let date = *ty == Type::Date;
    if *ty == Type::Timestamptz {
        zone::only_utc("text of moments")?;
    }
    let (least, most) = if date { (i64::from(i32::MIN), i64::from(i32::MAX)) } else { (i64::MIN, i64::MAX) };
    let (first, end) = if date { (YEARS[0] / DAY, YEARS[1] / DAY) } else { (YEARS[0], YEARS[1]) };
    let text: Bson = if date {
        doc! { "$dateToString": {
            "date": { "$toDate": { "$multiply": ["$$m", Bson::Int64(DAY / 1_000)] } },
            "format": "%Y-%m-%d",
        } }
        .into()
    } else {
        timestamp(before, behind)
    };
    let beyond =
        doc! { "$toInt": { "$concat": ["a year of other than four digits: ", { "$toString": "$$m" }] } };
    Ok(doc! { "$let": {
        "vars": { "m": { "$ifNull": [stored.clone(), Bson::Null] } },
        "in": { "$switch": { "branches": [
            { "case": { "$eq": ["$$m", Bson::Null] }, "then": Bson::Null },
            { "case": { "$eq": ["$$m", Bson::Int64(most)] }, "then": "infinity" },
            { "case": { "$eq": ["$$m", Bson::Int64(least)] }, "then": "-infinity" },
            { "case": { "$or": [
                { "$lt": ["$$m", Bson::Int64(first)] }, { "$gte": ["$$m", Bson::Int64(end)] },
            ] }, "then": beyond },
        ], "default": text } },
    } }
    .into())
}

/// The text of `$$m`, microseconds; what the engine's dates are too coarse for is written behind the second.
fn timestamp(before: &str, behind: &str) -> Bson {
    let second = Bson::Int64(1_000_000);
    let within =
        doc! { "$mod": [{ "$add": [{ "$mod": ["$$m", second.clone()] }, second.clone()] }, second.clone()] };
    // A number of whole seconds has few enough digits to be divided without loss.
    let whole = doc! { "$toLong": { "$divide": [{ "$subtract": ["$$m", "$$f"] }, 1_000] } };
    let digits = doc! { "$substrCP": [{ "$toString": { "$add": ["$$f", second] } }, 1, 6] };
    let fraction = doc! { "$cond": [
        { "$eq": ["$$f", 0] },
        "",
        { "$concat": [".", { "$rtrim": { "input": digits, "chars": "0" } }] },
    ] };
    doc! { "$let": {
        "vars": { "f": within },
        "in": { "$concat": [
            { "$dateToString": { "date": { "$toDate": whole }, "format": format!("%Y-%m-%d{before}%H:%M:%S") } },
            fraction,
            behind,
        ] },
    } }
    .into()
}
