//! Moments and dates as texts.

use mongodb::bson::{Bson, doc};
use truststream_kernel::{Result, Type};

use crate::zone;

const DAY: i64 = 86_400_000_000;
/// The first microsecond of year 1, and of year 10,000.
const YEARS: [i64; 2] = [-62_135_596_800_000_000, 253_402_300_800_000_000];

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
