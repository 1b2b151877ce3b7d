//! Ranges: documents of their text and of the two ends that they have.
//!
//! An end lies just before a value (side -1) or just behind it (side 1), lower ends and upper ones alike, so
//! any two are compared by the value and then by the side. Without bounds it is the smallest or the largest of
//! all values.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::value::range::{End, Range, element};
use truststream_kernel::{Result, Type};
use truststream_services::database::Operator;

use crate::storage;
use crate::term::{Relation, Term, Want, all, any, constant, constant_of, not};

/// What a range is ordered by: whether it has values at all, its lower end, its upper one.
const PARTS: [&str; 5] = ["n", "l", "ls", "u", "us"];

/// Whether values of a type are ranges.
pub(crate) fn is_range(ty: &Type) -> bool {
    element(ty).is_some()
}

/// A range as it is stored: `{ t, n, l, ls, u, us }`.
///
/// # Errors
/// Those of wrong literals.
pub(crate) fn bson(text: &str, element: &Type) -> Result<Bson> {
    let range = Range::parse(element, text)?;
    Ok(match &range {
        Range::Empty => doc! { "t": text, "n": 0, "l": Bson::Null, "ls": 0, "u": Bson::Null, "us": 0 },
        Range::Span(lower, upper) => doc! {
            "t": text,
            "n": 1,
            "l": place(lower, element, Bson::MinKey)?,
            "ls": if lower.is_inclusive() { -1 } else { 1 },
            "u": place(upper, element, Bson::MaxKey)?,
            "us": if upper.is_inclusive() { 1 } else { -1 },
        },
    }
    .into())
}

fn place(end: &End, element: &Type, unbounded: Bson) -> Result<Bson> {
    end.value().map_or(Ok(unbounded), |value| storage::bson(value, element))
}

/// A part of a range, or of what else is stored as a document of parts.
pub(crate) fn part(range: &Bson, name: &str) -> Bson {
    match (range, constant_of(range)) {
        (_, Some(Bson::Document(parts))) => constant(parts.get(name).cloned().unwrap_or(Bson::Null)),
        (Bson::String(path), _) => format!("{path}.{name}").into(),
        (Bson::Document(parts), _) if parts.contains_key("us") => {
            parts.get(name).cloned().unwrap_or(Bson::Null)
        }
        (expr, _) => doc! { "$getField": { "field": name, "input": expr.clone() } }.into(),
    }
}

/// The range of one value, as an expression.
pub(crate) fn of_one(value: &Bson) -> Bson {
    doc! {
        "n": constant(1), "l": value.clone(), "ls": constant(-1), "u": value.clone(), "us": constant(1),
    }
    .into()
}

fn related(left: &Bson, word: &str, right: &Bson) -> Bson {
    Document::from_iter([(word.to_owned(), Bson::Array(vec![left.clone(), right.clone()]))]).into()
}

/// Two lists of parts, of which the first that differ decide.
fn ordered(pairs: &[(Bson, Bson)], relation: Relation) -> Bson {
    let (strict, last) = match relation {
        Relation::Eq | Relation::Ne => {
            let equal = all(pairs.iter().map(|(left, right)| related(left, "$eq", right)).collect());
            return if relation == Relation::Eq { equal } else { not(equal) };
        }
        Relation::Lt => ("$lt", false),
        Relation::Le => ("$lt", true),
        Relation::Gt => ("$gt", false),
        Relation::Ge => ("$gt", true),
    };
    pairs.iter().rev().fold(Bson::Boolean(last), |rest, (left, right)| {
        any(vec![related(left, strict, right), all(vec![related(left, "$eq", right), rest])])
    })
}

/// An end of one range against an end of another; `l` is the lower one, `u` the upper one.
fn ends((left, end): (&Bson, &str), relation: Relation, (right, other): (&Bson, &str)) -> Bson {
    let pair =
        |suffix: &str| (part(left, &format!("{end}{suffix}")), part(right, &format!("{other}{suffix}")));
    ordered(&[pair(""), pair("s")], relation)
}

fn has_values(range: &Bson) -> Bson {
    related(&part(range, "n"), "$eq", &constant(1))
}

fn contains(left: &Bson, right: &Bson) -> Bson {
    let around = all(vec![
        has_values(left),
        ends((left, "l"), Relation::Le, (right, "l")),
        ends((left, "u"), Relation::Ge, (right, "u")),
    ]);
    any(vec![not(has_values(right)), around])
}

/// `<<`
fn left_of(left: &Bson, right: &Bson) -> Bson {
    ends((left, "u"), Relation::Le, (right, "l"))
}

/// The sign of an operator of ranges.
pub(crate) fn sign(operator: &Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Contains => "@>",
        Operator::ContainedBy => "<@",
        Operator::Overlaps => "&&",
        Operator::StrictlyLeft => "<<",
        Operator::StrictlyRight => ">>",
        Operator::NotRight => "&<",
        Operator::NotLeft => "&>",
        Operator::Adjacent => "-|-",
        _ => return None,
    })
}

/// An operator of two ranges that are not null.
pub(crate) fn holds(left: &Bson, sign: &str, right: &Bson) -> Bson {
    let both = |condition: Bson| all(vec![has_values(left), has_values(right), condition]);
    match sign {
        "@>" => contains(left, right),
        "<@" => contains(right, left),
        "&&" => both(all(vec![
            ends((left, "l"), Relation::Lt, (right, "u")),
            ends((right, "l"), Relation::Lt, (left, "u")),
        ])),
        "<<" => both(left_of(left, right)),
        ">>" => both(left_of(right, left)),
        "&<" => both(ends((left, "u"), Relation::Le, (right, "u"))),
        "&>" => both(ends((left, "l"), Relation::Ge, (right, "l"))),
        _ => both(any(vec![
            ends((left, "u"), Relation::Eq, (right, "l")),
            ends((right, "u"), Relation::Eq, (left, "l")),
        ])),
    }
}

/// A comparison of two ranges, which is null if one is.
pub(crate) fn compared(left: &Term, relation: Relation, right: &Term, want: Want) -> Bson {
    let relation = if want == Want::True { relation } else { relation.opposite() };
    let pairs = PARTS.map(|name| (part(&left.expr, name), part(&right.expr, name)));
    let mut conditions = left.known_not_null();
    conditions.extend(right.known_not_null());
    conditions.push(ordered(&pairs, relation));
    all(conditions)
}

/// A range in a form that sorts as PostgreSQL does.
pub(crate) fn sortable(range: &Term) -> Bson {
    let parts: Document = PARTS.iter().map(|name| ((*name).to_owned(), part(&range.expr, name))).collect();
    doc! { "$cond": [range.is_null(Want::True), Bson::Null, parts] }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_lie_beside_values() {
        let stored = |text: &str| bson(text, &Type::Numeric(None)).unwrap();
        let open = stored("(,2]");
        let parts = open.as_document().unwrap();
        assert_eq!((parts.get("l"), parts.get("us")), (Some(&Bson::MinKey), Some(&Bson::Int32(1))));
        assert_eq!(stored("empty").as_document().unwrap().get("n"), Some(&Bson::Int32(0)));
    }
}
