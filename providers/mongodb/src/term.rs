//! Terms of the aggregation language: a value with its type, and comparisons that know of null.
//!
//! A condition is made in two forms: [`Want::True`] holds exactly where SQL's condition is true,
//! [`Want::False`] exactly where it is false. So null, which is neither, needs no value of its own.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::Catalog;
use truststream_sql::composite::Composite;

use crate::elements::listed;
use crate::rank::ranked;
use crate::record::{self, is_record};
use crate::schema::labels;
use crate::span;
use crate::storage;

/// What stands for no value at all.
pub(crate) const NOTHING: &str = "$$REMOVE";
/// What stands for arguments that are not known.
const UNKNOWN: &str = "$$ROOT";

/// A value as an expression, with its type.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// The expression: null for SQL's null; for JSON the bare value, missing for SQL's null.
    pub(crate) expr: Bson,
    pub(crate) ty: Type,
    /// What a value of `json` is written as (`written.rs`), where that is not as `jsonb` prints it; it counts
    /// where there is a value.
    pub(crate) text: Option<Bson>,
}

/// Which outcome of a condition an expression tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    True,
    False,
}

impl Want {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Want::True => Want::False,
            Want::False => Want::True,
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Relation {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Relation::Eq => Relation::Ne,
            Relation::Ne => Relation::Eq,
            Relation::Gt => Relation::Le,
            Relation::Ge => Relation::Lt,
            Relation::Lt => Relation::Ge,
            Relation::Le => Relation::Gt,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Relation::Eq => "$eq",
            Relation::Ne => "$ne",
            Relation::Gt => "$gt",
            Relation::Ge => "$gte",
            Relation::Lt => "$lt",
            Relation::Le => "$lte",
        }
    }
}

/// A constant; nothing in it is read as an expression.
pub(crate) fn constant(value: impl Into<Bson>) -> Bson {
    Bson::Document(doc! { "$literal": value.into() })
}

/// What the engine makes an error of, with these words in it. It is no constant: those are computed before
/// there are rows, also where no row would come to them.
pub(crate) fn refusal(words: impl Into<String>) -> Bson {
    doc! { "$toInt": { "$ifNull": ["$%none", constant(words.into())] } }.into()
}

/// The value of a constant.
pub(crate) fn constant_of(expr: &Bson) -> Option<&Bson> {
    match expr {
        Bson::Document(document) if document.len() == 1 => document.get("$literal"),
        _ => None,
    }
}

/// All conditions together.
pub(crate) fn all(mut conditions: Vec<Bson>) -> Bson {
    match conditions.len() {
        0 => Bson::Boolean(true),
        1 => conditions.remove(0),
        _ => Bson::Document(doc! { "$and": conditions }),
    }
}

/// At least one of the conditions.
pub(crate) fn any(mut conditions: Vec<Bson>) -> Bson {
    match conditions.len() {
        0 => Bson::Boolean(false),
        1 => conditions.remove(0),
        _ => Bson::Document(doc! { "$or": conditions }),
    }
}

pub(crate) fn not(condition: Bson) -> Bson {
    Bson::Document(doc! { "$not": [condition] })
}

pub(crate) fn is_json(ty: &Type) -> bool {
    matches!(ty, Type::Json | Type::Jsonb)
}

impl Term {
    pub(crate) fn new(expr: impl Into<Bson>, ty: Type) -> Self {
        Term { expr: expr.into(), ty, text: None }
    }

    /// One of two values.
    pub(crate) fn either(condition: Bson, then: Term, otherwise: Term) -> Self {
        let cond = |then: Bson, otherwise: Bson| -> Bson {
            doc! { "$cond": [condition.clone(), then, otherwise] }.into()
        };
        let none = || Bson::from(NOTHING);
        let text = match (then.text, otherwise.text) {
            (None, None) => None,
            (one, other) => Some(cond(one.unwrap_or_else(none), other.unwrap_or_else(none))),
        };
        Term { expr: cond(then.expr, otherwise.expr), ty: then.ty, text }
    }

    /// What is not known before a function is called.
    pub(crate) fn unknown(ty: Type) -> Self {
        Term::new(UNKNOWN, ty)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.expr == Bson::String(UNKNOWN.to_owned())
    }

    /// A value as columns store it, at a path.
    pub(crate) fn stored(path: String, ty: Type) -> Self {
        // For SQL's null, which is no document, the value of JSON is missing.
        if !is_json(&ty) {
            return Term::new(path, ty);
        }
        let text = (ty == Type::Json).then(|| format!("{path}.t").into());
        Term { expr: format!("{path}.v").into(), ty, text }
    }

