//! Bodies of requests: JSON that means the same to everybody who reads it.

use std::fmt;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value as Json};
use truststream_kernel::{Error, ErrorKind, Result};

/// No request of this API needs more.
const LIMIT: usize = 1 << 20;

/// Reads a body as JSON.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T> {
    let bytes = collect(headers, body).await?;
    parse(&bytes)
}

/// Reads a body that may be absent.
pub(super) async fn read_or_default<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T> {
    let bytes = collect(headers, body).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > LIMIT) {
        return Err(too_large());
    }
    to_bytes(body, LIMIT).await.map_err(|error| too_large().with_source(error))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let wrong = |error: serde_json::Error| {
        let message = format!("Could not parse request body as JSON: {error}");
        Error::new(ErrorKind::InvalidInput, "bad_json", message)
    };
    let Strict(value) = serde_json::from_slice(bytes).map_err(wrong)?;
    if !value.is_object() {
        return Err(wrong(serde_json::Error::custom("expected an object")));
    }
    serde_json::from_value(value).map_err(wrong)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "validation_failed", "The request body is too large")
}

/// JSON without the two things that readers disagree on: an object that has a key twice, and NUL
/// inside texts.
struct Strict(Json);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        checked(text).map(|text| Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            checked::<A::Error>(&key)?;
            let Strict(value) = members.next_value()?;
            if object.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("key {key:?} is there twice")));
            }
        }
        Ok(Json::Object(object))
    }
}

fn checked<E: serde::de::Error>(text: &str) -> Result<&str, E> {
    if text.contains('\0') { Err(E::custom("a text holds the character NUL")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,3.5,null,true,"x"],"b":{"c":{}}}"#;
        assert_eq!(
            parse::<Json>(text.as_bytes()).unwrap(),
            json!({ "a": [1, -2, 3.5, null, true, "x"], "b": { "c": {} } })
        );
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        let deep = "[".repeat(100_000);
        for text in [
            r#"{"email":"a","email":"b"}"#,
            r#"{"data":{"role":1,"role":2}}"#,
            r#"{"email":"a\u0000b"}"#,
            r#"{"a\u0000":1}"#,
            r#"{"email":"#,
            "no",
            "[]",
            "",
            "\u{feff}{}",
            r#"{"a":1} {"a":2}"#,
            r#"{"a":1e999}"#,
            &deep,
        ] {
            assert_eq!(parse::<Json>(text.as_bytes()).unwrap_err().code(), "bad_json", "{text:.40}");
        }
    }

    #[tokio::test]
    async fn large_bodies_are_not_read() {
        let large = Body::from(vec![b' '; LIMIT + 1]);
        assert_eq!(read::<Json>(&HeaderMap::new(), large).await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
