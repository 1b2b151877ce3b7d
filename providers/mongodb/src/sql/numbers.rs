//! Arithmetic of numbers. That of `numeric` is exact and has PostgreSQL's scales, or the engine makes an error:
//! its decimals hold 34 digits.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{BinaryOperator, Expr};
use truststream_kernel::{Error, Result, Type};

use super::value::{Family, family};
use super::{Translator, call, unsupported};
use crate::storage::decimal128;
use crate::term::{Term, constant, constant_of, refusal};

/// Digits of a decimal.
const DIGITS: i32 = 34;
/// Powers of ten that are told from one another.
const POWERS: i32 = 36;
/// What is said of numbers that the engine's decimals do not hold.
const BEYOND: &str = "this database reckons with no numbers of more than 34 digits, NaN and infinity";

/// What a number becomes where another kind of it is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Int,
    Long,
    Numeric,
    Float,
}

fn rank(ty: &Type) -> Option<Rank> {
    Some(match ty {
        Type::Int2 | Type::Int4 => Rank::Int,
        Type::Int8 => Rank::Long,
        Type::Numeric(_) => Rank::Numeric,
        Type::Float4 | Type::Float8 => Rank::Float,
        _ => return None,
    })
}

impl Translator<'_, '_> {
    pub(super) fn arithmetic(&self, op: BinaryOperator, left: Term, right: Term) -> Result<Term> {
        let ranks = rank(&left.ty).zip(rank(&right.ty));
        let Some((one, other)) = ranks else { return Err(unsupported("this arithmetic", op)) };
        let word = match op {
            BinaryOperator::Plus => "$add",
            BinaryOperator::Minus => "$subtract",
            BinaryOperator::Multiply => "$multiply",
            BinaryOperator::Divide => "$divide",
            BinaryOperator::Modulo => "$mod",
            op => return Err(unsupported("this arithmetic", op)),
        };
        let (ty, expr) = match (one.max(other), word) {
            (Rank::Float, "$divide" | "$mod") => return Err(unsupported("this arithmetic", op)),
            (Rank::Float, word) => {
                let sides = [(one, left), (other, right)].map(|(rank, side)| match rank {
                    Rank::Numeric => call("$toDouble", side.expr),
                    _ => side.expr,
                });
                (Type::Float8, call(word, sides.to_vec()))
            }
            (Rank::Numeric, "$divide") => (Type::Numeric(None), quotient(&left, &right)?),
            (Rank::Numeric, "$mod") => (Type::Numeric(None), rest(&left, &right)?),
            (Rank::Numeric, word) => (Type::Numeric(None), exact(word, &left, &right)?),
            (Rank::Long, "$divide") => {
                // Decimals hold what these are exactly.
                let sides = [left, right].map(|side| call("$toDecimal", side.expr));
                (Type::Int8, whole(call(word, sides.to_vec())))
            }
            (Rank::Long, word) => (Type::Int8, call(word, vec![left.expr, right.expr])),
            // So do doubles.
            (Rank::Int, "$divide") => (Type::Int4, whole(call(word, vec![left.expr, right.expr]))),
            (Rank::Int, word) => (Type::Int4, call(word, vec![left.expr, right.expr])),
        };
        Ok(Term::new(expr, ty))
    }

    /// `round(number)` and `round(number, digits)`, of decimals.
    pub(super) fn rounding(&mut self, number: &Expr, digits: Option<&Expr>) -> Result<Term> {
        let number = self.value(number, None)?;
        let digits = match digits {
            Some(digits) => self.value(digits, Some(&Type::Int4))?.expr,
            None => constant(0_i64),
        };
        let scale = match constant_of(&digits) {
            Some(Bson::Int64(digits)) => i32::try_from(*digits).ok().filter(|digits| *digits >= 0),
            _ => None,
        };
        let decimal = family(&number.ty) == Family::Number && rank(&number.ty) != Some(Rank::Float);
        match scale.filter(|_| decimal) {
            Some(scale) => Ok(Term::new(rounded(&finite(&number)?, scale)?, Type::Numeric(None))),
            None => Err(unsupported("this rounding", number.ty.sql_name())),
        }
    }
}

fn whole(number: Bson) -> Bson {
    call("$toLong", call("$trunc", number))
}

fn within(vars: Document, result: impl Into<Bson>) -> Bson {
    doc! { "$let": { "vars": vars, "in": result.into() } }.into()
}

fn decimal(text: &str) -> Result<Bson> {
    decimal128(text).map(constant)
}

