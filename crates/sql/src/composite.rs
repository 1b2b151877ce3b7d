//! Values of composite types as texts: a value has one text, the one PostgreSQL prints for it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use truststream_kernel::value::{decimal, json, zone};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Attribute, Catalog};

use crate::printed::record;
use crate::schema::{enum_table, type_named};

/// Composite types within one another.
const DEEPEST: usize = 16;

/// A composite type, as its values are read and printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composite {
    name: String,
    fields: Vec<(String, Kind)>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Value(Type),
    /// One of an enum's labels.
    Label(String, Vec<String>),
    Record(Composite),
}

impl Composite {
    /// The composite type that a type is, if values of all its fields can be read here.
    pub fn of(catalog: &Catalog, ty: &Type) -> Option<Self> {
        let Type::Other(name) = ty else { return None };
        Composite::named(catalog, name, 0)
    }

    fn named(catalog: &Catalog, name: &str, depth: usize) -> Option<Self> {
        let attributes = catalog.composites.get(&enum_table(name)).filter(|_| depth < DEEPEST)?;
        let field = |one: &Attribute| Some((one.name.clone(), Kind::of(catalog, one, depth)?));
        let fields = attributes.iter().map(field).collect::<Option<_>>()?;
        Some(Composite { name: name.to_owned(), fields })
    }

    /// The type as a text that [`Composite::described`] reads.
    pub fn description(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The type of a description.
    ///
    /// # Errors
    /// A text that is none.
    pub fn described(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::internal("a composite type can't be read").with_source(error))
    }

    /// Whether PostgreSQL tells values apart exactly where their texts differ.
    pub fn is_told_by_text(&self) -> bool {
        self.fields.iter().all(|(_, kind)| match kind {
            Kind::Label(..) => true,
            Kind::Record(inner) => inner.is_told_by_text(),
            Kind::Value(
                Type::Bytes
                | Type::Date
                | Type::Time
                | Type::Timestamp
                | Type::Timestamptz
                | Type::Numeric(Some(_)),
            ) => true,
            Kind::Value(ty) => ty.has_one_form(),
        })
    }

    /// Whether [`Composite::key`] tells values apart as PostgreSQL does.
    pub fn is_comparable(&self) -> bool {
        self.fields.iter().all(|(_, kind)| match kind {
            Kind::Label(..) => true,
            Kind::Record(inner) => inner.is_comparable(),
            Kind::Value(ty) => {
                !matches!(ty, Type::Json | Type::Jsonb | Type::Interval | Type::Array(_) | Type::Other(_))
            }
        })
    }

    /// Whether values are shown otherwise in another time zone.
    pub fn is_of_session(&self) -> bool {
        fn shows_moments(ty: &Type) -> bool {
            match ty {
                Type::Array(element) => shows_moments(element),
                ty => *ty == Type::Timestamptz,
            }
        }
        self.fields.iter().any(|(_, kind)| match kind {
            Kind::Value(ty) => shows_moments(ty),
            Kind::Label(..) => false,
            Kind::Record(inner) => inner.is_of_session(),
        })
    }

    /// The type of a field.
    pub fn field(&self, name: &str) -> Option<Type> {
        let (_, kind) = self.fields.iter().find(|(field, _)| field == name)?;
        Some(kind.ty())
    }

    /// The types of the fields in order.
    pub fn types(&self) -> Vec<Type> {
        self.fields.iter().map(|(_, kind)| kind.ty()).collect()
    }

    /// The text of a value that is written as `(a,b)`.
    ///
    /// # Errors
    /// 22P02 for what is no record of so many fields, and those of its fields.
    pub fn parse(&self, text: &str) -> Result<String> {
        let fields = self.read(text)?.into_iter().zip(&self.fields);
        let texts = fields.map(|(text, (_, kind))| text.map(|text| kind.parse(&text)).transpose());
        Ok(record::printed(&texts.collect::<Result<Vec<_>>>()?))
    }

    /// The text of a value that is written as JSON: an object, or a text that [`Composite::parse`] reads;
    /// `None` for null.
    ///
    /// # Errors
    /// 22023 for what is neither, and those of its fields.
    pub fn of_json(&self, json: &RawValue) -> Result<Option<String>> {
        let wrong = |what: &str| {
            let message = format!("cannot call populate_composite on {what}");
            Err(Error::new(ErrorKind::InvalidInput, "22023", message))
        };
        match json.get().as_bytes().first() {
            Some(b'n') => Ok(None),
            Some(b'"') => match Value::from_raw_json(&Type::Text, json)? {
                Value::Text(text) => self.parse(&text).map(Some),
                _ => wrong("a scalar"),
            },
            Some(b'{') => {
                let members: IndexMap<String, &RawValue> = serde_json::from_str(json.get())
                    .map_err(|error| Error::internal("a JSON object can't be read").with_source(error))?;
                let of = |(name, kind): &(String, Kind)| match members.get(name) {
                    Some(json) => kind.of_json(json),
                    None => Ok(None),
                };
                let texts = self.fields.iter().map(of).collect::<Result<Vec<_>>>()?;
                Ok(Some(record::printed(&texts)))
            }
            Some(b'[') => wrong("an array"),
            _ => wrong("a scalar"),
        }
    }

