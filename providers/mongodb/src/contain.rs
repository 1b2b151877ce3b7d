//! Containment of JSON and arrays, as expressions made from a known side.

use mongodb::bson::{Bson, Document, doc};

use crate::term::{all, any, constant, not};

fn is_type(expr: &Bson, name: &str) -> Bson {
    Bson::Document(doc! { "$eq": [{ "$type": expr.clone() }, name] })
}

fn equals(expr: &Bson, known: &Bson) -> Bson {
    Bson::Document(doc! { "$eq": [expr.clone(), constant(known.clone())] })
}

fn member(expr: &Bson, key: &str) -> Bson {
    Bson::Document(doc! { "$getField": { "field": constant(key), "input": expr.clone() } })
}

/// Makes an expression over each element of an array; nested ones need names of their own.
fn each(array: &Bson, depth: usize, over: impl FnOnce(&Bson) -> Bson) -> Bson {
    let name = format!("x{depth}");
    let condition = over(&Bson::String(format!("$${name}")));
    Bson::Document(doc! { "$map": { "input": array.clone(), "as": name, "in": condition } })
}

/// Without this the engine may look into what is no array or object.
fn only_if(kind: Bson, condition: Bson) -> Bson {
    Bson::Document(doc! { "$cond": [kind, condition, false] })
}

/// `json = known`, part by part: not every server takes the numbers 1 and 1.0 for equal within
/// objects.
pub(crate) fn json_equals(json: &Bson, known: &Bson) -> Bson {
    match known {
        Bson::Document(members) => {
            let own =
                doc! { "$map": { "input": { "$objectToArray": json.clone() }, "as": "k", "in": "$$k.k" } };
            let names: Vec<Bson> = members.keys().cloned().map(Bson::String).collect();
            let mut conditions = vec![Bson::Document(doc! { "$eq": [own, constant(names)] })];
            conditions.extend(members.iter().map(|(key, value)| json_equals(&member(json, key), value)));
            only_if(is_type(json, "object"), all(conditions))
        }
        Bson::Array(elements) => {
            let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
            let mut conditions = vec![Bson::Document(doc! { "$eq": [{ "$size": json.clone() }, length] })];
            conditions.extend(elements.iter().zip(0_i32..).map(|(value, at)| {
                json_equals(&Bson::Document(doc! { "$arrayElemAt": [json.clone(), at] }), value)
            }));
            only_if(is_type(json, "array"), all(conditions))
        }
        Bson::Null => is_type(json, "null"),
        scalar => equals(json, scalar),
    }
}

/// `json @> known`
pub(crate) fn json_contains(json: &Bson, known: &Bson) -> Bson {
    let whole = contains(json, known, 0);
    match known {
        Bson::Document(_) | Bson::Array(_) => whole,
        // An array contains a scalar as if it were an element.
        scalar => {
            let within = Bson::Document(doc! { "$in": [constant(scalar.clone()), json.clone()] });
            any(vec![whole, only_if(is_type(json, "array"), within)])
        }
    }
}

fn contains(json: &Bson, known: &Bson, depth: usize) -> Bson {
    match known {
        Bson::Document(members) => {
            let each = members.iter().map(|(key, value)| contains(&member(json, key), value, depth));
            only_if(is_type(json, "object"), all(each.collect()))
        }
        Bson::Array(elements) => {
            let found = elements.iter().map(|element| {
                let tests = each(json, depth, |one| contains(one, element, depth + 1));
                Bson::Document(doc! { "$anyElementTrue": [tests] })
            });
            only_if(is_type(json, "array"), all(found.collect()))
        }
        Bson::Null => is_type(json, "null"),
        scalar => equals(json, scalar),
    }
}

/// `json <@ known`
pub(crate) fn json_contained(json: &Bson, known: &Bson) -> Bson {
    let whole = contained(json, known, 0);
    match known {
        Bson::Array(elements) => {
            let scalars = elements.iter().filter(|one| !matches!(one, Bson::Document(_) | Bson::Array(_)));
            let scalars: Vec<Bson> = scalars.cloned().collect();
            any(vec![whole, Bson::Document(doc! { "$in": [json.clone(), constant(scalars)] })])
        }
        _ => whole,
    }
}

fn contained(json: &Bson, known: &Bson, depth: usize) -> Bson {
    match known {
        Bson::Document(members) => {
            let names: Vec<Bson> = members.keys().cloned().map(Bson::String).collect();
            let own = doc! { "$map": {
                "input": { "$objectToArray": json.clone() }, "as": format!("k{depth}"), "in": format!("$$k{depth}.k"),
            } };
            let mut conditions =
                vec![Bson::Document(doc! { "$setIsSubset": [own.clone(), constant(names)] })];
            for (key, value) in members {
                let mine = member(json, key);
                let there = doc! { "$in": [constant(key.as_str()), own.clone()] };
                conditions.push(any(vec![not(there.into()), contained(&mine, value, depth + 1)]));
            }
            only_if(is_type(json, "object"), all(conditions))
        }
        Bson::Array(elements) => {
            let tests = each(json, depth, |one| {
                any(elements.iter().map(|element| contained(one, element, depth + 1)).collect())
            });
            only_if(is_type(json, "array"), Bson::Document(doc! { "$allElementsTrue": [tests] }))
        }
        Bson::Null => is_type(json, "null"),
        scalar => equals(json, scalar),
    }
}

fn elements(array: &Bson) -> Document {
    doc! { "$ifNull": [array.clone(), []] }
}

/// `array @> known`, null elements being equal to none.
pub(crate) fn array_contains(array: &Bson, known: &[Bson]) -> Bson {
    if known.contains(&Bson::Null) {
        return Bson::Boolean(false);
    }
    Bson::Document(doc! { "$setIsSubset": [constant(known.to_vec()), elements(array)] })
}

/// `array <@ known`
pub(crate) fn array_contained(array: &Bson, known: &[Bson]) -> Bson {
    let null = doc! { "$in": [Bson::Null, elements(array)] };
    let subset = doc! { "$setIsSubset": [elements(array), constant(known.to_vec())] };
    all(vec![not(null.into()), subset.into()])
}

/// `array && known`
pub(crate) fn array_overlaps(array: &Bson, known: &[Bson]) -> Bson {
    let known: Vec<Bson> = known.iter().filter(|one| **one != Bson::Null).cloned().collect();
    let both = doc! { "$setIntersection": [elements(array), constant(known)] };
    Bson::Document(doc! { "$gt": [{ "$size": both }, 0] })
}