/// A number as a decimal; of what is none here the engine makes an error.
fn finite(number: &Term) -> Result<Bson> {
    if let Some(known @ (Bson::Decimal128(_) | Bson::Int64(_) | Bson::Null)) = constant_of(&number.expr)
        && !known.to_string().contains("Inf")
    {
        return Ok(call("$toDecimal", number.expr.clone()));
    }
    if rank(&number.ty) != Some(Rank::Numeric) {
        return Ok(call("$toDecimal", number.expr.clone()));
    }
    let foreign = doc! { "$or": [
        { "$eq": [{ "$type": "$$n" }, "string"] },
        { "$gte": [{ "$abs": "$$n" }, decimal("1E+6000")?] },
    ] };
    let vars = doc! { "n": { "$ifNull": [number.expr.clone(), Bson::Null] } };
    Ok(within(vars, doc! { "$cond": [foreign, refusal(BEYOND), "$$n"] }))
}

/// Digits before and behind the point that numbers of a type have at most.
fn width(ty: &Type) -> Option<(i64, i64)> {
    match ty {
        Type::Int2 => Some((5, 0)),
        Type::Int4 => Some((10, 0)),
        Type::Int8 => Some((19, 0)),
        Type::Numeric(Some((precision, scale))) => {
            let scale = i64::from(*scale).max(0);
            Some(((i64::from(*precision) - scale).max(0), scale))
        }
        _ => None,
    }
}

/// A sum, a difference or a product, which the engine would round without a word.
fn exact(word: &str, left: &Term, right: &Term) -> Result<Bson> {
    let made = call(word, vec![finite(left)?, finite(right)?]);
    let most = width(&left.ty).zip(width(&right.ty)).map(|((one, scale), (other, digits))| match word {
        "$multiply" => one + other + scale + digits,
        _ => one.max(other) + 1 + scale.max(digits),
    });
    if most.is_some_and(|most| most <= i64::from(DIGITS)) {
        return Ok(made);
    }
    // One that was rounded has all digits there are.
    let digits = doc! { "$strLenBytes": { "$toString": { "$ifNull": ["$$n", 0] } } };
    let fits = doc! { "$lt": [digits, DIGITS] };
    Ok(within(doc! { "n": made }, doc! { "$cond": [fits, "$$n", refusal(BEYOND)] }))
}

/// `10 ^ exponent`, of an exponent that rows tell.
fn ten_to(exponent: impl Into<Bson>) -> Result<Bson> {
    let powers = (-POWERS..=POWERS).map(|exponent| decimal128(&format!("1E{exponent}")));
    let powers = constant(powers.collect::<Result<Vec<_>>>()?);
    Ok(call("$arrayElemAt", vec![powers, call("$add", vec![exponent.into(), POWERS.into()])]))
}

/// How many digits a decimal has behind the point.
fn scale(number: &Term, decimal: &str) -> Bson {
    match (&number.ty, &number.expr) {
        (Type::Int2 | Type::Int4 | Type::Int8, _) => return 0.into(),
        // A column has as many as it says.
        (Type::Numeric(Some((_, scale))), Bson::String(_)) => return i32::from(*scale).max(0).into(),
        _ => {}
    }
    let first = || doc! { "$arrayElemAt": ["$$parts", 0] };
    let point = doc! { "$indexOfBytes": [first(), "."] };
    let fraction = doc! { "$cond": [
        { "$lt": ["$$point", 0] },
        0,
        { "$subtract": [{ "$strLenBytes": first() }, { "$add": ["$$point", 1] }] },
    ] };
    let exponent = doc! { "$cond": [
        { "$gt": [{ "$size": "$$parts" }, 1] }, { "$toInt": { "$arrayElemAt": ["$$parts", 1] } }, 0,
    ] };
    let parts = doc! { "parts": { "$split": [{ "$toString": decimal }, "E-"] } };
    within(parts, within(doc! { "point": point }, doc! { "$add": [fraction, exponent] }))
}

/// The weight of the first digit that is not 0, written with the base 10,000.
fn weight(decimal: &str) -> Result<Bson> {
    let least = -POWERS + 4;
    let steps = (least..POWERS).step_by(4).map(|exponent| decimal128(&format!("1E{exponent}")));
    let steps = constant(steps.collect::<Result<Vec<_>>>()?);
    let reached = doc! { "$size": { "$filter": {
        "input": steps, "as": "step", "cond": { "$lte": ["$$step", decimal] },
    } } };
    let weight = doc! { "$subtract": [reached, 1 - least / 4] };
    Ok(doc! { "$cond": [{ "$eq": [decimal, 0] }, 0, weight] }.into())
}

/// That digit.
fn leading(decimal: &str, weight: &str) -> Result<Bson> {
    let shift = ten_to(doc! { "$multiply": [weight, -4] })?;
    Ok(doc! { "$trunc": { "$multiply": [decimal, shift] } }.into())
}

/// A result of two decimals `$$a` and `$$b` that are not null, the second of which is not 0.
fn divided(left: &Term, right: &Term, result: Bson) -> Result<Bson> {
    let none = doc! { "$or": [{ "$lte": ["$$a", Bson::Null] }, { "$lte": ["$$b", Bson::Null] }] };
    let zero = doc! { "$eq": ["$$b", 0] };
    let made = doc! { "$cond": [
        none, Bson::Null, { "$cond": [zero, refusal("division by zero"), result] },
    ] };
    Ok(within(doc! { "a": finite(left)?, "b": finite(right)? }, made))
}

