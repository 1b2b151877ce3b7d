//! Ranges: PostgreSQL's text in and out, in one canonical form, and their operators.
//!
//! Discrete ranges are kept as `[lower,upper)`, as PostgreSQL keeps them
//! (<https://www.postgresql.org/docs/15/rangetypes.html>).

use std::cmp::Ordering;

use super::{Type, Value, decimal, fault, part};
use crate::{Error, ErrorKind, Result};

/// What means something between the ends of a range.
const MARKS: [char; 5] = ['(', ')', '[', ']', ','];

/// A range of values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// No value at all.
    Empty,
    /// All values between two ends.
    Span(End, End),
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Where it is; `None` is unbounded.
    value: Option<Value>,
    inclusive: bool,
    lower: bool,
}

/// The type of what lies in a range of this type; `None` if it is no range.
pub fn element(ty: &Type) -> Option<Type> {
    let Type::Other(name) = ty else { return None };
    Some(match name.as_str() {
        "int4range" => Type::Int4,
        "int8range" => Type::Int8,
        "numrange" => Type::Numeric(None),
        "daterange" => Type::Date,
        "tsrange" => Type::Timestamp,
        "tstzrange" => Type::Timestamptz,
        _ => return None,
    })
}

impl Range {
    /// Reads a range of `element`s, such as `[1,5)`.
    ///
    /// # Errors
    /// `malformed range literal` (22P02), those of the ends' values, 22000 for ends the wrong way round.
    pub fn parse(element: &Type, text: &str) -> Result<Range> {
        let body = text.trim_matches(super::is_space);
        if body.eq_ignore_ascii_case("empty") {
            return Ok(Range::Empty);
        }
        let malformed =
            |details: &str| fault::malformed(format!("malformed range literal: \"{text}\""), details);
        let lower_inclusive = match body.chars().next() {
            Some('[') => true,
            Some('(') => false,
            _ => return Err(malformed("Missing left parenthesis or bracket.")),
        };
        let ended = || malformed("Unexpected end of input.");
        let stops = &[',', ')', ']'];
        let (lower, rest) = part::read(&body[1..], stops).ok_or_else(ended)?;
        let rest = rest.strip_prefix(',').ok_or_else(|| malformed("Missing comma after lower bound."))?;
        let (upper, rest) = part::read(rest, stops).ok_or_else(ended)?;
        let upper_inclusive = match rest.chars().next() {
            Some(']') => true,
            Some(')') => false,
            _ => return Err(malformed("Too many commas.")),
        };
        if rest.len() > 1 {
            return Err(malformed("Junk after right parenthesis or bracket."));
        }
        let value = |text: Option<String>| text.map(|text| Value::parse(element, &text)).transpose();
        let range = Range::of((value(lower)?, lower_inclusive), (value(upper)?, upper_inclusive))?;
        let widest = Value::Int(i32::MAX.into());
        match &range {
            Range::Span(_, End { value: Some(high), .. })
                if *element == Type::Int4 && order(high, &widest).is_gt() =>
            {
                Err(fault::number_out_of_range("integer out of range"))
            }
            _ => Ok(range),
        }
    }

    /// The range between two ends, in canonical form; `None` is unbounded.
    ///
    /// # Errors
    /// 22000 if the lower end is above the upper one, 22003 if an end leaves its type.
    pub fn of(lower: (Option<Value>, bool), upper: (Option<Value>, bool)) -> Result<Range> {
        if let (Some(low), Some(high)) = (&lower.0, &upper.0) {
            match order(low, high) {
                Ordering::Greater => {
                    let message = "range lower bound must be less than or equal to range upper bound";
                    return Err(Error::new(ErrorKind::InvalidInput, "22000", message));
                }
                Ordering::Equal if !(lower.1 && upper.1) => return Ok(Range::Empty),
                _ => {}
            }
        }
        let (low, lower_inclusive) = stepped(lower.0, !lower.1, lower.1)?;
        let (high, upper_inclusive) = stepped(upper.0, upper.1, upper.1)?;
        if let (Some(low), Some(high)) = (&low, &high)
            && order(low, high).is_ge()
            && !(lower_inclusive && upper_inclusive)
        {
            return Ok(Range::Empty);
        }
        Ok(Range::Span(
            End { value: low, inclusive: lower_inclusive, lower: true },
            End { value: high, inclusive: upper_inclusive, lower: false },
        ))
    }

    /// PostgreSQL's text of it.
    pub fn to_text(&self) -> String {
        let Range::Span(lower, upper) = self else { return "empty".to_owned() };
        let mut out = String::from(if lower.inclusive { "[" } else { "(" });
        push_bound(&mut out, lower);
        out.push(',');
        push_bound(&mut out, upper);
        out.push(if upper.inclusive { ']' } else { ')' });
        out
    }

    /// `@>` of a range.
    pub fn contains(&self, other: &Range) -> bool {
        match (self, other) {
            (_, Range::Empty) => true,
            (Range::Empty, _) => false,
            (Range::Span(low, high), Range::Span(other_low, other_high)) => {
                low.order(other_low).is_le() && high.order(other_high).is_ge()
            }
        }
    }

    /// `&&`
    pub fn overlaps(&self, other: &Range) -> bool {
        self.ends(other, |(low, high), (other_low, other_high)| {
            low.order(other_high).is_le() && other_low.order(high).is_le()
        })
    }

    /// `<<`
    pub fn is_left_of(&self, other: &Range) -> bool {
        self.ends(other, |(_, high), (other_low, _)| high.order(other_low).is_lt())
    }

    /// `&<`: it does not reach beyond the other to the right.
    pub fn is_not_right_of(&self, other: &Range) -> bool {
        self.ends(other, |(_, high), (_, other_high)| high.order(other_high).is_le())
    }

