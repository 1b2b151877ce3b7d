//! Upper and lower case.

use mongodb::bson::{Bson, doc};

use crate::term::{Term, Want, constant};

/// A text in another case. The engine knows of ASCII only, and makes an error of what it would leave as
/// it is.
pub(super) fn cased(text: &Term, upper: bool) -> Bson {
    let known = doc! { "$ifNull": [text.expr.clone(), ""] };
    let foreign = doc! { "$regexMatch": { "input": known.clone(), "regex": constant("[^\\x00-\\x7f]") } };
    let refused = doc! { "$toInt": { "$concat": ["not of ASCII alone: ", known.clone()] } };
    let made = if upper {
        doc! { "$toUpper": known }
    } else {
        doc! { "$toLower": known }
    };
    let cased = doc! { "$cond": [foreign, refused, made] };
    doc! { "$cond": [text.is_null(Want::True), Bson::Null, cased] }.into()
}
