//! Values of composite types: documents of their text and of what the engine asks of it.
//!
//! `{ t, k, n, v, f }`: the text; a text that equal values share, where values of the type are compared; how
//! many fields are not null (0 none, 1 some, 2 all); the value as `to_jsonb` has it; and those fields that
//! columns store otherwise than JSON has them.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::value::{jsonb, zone};
use truststream_kernel::{Result, Type, Value};
use truststream_services::database::{Catalog, Is, JsonKey};
use truststream_sql::composite::{Composite, nulls};
use truststream_sql::schema::columns_of_type;

use crate::json;
use crate::names::field;
use crate::plan::step_into;
use crate::span::part;
use crate::storage::stored;
use crate::term::{Term, Want, any, constant, constant_of, is_json, not};
use crate::zone::only_utc;

/// Whether values of a type are records.
pub(crate) fn is_record(catalog: &Catalog, ty: &Type) -> bool {
    Composite::of(catalog, ty).is_some()
}

/// The fields of a composite type.
pub(crate) fn fields(catalog: &Catalog, ty: &Type) -> Vec<(String, Type)> {
    let Type::Other(name) = ty else { return Vec::new() };
    columns_of_type(catalog, name).unwrap_or_default()
}

/// Whether JSON has values of a type as columns store them.
fn is_in_json(ty: &Type) -> bool {
    use Type::{Bool, Enum, Int2, Int4, Int8, Numeric, Text, Varchar};
    matches!(ty, Bool | Int2 | Int4 | Int8 | Numeric(_) | Text | Varchar(_) | Enum(_))
}

/// A record as it is stored: `{ t, k, n, v, f }`.
///
/// # Errors
/// A text that is no value of the type, 0A000 for a number of more than 34 digits.
pub(crate) fn bson(catalog: &Catalog, ty: &Type, composite: &Composite, text: &str) -> Result<Bson> {
    let known = match nulls(text)? {
        (true, _) => 0,
        (_, all) => 1 + i32::from(all),
    };
    // Moments within it are UTC's, whoever writes.
    let value = zone::within(None, || composite.to_json(text))?;
    let mut others = Document::new();
    for (name, ty) in fields(catalog, ty).iter().filter(|(_, ty)| !is_in_json(ty)) {
        others.insert(field(name), stored(catalog, &composite.get(text, name)?, ty)?);
    }
    let mut parts = doc! { "t": text };
    if composite.is_comparable() {
        parts.insert("k", composite.key(text)?);
    }
    parts.insert("n", known);
    parts.insert("v", json::native(&jsonb::normalize(&value)?)?);
    if !others.is_empty() {
        parts.insert("f", others);
    }
    Ok(parts.into())
}

/// A field of a record; `None` if it has none of the name.
///
/// # Errors
/// A text that is no value of the type.
pub(crate) fn field_of(catalog: &Catalog, record: &Term, name: &str) -> Result<Option<Term>> {
    let Some((_, ty)) = fields(catalog, &record.ty).into_iter().find(|(one, _)| one == name) else {
        return Ok(None);
    };
    if record.is_unknown() {
        return Ok(Some(Term::unknown(ty)));
    }
    if constant_of(&record.expr).is_some() {
        let value = match (record.known()?, Composite::of(catalog, &record.ty)) {
            (Some(Value::Text(text)), Some(composite)) => composite.get(&text, name)?,
            _ => Value::Null,
        };
        return Term::given(catalog, &value, &ty).map(Some);
    }
    let found = match is_in_json(&ty) {
        true => step_into(&part(&record.expr, "v"), &JsonKey::Key(name.to_owned()), &Type::Jsonb),
        false => part(&part(&record.expr, "f"), &field(name)),
    };
    Ok(Some(match &found {
        Bson::String(path) => Term::stored(path.clone(), ty),
        _ if is_json(&ty) => Term::new(part(&found, "v"), ty),
        _ => Term::new(doc! { "$ifNull": [found, Bson::Null] }, ty),
    }))
}

/// A record in a form that equal ones share.
pub(crate) fn key(record: &Term) -> Bson {
    part(&record.expr, "k")
}

/// A value in a form that sorts as PostgreSQL does: a record by its first field that differs, of which null is
/// the largest value. It stands in a document, for the engine sorts by one element of what is an array itself.
pub(crate) fn sortable(catalog: &Catalog, term: &Term) -> Result<Bson> {
    if !is_record(catalog, &term.ty) {
        return Ok(term.comparable(catalog));
    }
    let mut keys = Vec::new();
    for (name, _) in fields(catalog, &term.ty) {
        let Some(field) = field_of(catalog, term, &name)? else { continue };
        let key = sortable(catalog, &field)?;
        keys.push(match field.is_null(Want::True) {
            Bson::Boolean(true) => constant(Bson::MaxKey),
            Bson::Boolean(false) => key,
            none => doc! { "$cond": [none, constant(Bson::MaxKey), key] }.into(),
        });
    }
    Ok(doc! { "$cond": [term.is_null(Want::True), Bson::Null, { "a": keys }] }.into())
}

/// Whether the engine can tell records apart as they are stored, and refer to them.
pub(crate) fn is_key(catalog: &Catalog, ty: &Type) -> bool {
    let plain = |(name, ty): &(String, Type)| {
        let inner = !is_record(catalog, ty) || is_key(catalog, ty);
        // Within its keys the engine takes no name that looks like an operator.
        inner && !name.starts_with('$')
    };
    Composite::of(catalog, ty).is_some_and(|record| record.is_told_by_text())
        && fields(catalog, ty).iter().all(plain)
}

/// A record's text.
///
/// # Errors
/// 0A000 where the session has another zone than the text.
pub(crate) fn text(catalog: &Catalog, record: &Term) -> Result<Bson> {
    shown(catalog, record, "t")
}

/// A record as JSON: as columns have the value of `jsonb`, missing for null.
///
/// # Errors
/// 0A000 where the session has another zone than the JSON.
pub(crate) fn as_json(catalog: &Catalog, record: &Term) -> Result<Bson> {
    shown(catalog, record, "v")
}

fn shown(catalog: &Catalog, record: &Term, name: &str) -> Result<Bson> {
    if is_of_session(catalog, &record.ty) {
        only_utc("texts of moments within rows")?;
    }
    Ok(part(&record.expr, name))
}

/// Whether texts of a type are other ones in another zone.
fn is_of_session(catalog: &Catalog, ty: &Type) -> bool {
    match ty {
        Type::Timestamptz => true,
        Type::Array(element) => is_of_session(catalog, element),
        ty => fields(catalog, ty).iter().any(|(_, ty)| is_of_session(catalog, ty)),
    }
}

/// `is null`, which holds of a record of nulls too, and `is not null`, which holds where no field is null.
pub(crate) fn is_condition(record: &Term, is: Is, want: Want) -> Bson {
    let known = part(&record.expr, "n");
    let holds: Bson = match is {
        Is::NotNull => doc! { "$eq": [known, 2] }.into(),
        _ => any(vec![record.is_null(Want::True), doc! { "$eq": [known, 0] }.into()]),
    };
    if want == Want::True { holds } else { not(holds) }
}