    /// The text of the value that has these fields.
    pub fn of_values(&self, values: &[Value]) -> String {
        let of = |(value, (_, kind)): (&Value, &(String, Kind))| kind.text(value);
        record::printed(&values.iter().zip(&self.fields).map(of).collect::<Vec<_>>())
    }

    /// The text that a session shows of a value: moments are in its time zone.
    ///
    /// # Errors
    /// A text that is no value of the type.
    pub fn shown(&self, text: &str) -> Result<String> {
        let fields = self.read(text)?.into_iter().zip(&self.fields);
        let texts = fields.map(|(text, (_, kind))| text.map(|text| kind.shown(text)).transpose());
        Ok(record::printed(&texts.collect::<Result<Vec<_>>>()?))
    }

    /// The JSON object that PostgreSQL's `to_json` makes of a value.
    ///
    /// # Errors
    /// A text that is no value of the type.
    pub fn to_json(&self, text: &str) -> Result<String> {
        let mut out = String::from("{");
        for (at, (text, (name, kind))) in self.read(text)?.into_iter().zip(&self.fields).enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::push_string(&mut out, name);
            out.push(':');
            match text {
                None => out.push_str("null"),
                Some(text) => out.push_str(&kind.to_json(&text)?),
            }
        }
        out.push('}');
        Ok(out)
    }

    /// A field of a value, in the form that [`Composite::field`] has the type of.
    ///
    /// # Errors
    /// A text that is no value of the type.
    pub fn get(&self, text: &str, name: &str) -> Result<Value> {
        let mut fields = self.read(text)?.into_iter().zip(&self.fields);
        let Some((Some(text), (_, kind))) = fields.find(|(_, (field, _))| field == name) else {
            return Ok(Value::Null);
        };
        Value::parse(&kind.ty(), &text)
    }

    /// A text that is the same for values that PostgreSQL takes for equal.
    ///
    /// # Errors
    /// A text that is no value of the type.
    pub fn key(&self, text: &str) -> Result<String> {
        let fields = self.read(text)?.into_iter().zip(&self.fields);
        let keys = fields.map(|(text, (_, kind))| text.map(|text| kind.key(text)).transpose());
        Ok(record::printed(&keys.collect::<Result<Vec<_>>>()?))
    }

    fn read(&self, text: &str) -> Result<Vec<Option<String>>> {
        record::given(text, self.fields.len())
    }
}

impl Kind {
    fn of(catalog: &Catalog, attribute: &Attribute, depth: usize) -> Option<Self> {
        let bare = attribute.type_name.replace('"', "");
        let element = enum_table(bare.trim_end_matches("[]").trim());
        // A domain's rules hold within a record too, and citext compares in its own way.
        if catalog.domains.contains_key(&element) || element.name.eq_ignore_ascii_case("citext") {
            return None;
        }
        match type_named(catalog, &attribute.type_name) {
            Type::Enum(name) => {
                let labels = catalog.enums.get(&enum_table(&name))?.clone();
                Some(Kind::Label(name, labels))
            }
            Type::Other(name) => Composite::named(catalog, &name, depth + 1).map(Kind::Record),
            Type::Array(element) if matches!(*element, Type::Enum(_) | Type::Other(_) | Type::Array(_)) => {
                None
            }
            ty => Some(Kind::Value(ty)),
        }
    }

    fn ty(&self) -> Type {
        match self {
            Kind::Value(ty) => ty.clone(),
            Kind::Label(name, _) => Type::Enum(name.clone()),
            Kind::Record(inner) => Type::Other(inner.name.clone()),
        }
    }

    fn parse(&self, text: &str) -> Result<String> {
        match self {
            Kind::Value(ty) => Ok(self.text(&Value::parse(ty, text)?).unwrap_or_default()),
            Kind::Label(name, labels) => {
                if labels.iter().any(|label| label == text) {
                    return Ok(text.to_owned());
                }
                let message = format!("invalid input value for enum {name}: \"{text}\"");
                Err(Error::new(ErrorKind::InvalidInput, "22P02", message))
            }
            Kind::Record(inner) => inner.parse(text),
        }
    }

    fn of_json(&self, json: &RawValue) -> Result<Option<String>> {
        match self {
            Kind::Value(ty) => Ok(self.text(&Value::from_raw_json(ty, json)?)),
            Kind::Label(..) => match Value::from_raw_json(&Type::Text, json)? {
                Value::Text(label) => self.parse(&label).map(Some),
                _ => Ok(None),
            },
            Kind::Record(inner) => inner.of_json(json),
        }
    }

    /// The text of a value, which is the same wherever its session is.
    fn text(&self, value: &Value) -> Option<String> {
        zone::within(None, || match self {
            Kind::Value(ty) => value.to_text_as(ty),
            _ => value.to_text(),
        })
    }