    /// A value known beforehand.
    ///
    /// # Errors
    /// 0A000 for a number of more than 34 digits.
    pub(crate) fn value(value: &Value, ty: &Type) -> Result<Self> {
        if *value == Value::Null {
            return Ok(Term::new(
                if is_json(ty) { NOTHING.into() } else { constant(Bson::Null) },
                ty.clone(),
            ));
        }
        Ok(Term::of_stored(storage::bson(value, ty)?, ty))
    }

    /// The same of a type that the catalog may have made.
    ///
    /// # Errors
    /// Those of [`storage::stored`].
    pub(crate) fn given(catalog: &Catalog, value: &Value, ty: &Type) -> Result<Self> {
        match value {
            Value::Null => Term::value(value, ty),
            _ => Ok(Term::of_stored(storage::stored(catalog, value, ty)?, ty)),
        }
    }

    fn of_stored(stored: Bson, ty: &Type) -> Self {
        match stored {
            Bson::Document(mut parts) if is_json(ty) => {
                let text = parts.remove("t").map(constant);
                let value = parts.remove("v").unwrap_or(Bson::Null);
                Term { expr: constant(value), ty: ty.clone(), text }
            }
            other => Term::new(constant(other), ty.clone()),
        }
    }

    /// Its value, where that is known beforehand.
    ///
    /// # Errors
    /// What is no value of its type.
    pub(crate) fn known(&self) -> Result<Option<Value>> {
        if self.expr == Bson::String(NOTHING.to_owned()) {
            return Ok(Some(Value::Null));
        }
        let Some(known) = constant_of(&self.expr) else { return Ok(None) };
        if !is_json(&self.ty) {
            return storage::value(known, &self.ty).map(Some);
        }
        let mut parts = doc! { "v": known.clone() };
        if let Some(text) = &self.text {
            let Some(text) = constant_of(text) else { return Ok(None) };
            parts.insert("t", text.clone());
        }
        storage::value(&parts.into(), &self.ty).map(Some)
    }

    /// A literal in PostgreSQL's input syntax of a type.
    ///
    /// # Errors
    /// Those of wrong literals: 22P02 and its like.
    pub(crate) fn literal(catalog: &Catalog, text: &str, ty: &Type) -> Result<Self> {
        Term::given(catalog, &parsed(catalog, text, ty)?, ty)
    }

    /// Whether it is null, or is not.
    pub(crate) fn is_null(&self, want: Want) -> Bson {
        if let Some(known) = constant_of(&self.expr) {
            return Bson::Boolean((*known == Bson::Null && !is_json(&self.ty)) == (want == Want::True));
        }
        let (word, against): (_, Bson) = if is_json(&self.ty) {
            // Only what is missing sorts before null; not every server tells the type of what a
            // variable leads to.
            return Bson::Document(match want {
                Want::True => doc! { "$lt": [self.expr.clone(), Bson::Null] },
                Want::False => doc! { "$gte": [self.expr.clone(), Bson::Null] },
            });
        } else {
            (if want == Want::True { "$eq" } else { "$ne" }, Bson::Null)
        };
        // A missing field is null too.
        let expr = doc! { "$ifNull": [self.expr.clone(), Bson::Null] };
        Bson::Document(Document::from_iter([(word.to_owned(), Bson::Array(vec![expr.into(), against]))]))
    }

    /// In a form that sorts and compares as PostgreSQL does.
    pub(crate) fn comparable(&self, catalog: &Catalog) -> Bson {
        let expr = self.expr.clone();
        if let Some(labels) = labels(catalog, &self.ty) {
            let labels: Vec<Bson> = labels.iter().cloned().map(Bson::String).collect();
            return Bson::Document(doc! { "$cond": [
                self.is_null(Want::True),
                Bson::Null,
                { "$indexOfArray": [constant(labels), expr] },
            ]});
        }
        match &self.ty {
            Type::Json | Type::Jsonb => ranked(&expr),
            ty if is_record(catalog, ty) => record::key(self),
            ty if span::is_range(ty) => span::sortable(self),
            ty if storage::is_document(ty) => span::part(&expr, "o"),
            ty if is_wide(ty) => narrow(&expr),
            Type::Array(inner) => listed(catalog, &expr, inner),
            Type::Interval => match constant_of(&expr) {
                Some(Bson::Document(parts)) => constant(parts.get("t").cloned().unwrap_or(Bson::Null)),
                _ => Bson::Document(doc! { "$getField": { "field": "t", "input": expr } }),
            },
            _ => expr,
        }
    }

