//! Arrays in forms that the engine orders and looks through as PostgreSQL does.

use mongodb::bson::{Bson, doc};
use truststream_kernel::Type;
use truststream_services::database::Catalog;

use crate::schema::labels;
use crate::term::{constant, is_wide, narrow};

/// An element `$$e` of an array, in a form that compares as PostgreSQL does.
fn element(catalog: &Catalog, ty: &Type) -> Bson {
    match labels(catalog, ty) {
        Some(labels) => {
            let labels: Vec<Bson> = labels.iter().cloned().map(Bson::String).collect();
            Bson::Document(doc! { "$indexOfArray": [constant(labels), "$$e"] })
        }
        None if is_wide(ty) => narrow(&"$$e".into()),
        None => "$$e".into(),
    }
}

/// An array in PostgreSQL's order: element by element whatever its dimensions, null the largest. It
/// stands in a document, for the engine sorts by one element of what is an array itself.
pub(crate) fn listed(catalog: &Catalog, array: &Bson, inner: &Type) -> Bson {
    let elements = doc! { "$map": {
        "input": flattened(array),
        "as": "e",
        "in": { "$cond": [{ "$eq": ["$$e", Bson::Null] }, constant(Bson::MaxKey), element(catalog, inner)] },
    } };
    let none = doc! { "$eq": [{ "$ifNull": [array.clone(), Bson::Null] }, Bson::Null] };
    Bson::Document(doc! { "$cond": [none, Bson::Null, { "a": elements }] })
}

/// The elements of an array of up to three dimensions; none of one that is null.
pub(crate) fn flattened(array: &Bson) -> Bson {
    let flat = |array: Bson| {
        let one = doc! { "$cond": [{ "$isArray": ["$$this"] }, "$$this", ["$$this"]] };
        doc! { "$reduce": {
            "input": array, "initialValue": [], "in": { "$concatArrays": ["$$value", one] },
        } }
    };
    let known = doc! { "$ifNull": [array.clone(), []] };
    flat(flat(known.into()).into()).into()
}
