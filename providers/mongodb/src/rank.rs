//! JSON in PostgreSQL's order: null, strings, numbers, booleans, arrays, objects; longer arrays and objects
//! behind shorter ones, then element by element, or name and value by name and value.

use mongodb::bson::{Bson, Document, doc};

use crate::term::refusal;

/// How deep arrays and objects within one another are compared.
const DEEPEST: usize = 3;

/// A document that sorts as the JSON does; null for what is missing. Of what is nested too deep the engine
/// makes an error.
pub(crate) fn ranked(json: &Bson) -> Bson {
    let found = doc! { "$cond": [{ "$lt": ["$$j", Bson::Null] }, Bson::Null, rank("$$j", DEEPEST, true)] };
    // Only what is missing sorts before null; not every server tells the type of such a variable.
    doc! { "$let": { "vars": { "j": json.clone() }, "in": found } }.into()
}

fn rank(value: &str, depth: usize, is_whole: bool) -> Bson {
    let is = |types: &[&str]| doc! { "$in": [{ "$type": value }, types.to_vec()] };
    let plain = |rank: i32| doc! { "r": rank, "v": value };
    let mut branches: Vec<Document> = vec![
        doc! { "case": is(&["null"]), "then": { "r": 0 } },
        doc! { "case": is(&["string"]), "then": plain(1) },
        doc! { "case": is(&["int", "long", "double", "decimal"]), "then": plain(2) },
        doc! { "case": is(&["bool"]), "then": plain(3) },
    ];
    if depth > 0 {
        let (name, each) = (format!("r{depth}"), format!("$$r{depth}"));
        let elements = doc! { "$map": { "input": value, "as": &name, "in": rank(&each, depth - 1, false) } };
        // An empty array that is the whole value stands before all others.
        let place: Bson = match is_whole {
            true => doc! { "$cond": [{ "$eq": [{ "$size": value }, 0] }, -1, 4] }.into(),
            false => 4.into(),
        };
        let array = doc! { "r": place, "n": { "$size": value }, "v": elements };
        branches.push(doc! { "case": is(&["array"]), "then": array });
        let member = doc! { "k": format!("{each}.k"), "x": rank(&format!("{each}.v"), depth - 1, false) };
        let members = doc! { "$objectToArray": value };
        let object = doc! {
            "r": 5,
            "n": { "$size": members.clone() },
            "v": { "$map": { "input": members, "as": name, "in": member } },
        };
        branches.push(doc! { "case": is(&["object"]), "then": object });
    }
    doc! { "$switch": { "branches": branches, "default": refusal("JSON nested too deep") } }.into()
}