    /// `&>`: it does not reach beyond the other to the left.
    pub fn is_not_left_of(&self, other: &Range) -> bool {
        self.ends(other, |(low, _), (other_low, _)| low.order(other_low).is_ge())
    }

    /// `-|-`
    pub fn is_adjacent_to(&self, other: &Range) -> bool {
        self.ends(other, |(low, high), (other_low, other_high)| {
            high.touches(other_low) || other_high.touches(low)
        })
    }

    fn ends(&self, other: &Range, test: impl Fn((&End, &End), (&End, &End)) -> bool) -> bool {
        match (self, other) {
            (Range::Span(low, high), Range::Span(other_low, other_high)) => {
                test((low, high), (other_low, other_high))
            }
            _ => false,
        }
    }

    /// PostgreSQL's order: the empty range first, then by lower ends, then by upper ones.
    pub fn order(&self, other: &Range) -> Ordering {
        match (self, other) {
            (Range::Empty, Range::Empty) => Ordering::Equal,
            (Range::Empty, _) => Ordering::Less,
            (_, Range::Empty) => Ordering::Greater,
            (Range::Span(low, high), Range::Span(other_low, other_high)) => {
                low.order(other_low).then_with(|| high.order(other_high))
            }
        }
    }
}

impl End {
    /// Where it is; `None` is unbounded.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Whether the value itself lies in the range.
    pub fn is_inclusive(&self) -> bool {
        self.inclusive
    }

    fn order(&self, other: &End) -> Ordering {
        let outward = |end: &End| if end.lower { Ordering::Less } else { Ordering::Greater };
        let inward = |end: &End| outward(end).reverse();
        match (&self.value, &other.value) {
            (None, None) if self.lower == other.lower => Ordering::Equal,
            (None, _) => outward(self),
            (_, None) => outward(other).reverse(),
            (Some(left), Some(right)) => {
                order(left, right).then_with(|| match (self.inclusive, other.inclusive) {
                    (true, true) => Ordering::Equal,
                    (false, false) if self.lower == other.lower => Ordering::Equal,
                    (false, _) => inward(self),
                    (true, false) => inward(other).reverse(),
                })
            }
        }
    }

    /// Whether an upper end meets a lower one without a gap and without sharing a value.
    fn touches(&self, lower: &End) -> bool {
        match (&self.value, &lower.value) {
            (Some(left), Some(right)) => order(left, right).is_eq() && self.inclusive != lower.inclusive,
            _ => false,
        }
    }
}

/// A discrete end one step up where its canonical form wants it, and whether it is inclusive then.
fn stepped(value: Option<Value>, up: bool, inclusive: bool) -> Result<(Option<Value>, bool)> {
    let out = |name: &str| fault::number_out_of_range(format!("{name} out of range"));
    Ok(match value {
        None => (None, false),
        Some(Value::Int(number)) if up => {
            let next = number.checked_add(1).ok_or_else(|| out("bigint"))?;
            (Some(Value::Int(next)), !inclusive)
        }
        Some(Value::Date(days)) if up && days != i32::MAX && days != i32::MIN => {
            (Some(Value::Date(days + 1)), !inclusive)
        }
        value => (value, inclusive),
    })
}

fn push_bound(out: &mut String, end: &End) {
    if let Some(text) = end.value.as_ref().and_then(Value::to_text) {
        part::push(out, &text, &MARKS);
    }
}

/// The order of values that lie in ranges.
fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right))
        | (Value::Timestamp(left), Value::Timestamp(right))
        | (Value::Timestamptz(left), Value::Timestamptz(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Decimal(left), Value::Decimal(right)) => decimal::compare(left, right),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Range {
        let element = element(&Type::Other(name.into())).unwrap();
        Range::parse(&element, text).unwrap()
    }

    #[test]
    fn one_range_has_one_text() {
        for (name, text, canonical) in [
            ("int4range", "[1,5]", "[1,6)"),
            ("int4range", " (1,2) ", "empty"),
            ("int4range", "(,5]", "(,6)"),
            ("int4range", "[1,]", "[1,)"),
            ("numrange", "(1.50,2]", "(1.50,2]"),
            ("daterange", "[2024-01-01,2024-01-31]", "[2024-01-01,2024-02-01)"),
            ("daterange", "[2024-01-01,infinity]", "[2024-01-01,infinity]"),
            (
                "tsrange",
                "[2024-01-01,\"2024-01-02 03:00\")",
                "[\"2024-01-01 00:00:00\",\"2024-01-02 03:00:00\")",
            ),
            ("numrange", "EMPTY", "empty"),
        ] {
            assert_eq!(read(name, text).to_text(), canonical, "{text}");
        }
        for text in ["1,2", "[1,2147483647]", "[1 2]", "[1,2,3]", "[1,2) x", "[1,", "[a,b]", "[2,1]"] {
            assert!(Range::parse(&Type::Int4, text).is_err(), "{text}");
        }
    }

    #[test]
    fn operators_are_postgres_own() {
        let (low, high) = (read("numrange", "[1,5)"), read("numrange", "[5,9]"));
        assert!(low.is_left_of(&high) && low.is_adjacent_to(&high) && !low.overlaps(&high));
        assert!(
            read("numrange", "[1,5]").overlaps(&high) && !read("numrange", "[1,5]").is_adjacent_to(&high)
        );
        assert!(low.is_not_right_of(&high) && high.is_not_left_of(&low));
        assert!(read("numrange", "(,)").contains(&low) && low.contains(&Range::Empty));
        assert!(!Range::Empty.overlaps(&low) && !Range::Empty.contains(&low));
        assert_eq!(Range::Empty.order(&low), Ordering::Less);
        assert_eq!(read("numrange", "(1,5)").order(&low), Ordering::Greater);
    }
}