    fn shown(&self, text: String) -> Result<String> {
        match self {
            Kind::Value(ty) => Ok(Value::parse(ty, &text)?.to_text_as(ty).unwrap_or(text)),
            Kind::Label(..) => Ok(text),
            Kind::Record(inner) => inner.shown(&text),
        }
    }

    fn to_json(&self, text: &str) -> Result<String> {
        match self {
            Kind::Value(ty) => Ok(Value::parse(ty, text)?.to_json_as(ty)),
            Kind::Label(..) => Ok(Value::Text(text.to_owned()).to_json()),
            Kind::Record(inner) => inner.to_json(text),
        }
    }

    fn key(&self, text: String) -> Result<String> {
        Ok(match self {
            Kind::Record(inner) => inner.key(&text)?,
            Kind::Value(Type::Numeric(_)) => decimal::normal(&text).into_owned(),
            Kind::Value(Type::Float4 | Type::Float8) if text == "-0" => "0".to_owned(),
            Kind::Value(Type::Char(_)) => text.trim_end_matches(' ').to_owned(),
            _ => text,
        })
    }
}

/// Whether a text is a record of which every field is null, or none is.
///
/// # Errors
/// A text that is no record.
pub fn nulls(text: &str) -> Result<(bool, bool)> {
    let fields = record::fields(text)?;
    Ok((fields.iter().all(Option::is_none), fields.iter().all(Option::is_some)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    const TYPES: &str = "create type mood as enum ('ok', 'sad');
        create type spot as (x int, y numeric);
        create type visit as (at timestamptz, place spot, mood mood, tags text[], note varchar(3));
        create domain small as int check (value < 10);
        create type ruled as (n small);";

    fn named(name: &str) -> Option<Composite> {
        let mut catalog = Catalog::default();
        for statement in schema::parse(TYPES).unwrap() {
            schema::apply(&mut catalog, &statement).unwrap();
        }
        Composite::of(&catalog, &Type::Other(name.into()))
    }

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_value_has_one_text() {
        let visit = named("visit").unwrap();
        let text = r#"("2024-01-01 00:00:00+00","(1,2.50)",ok,"{a,""b c""}",)"#;
        assert_eq!(visit.parse(r#" ("2024-01-01 01:00+01","( 1,2.50)",ok,"{a,b c}",) "#).unwrap(), text);
        let object =
            r#"{"at":"2024-01-01T00:00:00Z","place":{"y":2.50,"x":1},"mood":"ok","tags":["a","b c"]}"#;
        assert_eq!(visit.of_json(&json(object)).unwrap().unwrap(), text);
        let shown = r#"{"at":"2024-01-01T00:00:00+00:00","place":{"x":1,"y":2.50},"mood":"ok","tags":["a","b c"],"note":null}"#;
        assert_eq!(visit.to_json(text).unwrap(), shown);
        let there = zone::within(zone::Zone::named("America/New_York"), || visit.shown(text)).unwrap();
        assert_eq!(there, text.replace("2024-01-01 00:00:00+00", "2023-12-31 19:00:00-05"));
        assert!(visit.is_of_session() && !named("spot").unwrap().is_of_session());
        assert_eq!(visit.get(text, "mood").unwrap(), Value::Text("ok".into()));
        assert_eq!(visit.get(text, "note").unwrap(), Value::Null);
        assert_eq!(Composite::described(&visit.description()).unwrap(), visit);
    }

    #[test]
    fn what_is_no_value_is_refused_in_words() {
        let spot = named("spot").unwrap();
        for (text, details) in [
            ("1,2", "Missing left parenthesis."),
            ("(1)", "Too few columns."),
            ("(1,2,3)", "Too many columns."),
            ("(1,2) x", "Junk after right parenthesis."),
            ("(1,\"2", "Unexpected end of input."),
        ] {
            let error = spot.parse(text).unwrap_err();
            assert_eq!(
                (error.code(), error.message()),
                ("22P02", &*format!("malformed record literal: \"{text}\""))
            );
            assert_eq!(error.details().unwrap(), details);
        }
        assert_eq!(spot.parse("(a,1)").unwrap_err().code(), "22P02");
        assert_eq!(spot.of_json(&json("[1,2]")).unwrap_err().code(), "22023");
        assert_eq!(named("visit").unwrap().parse("(,,,,long)").unwrap_err().code(), "22001");
        assert!(named("ruled").is_none());
    }

    #[test]
    fn equal_values_have_one_key() {
        let spot = named("spot").unwrap();
        assert!(spot.is_comparable() && !spot.is_told_by_text());
        assert_eq!(spot.key("(1,2.50)").unwrap(), spot.key("(1,2.5)").unwrap());
        assert_ne!(spot.key("(1,)").unwrap(), spot.key("(1,0)").unwrap());
        assert_eq!((nulls("(,)").unwrap(), nulls("(1,)").unwrap()), ((true, false), (false, false)));
    }
}
