//! A row of values as serde reads it: what serde makes of the JSON that the row stands for, without
//! the JSON.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Number};
use truststream_kernel::value::{Cell, Rows};

/// The rows, each to be read as one object.
pub(super) fn rows(rows: &Rows) -> impl Iterator<Item = Row<'_, impl ExactSizeIterator<Item = Cell<'_>>>> {
    rows.iter().map(|cells| Row { names: rows.columns(), cells, value: None })
}

/// A row that is being read.
pub(super) struct Row<'r, C> {
    /// Names of the cells to come.
    names: &'r [String],
    cells: C,
    /// The cell whose name was read last.
    value: Option<Cell<'r>>,
}

impl<'r, C: Iterator<Item = Cell<'r>>> Deserializer<'r> for Row<'r, C> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    fn deserialize_option<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'r>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <W: Visitor<'r>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'r, C: Iterator<Item = Cell<'r>>> MapAccess<'r> for Row<'r, C> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'r>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let (Some((name, names)), Some(cell)) = (self.names.split_first(), self.cells.next()) else {
            return Ok(None);
        };
        self.names = names;
        self.value = Some(cell);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'r>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Value(self.value.take().unwrap_or(Cell::Null)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.names.len())
    }
}

/// A cell that is being read.
struct Value<'r>(Cell<'r>);

/// What is held as JSON is read as JSON, whatever is wanted of it; all else says what it is.
macro_rules! cells {
    ($($method:ident($($argument:ident: $ty:ty),*);)+) => {
        $(fn $method<V: Visitor<'r>>(self, $($argument: $ty,)* visitor: V) -> Result<V::Value, Error> {
            match self.0 {
                Cell::Json(json) => serde_json::Deserializer::from_str(json).$method($($argument,)* visitor),
                _ => self.plain(visitor),
            }
        })+
    };
}

impl<'r> Value<'r> {
    fn plain<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Null => visitor.visit_unit(),
            Cell::Bool(value) => visitor.visit_bool(value),
            // As in JSON, only what is below zero has a sign.
            Cell::Int(value) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(value),
            },
            Cell::Text(text) => visitor.visit_borrowed_str(text),
            // A float without a fraction is an integer in JSON.
            Cell::Float(_) => {
                let mut json = String::new();
                self.0.write_json(&mut json);
                serde_json::from_str::<Number>(&json)?.deserialize_any(visitor)
            }
            Cell::Json(json) => serde_json::Deserializer::from_str(json).deserialize_any(visitor),
        }
    }
}

impl<'r> Deserializer<'r> for Value<'r> {
    type Error = Error;

    cells! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_identifier();
    }

    fn deserialize_f32<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Float(value) => visitor.visit_f64(value),
            Cell::Json(json) => serde_json::Deserializer::from_str(json).deserialize_f64(visitor),
            _ => self.plain(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Text(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Cell::Json(json) => serde_json::Deserializer::from_str(json).deserialize_bytes(visitor),
            _ => self.plain(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Null => visitor.visit_none(),
            Cell::Json(json) => serde_json::Deserializer::from_str(json).deserialize_option(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'r>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Json(json) => {
                serde_json::Deserializer::from_str(json).deserialize_newtype_struct(name, visitor)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'r>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Cell::Text(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Cell::Json(json) => {
                serde_json::Deserializer::from_str(json).deserialize_enum(name, variants, visitor)
            }
            _ => self.plain(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}
