//! The type of a column, guessed from the values of a field.

use std::collections::BTreeSet;

use mongodb::bson::Bson;
use mongodb::bson::spec::BinarySubtype;
use truststream_kernel::Type;

/// What was seen of a field.
#[derive(Debug, Default)]
pub(crate) struct Guess {
    kinds: BTreeSet<Kind>,
    /// Kinds of the elements of arrays.
    elements: BTreeSet<Kind>,
    seen: u64,
}

/// Kinds of values that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bool,
    Integer,
    Float,
    Decimal,
    Text,
    Object,
    Moment,
    Uuid,
    Bytes,
    Document,
    Array,
    Other,
}

impl Guess {
    /// Takes note of a value; null is as good as none.
    pub(crate) fn see(&mut self, value: &Bson) {
        let Some(kind) = kind(value) else { return };
        self.seen += 1;
        self.kinds.insert(kind);
        if let Bson::Array(elements) = value {
            // A null element has any type.
            self.elements.extend(elements.iter().filter_map(self::kind));
        }
    }

    /// How many values there were that are not null.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The narrowest type that holds all that was seen.
    pub(crate) fn ty(&self) -> Type {
        match self.kinds.iter().collect::<Vec<_>>().as_slice() {
            [Kind::Array] => match common(&self.elements) {
                Some(Type::Jsonb) | None => Type::Jsonb,
                Some(element) => Type::Array(Box::new(element)),
            },
            _ => common(&self.kinds).unwrap_or(Type::Jsonb),
        }
    }

    /// What whoever reads the proposal should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.kinds.is_empty() {
            notes.push("no value was seen, so any is taken".to_owned());
        } else if self.kinds.len() > 1 && self.ty() == Type::Jsonb {
            notes.push(format!("holds values of {} kinds, so any is taken", self.kinds.len()));
        }
        if self.kinds.contains(&Kind::Object) {
            notes.push("its object ids become text of 24 digits".to_owned());
        }
        if self.kinds.contains(&Kind::Other) {
            notes.push("holds values of a type that only MongoDB has".to_owned());
        }
        notes
    }
}

fn kind(value: &Bson) -> Option<Kind> {
    Some(match value {
        Bson::Null | Bson::Undefined => return None,
        Bson::Boolean(_) => Kind::Bool,
        Bson::Int32(_) | Bson::Int64(_) => Kind::Integer,
        Bson::Double(_) => Kind::Float,
        Bson::Decimal128(_) => Kind::Decimal,
        Bson::String(_) | Bson::Symbol(_) => Kind::Text,
        Bson::ObjectId(_) => Kind::Object,
        Bson::DateTime(_) => Kind::Moment,
        Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid => Kind::Uuid,
        Bson::Binary(_) => Kind::Bytes,
        Bson::Document(_) => Kind::Document,
        Bson::Array(_) => Kind::Array,
        _ => Kind::Other,
    })
}

/// The type that all of these kinds fit; none of no kind.
fn common(kinds: &BTreeSet<Kind>) -> Option<Type> {
    let only = |some: &[Kind]| kinds.iter().all(|kind| some.contains(kind));
    if kinds.is_empty() {
        return None;
    }
    Some(if only(&[Kind::Bool]) {
        Type::Bool
    } else if only(&[Kind::Integer]) {
        Type::Int8
    } else if only(&[Kind::Float]) {
        Type::Float8
    } else if only(&[Kind::Integer, Kind::Float, Kind::Decimal]) {
        Type::Numeric(None)
    } else if only(&[Kind::Text, Kind::Object]) {
        Type::Text
    } else if only(&[Kind::Moment]) {
        Type::Timestamptz
    } else if only(&[Kind::Uuid]) {
        Type::Uuid
    } else if only(&[Kind::Bytes]) {
        Type::Bytes
    } else {
        Type::Jsonb
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{bson, oid::ObjectId};

    fn guessed(values: &[Bson]) -> String {
        let mut guess = Guess::default();
        values.iter().for_each(|value| guess.see(value));
        guess.ty().sql_name()
    }

    #[test]
    fn the_narrowest_type_that_fits_is_proposed() {
        assert_eq!(guessed(&[bson!(1), bson!(2_i64), Bson::Null]), "bigint");
        assert_eq!(guessed(&[bson!(1), bson!(1.5)]), "numeric");
        assert_eq!(guessed(&[bson!("a"), ObjectId::new().into()]), "text");
        assert_eq!(guessed(&[bson!(["a", null]), bson!([])]), "text[]");
        assert_eq!(guessed(&[bson!([]), bson!([])]), "jsonb");
        assert_eq!(guessed(&[bson!(["a", { "b": 1 }])]), "jsonb");
        assert_eq!(guessed(&[bson!("a"), bson!(1)]), "jsonb");
        assert_eq!(guessed(&[bson!({ "a": 1 })]), "jsonb");
        assert_eq!(guessed(&[]), "jsonb");
    }
}