/// A quotient with the scale of PostgreSQL's `select_div_scale` (`numeric.c`), rounded half away from zero.
fn quotient(left: &Term, right: &Term) -> Result<Bson> {
    let sizes = doc! {
        "x": { "$abs": "$$a" }, "y": { "$abs": "$$b" }, "sx": scale(left, "$$a"), "sy": scale(right, "$$b"),
    };
    let weights = doc! { "wx": weight("$$x")?, "wy": weight("$$y")? };
    let smaller = doc! { "$lte": [leading("$$x", "$$wx")?, leading("$$y", "$$wy")?] };
    let weight = doc! { "$subtract": ["$$wx", { "$add": ["$$wy", { "$cond": [smaller, 1, 0] }] }] };
    let least = doc! { "$subtract": [16, { "$multiply": [weight, 4] }] };
    let digits = doc! { "p": { "$max": [least, "$$sx", "$$sy", 0] } };
    // So much has room beside the remainder.
    let room = doc! { "$subtract": [DIGITS, { "$add": ["$$p", "$$sy"] }] };
    let fits = doc! { "$and": [
        { "$lte": ["$$p", DIGITS] }, { "$lte": ["$$sy", DIGITS] }, { "$lt": ["$$x", ten_to(room)?] },
    ] };
    let near = doc! {
        "q": { "$trunc": [{ "$divide": ["$$x", "$$y"] }, "$$p"] },
        "u": ten_to(doc! { "$multiply": ["$$p", -1] })?,
    };
    // What is left of the dividend says whether there was more than the half of a last digit.
    let product = doc! { "$multiply": ["$$q", "$$y", -1] };
    let twice = doc! { "$multiply": [{ "$add": ["$$x", product] }, 2] };
    let more = doc! { "$gte": [twice, { "$multiply": ["$$y", "$$u"] }] };
    let size = doc! { "$cond": [more, { "$add": ["$$q", "$$u"] }, "$$q"] };
    let negative = doc! { "$ne": [{ "$lt": ["$$a", 0] }, { "$lt": ["$$b", 0] }] };
    let sign = doc! { "$cond": [negative, -1, 1] };
    // The sum of a zero that has a sign, and one that has none, has none.
    let made = doc! { "$add": [{ "$multiply": [size, sign] }, 0] };
    let made = doc! { "$cond": [fits, within(near, made), refusal(BEYOND)] };
    divided(left, right, within(sizes, within(weights, within(digits, made))))
}

/// What is left of a division, with the greater scale of both.
fn rest(left: &Term, right: &Term) -> Result<Bson> {
    let scales = [doc! { "$multiply": ["$$a", 0] }, doc! { "$multiply": ["$$b", 0] }];
    let [one, other] = scales;
    divided(left, right, doc! { "$add": [{ "$mod": ["$$a", "$$b"] }, one, other] }.into())
}

/// A decimal with so many digits behind the point, rounded half away from zero.
fn rounded(number: &Bson, scale: i32) -> Result<Bson> {
    if scale >= DIGITS {
        return Err(Error::unsupported(BEYOND));
    }
    let half = decimal(&format!("5E-{}", scale + 1))?;
    let size = doc! { "$trunc": [{ "$add": [{ "$abs": "$$n" }, half] }, scale] };
    let sign = doc! { "$cond": [{ "$lt": ["$$n", 0] }, -1, 1] };
    let made = doc! { "$add": [{ "$multiply": [size, sign] }, 0] };
    let beyond = doc! { "$gte": [{ "$abs": "$$n" }, decimal(&format!("1E{}", DIGITS - scale - 1))?] };
    let made = doc! { "$cond": [beyond, refusal(BEYOND), made] };
    let made = doc! { "$cond": [{ "$lte": ["$$n", Bson::Null] }, Bson::Null, made] };
    Ok(within(doc! { "n": number.clone() }, made))
}

/// The whole number that is nearest to a decimal.
pub(super) fn nearest(number: &Term) -> Result<Bson> {
    rounded(&finite(number)?, 0)
}

/// A number as a column of so many digits takes it.
pub(super) fn bounded(number: &Term, (precision, scale): (u16, i16)) -> Result<Bson> {
    if scale < 0 {
        return Err(unsupported("a cast to", Type::Numeric(Some((precision, scale)))));
    }
    let bound = i64::from(precision) - i64::from(scale);
    let beyond = doc! { "$gte": [{ "$abs": "$$n" }, decimal(&format!("1E{bound}"))?] };
    let made = doc! { "$cond": [beyond, refusal("numeric field overflow"), "$$n"] };
    Ok(within(doc! { "n": rounded(&finite(number)?, i32::from(scale))? }, made))
}