    /// A comparison, which is null if one side is.
    pub(crate) fn compare(&self, catalog: &Catalog, relation: Relation, other: &Term, want: Want) -> Bson {
        if span::is_range(&self.ty) {
            return span::compared(self, relation, other, want);
        }
        let relation = if want == Want::True { relation } else { relation.opposite() };
        let exact = matches!(relation, Relation::Eq | Relation::Ne);
        let computed = |ty: &Type| *ty == Type::Interval || is_wide(ty) || is_record(catalog, ty);
        let stored = !computed(&self.ty) && !computed(&other.ty);
        let sides = if exact && stored {
            vec![self.expr.clone(), other.expr.clone()]
        } else {
            vec![self.comparable(catalog), other.comparable(catalog)]
        };
        let compared = match constant_of(&other.expr) {
            Some(known @ (Bson::Document(_) | Bson::Array(_))) if exact && is_json(&self.ty) => {
                let equal = crate::contain::json_equals(&self.expr, known);
                if relation == Relation::Eq { equal } else { not(equal) }
            }
            // Not every server takes 1 and 1.0 for equal within arrays, but all of them order them alike.
            _ if exact && matches!(&self.ty, Type::Array(inner) if inner.is_number()) => {
                let order = doc! { "$cmp": sides };
                Document::from_iter([(relation.word().to_owned(), Bson::Array(vec![order.into(), 0.into()]))])
                    .into()
            }
            _ => Document::from_iter([(relation.word().to_owned(), Bson::Array(sides))]).into(),
        };
        let mut conditions = self.known_not_null();
        conditions.extend(other.known_not_null());
        conditions.push(compared);
        if conditions.contains(&Bson::Boolean(false)) {
            return Bson::Boolean(false);
        }
        all(conditions)
    }

    /// What has to hold for it not to be null.
    pub(crate) fn known_not_null(&self) -> Vec<Bson> {
        match self.is_null(Want::False) {
            Bson::Boolean(true) => Vec::new(),
            condition => vec![condition],
        }
    }
}

/// A value of a type from its text, with the labels of enums checked.
///
/// # Errors
/// Those of wrong literals.
pub(crate) fn parsed(catalog: &Catalog, text: &str, ty: &Type) -> Result<Value> {
    checked(catalog, ty, Value::parse(ty, text)?)
}

/// A value whose enum labels exist, and which is written as its composite type has it.
///
/// # Errors
/// 22P02 if one does not.
pub(crate) fn checked(catalog: &Catalog, ty: &Type, value: Value) -> Result<Value> {
    match (&value, ty) {
        (Value::Text(label), Type::Enum(name)) => {
            let known = labels(catalog, ty).is_some_and(|labels| labels.contains(label));
            if known {
                return Ok(value);
            }
            let name = name.rsplit('.').next().unwrap_or(name);
            let message = format!("invalid input value for enum {name}: \"{label}\"");
            Err(Error::new(ErrorKind::InvalidInput, "22P02", message))
        }
        (Value::Text(text), Type::Other(_)) => match Composite::of(catalog, ty) {
            Some(composite) => composite.parse(text).map(Value::Text),
            None => Ok(value),
        },
        (Value::Array(elements), Type::Array(inner)) => {
            for element in elements {
                checked(
                    catalog,
                    if matches!(element, Value::Array(_)) { ty } else { inner },
                    element.clone(),
                )?;
            }
            Ok(value)
        }
        _ => Ok(value),
    }
}

/// Whether a column may hold numbers of more digits than the engine's have.
pub(crate) fn is_wide(ty: &Type) -> bool {
    match ty {
        Type::Numeric(None) => true,
        Type::Numeric(Some((precision, _))) => *precision > 34,
        _ => false,
    }
}

/// A number that the engine can compare and add; of another one it makes an error, which is better
/// than a wrong order.
pub(crate) fn narrow(number: &Bson) -> Bson {
    if matches!(constant_of(number), Some(Bson::Decimal128(_) | Bson::Int64(_) | Bson::Null)) {
        return number.clone();
    }
    Bson::Document(doc! { "$let": {
        // What is missing would not be told from a text by every server.
        "vars": { "n": { "$ifNull": [number.clone(), Bson::Null] } },
        "in": { "$cond": [
            { "$and": [
                { "$eq": [{ "$type": "$$n" }, "string"] },
                { "$ne": ["$$n", constant(storage::NAN)] },
            ] },
            { "$toInt": { "$concat": ["of too many digits: ", "$$n"] } },
            "$$n",
        ] },
    } })
}

/// A float that the engine reckons with: what is kept as a text, to be greater than all others, is the number
/// again that it means.
pub(crate) fn reckoned(float: &Bson) -> Bson {
    doc! { "$cond": [{ "$eq": [float.clone(), constant(storage::NAN)] }, f64::NAN, float.clone()] }.into()
}
