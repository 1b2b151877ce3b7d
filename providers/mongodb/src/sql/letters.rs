//! Upper and lower case.

use std::sync::LazyLock;

use mongodb::bson::{Bson, doc};
use truststream_kernel::value::letters;

use crate::term::{Term, Want, constant};

/// Letters beyond this one are told apart by case in scripts of the dead only.
const LAST: char = '\u{1fff}';

/// Small letters beyond ASCII, and the capital one of each at the same place; and the other way round.
static UPPER: LazyLock<(String, String)> = LazyLock::new(|| pairs(letters::upper));
static LOWER: LazyLock<(String, String)> = LazyLock::new(|| pairs(letters::lower));

fn pairs(other: fn(char) -> char) -> (String, String) {
    ('\u{80}'..=LAST).map(|c| (c, other(c))).filter(|(c, other)| c != other).unzip()
}

/// A text in another case. The engine knows of ASCII only: other letters are looked up one by one.
pub(super) fn cased(text: &Term, upper: bool) -> Bson {
    let known = doc! { "$ifNull": [text.expr.clone(), ""] };
    let foreign = doc! { "$regexMatch": { "input": known.clone(), "regex": constant("[^\\x00-\\x7f]") } };
    let (word, from, to) = match upper {
        true => ("$toUpper", &UPPER.0, &UPPER.1),
        false => ("$toLower", &LOWER.0, &LOWER.1),
    };
    let plain = |input: Bson| mongodb::bson::Document::from_iter([(word.to_owned(), input)]);
    let other = doc! { "$substrCP": [constant(to.clone()), "$$place", 1] };
    let letter = doc! { "$let": {
        "vars": { "place": { "$indexOfCP": [constant(from.clone()), "$$letter"] } },
        "in": { "$cond": [{ "$lt": ["$$place", 0] }, plain("$$letter".into()), other] },
    } };
    let letters = doc! { "$reduce": {
        "input": { "$range": [0, { "$strLenCP": "$$text" }] },
        "initialValue": "",
        "in": { "$concat": ["$$value", { "$let": {
            "vars": { "letter": { "$substrCP": ["$$text", "$$this", 1] } },
            "in": letter,
        } }] },
    } };
    let each = doc! { "$let": { "vars": { "text": known.clone() }, "in": letters } };
    let cased = doc! { "$cond": [foreign, each, plain(known.into())] };
    doc! { "$cond": [text.is_null(Want::True), Bson::Null, cased] }.into()
}
