//! JSON as text, as `jsonb` prints it.

use mongodb::bson::{Bson, doc};

use crate::term::{constant, refusal};

/// How deep arrays and objects within one another are printed.
const DEEPEST: usize = 4;

/// `->>`: a JSON value as text; null for what is missing or null. The engine makes an error of what is
/// nested too deep or has a number that it writes otherwise, and of a `uuid` that a function put there, of
/// which each server would make another text.
pub(crate) fn text_of(json: &Bson) -> Bson {
    doc! { "$let": {
        "vars": { "j": json.clone() },
        "in": { "$switch": {
            "branches": [
                // Only what is missing sorts before null; not every server tells its type.
                { "case": { "$lte": ["$$j", Bson::Null] }, "then": Bson::Null },
                { "case": is("$$j", &["string"]), "then": "$$j" },
            ],
            "default": printed("$$j", DEEPEST),
        } },
    } }
    .into()
}

fn is(value: &str, kinds: &[&str]) -> Bson {
    match kinds {
        [one] => doc! { "$eq": [{ "$type": value }, *one] }.into(),
        several => doc! { "$in": [{ "$type": value }, several.to_vec()] }.into(),
    }
}

fn printed(value: &str, depth: usize) -> Bson {
    let number = doc! { "$let": { "vars": { "n": { "$toString": value } }, "in": {
        "$cond": [
            { "$regexMatch": { "input": "$$n", "regex": "[^0-9.-]" } },
            refusal("a number in another form"),
            "$$n",
        ],
    } } };
    let mut branches = vec![
        doc! { "case": is(value, &["string"]), "then": quoted(value) },
        doc! { "case": is(value, &["null"]), "then": "null" },
        doc! { "case": is(value, &["bool"]), "then": { "$toString": value } },
        doc! { "case": is(value, &["int", "long", "double", "decimal"]), "then": number },
    ];
    if depth > 0 {
        let (element, each) = (format!("e{depth}"), format!("$$e{depth}"));
        let elements = doc! { "$map": {
            "input": value, "as": &element, "in": printed(&each, depth - 1),
        } };
        branches.push(doc! { "case": is(value, &["array"]), "then": joined("[", elements.into(), "]") });
        let member = doc! { "$concat": [
            quoted(&format!("{each}.k")), ": ", printed(&format!("{each}.v"), depth - 1),
        ] };
        let members = doc! { "$map": {
            "input": { "$objectToArray": value }, "as": element, "in": member,
        } };
        branches.push(doc! { "case": is(value, &["object"]), "then": joined("{", members.into(), "}") });
    }
    doc! { "$switch": { "branches": branches, "default": refusal("JSON nested too deep") } }.into()
}

fn joined(open: &str, parts: Bson, close: &str) -> Bson {
    let next = doc! { "$concat": ["$$value", { "$cond": [{ "$eq": ["$$value", ""] }, "", ", "] }, "$$this"] };
    doc! { "$concat": [open, { "$reduce": { "input": parts, "initialValue": "", "in": next } }, close] }
        .into()
}

/// A string with its quotes. Control signs other than those of lines and tabs make an error.
fn quoted(text: &str) -> Bson {
    let mut escaped = Bson::from(text);
    for (sign, written) in [
        ("\\", "\\\\"),
        ("\"", "\\\""),
        ("\n", "\\n"),
        ("\t", "\\t"),
        ("\r", "\\r"),
        ("\u{8}", "\\b"),
        ("\u{c}", "\\f"),
    ] {
        escaped = doc! { "$replaceAll": {
            "input": escaped, "find": constant(sign), "replacement": constant(written),
        } }
        .into();
    }
    let foreign = doc! { "$regexMatch": { "input": escaped.clone(), "regex": constant("[\\x00-\\x1f]") } };
    doc! { "$cond": [foreign, refusal("a control sign within JSON"), { "$concat": ["\"", escaped, "\""] }] }
        .into()
}
