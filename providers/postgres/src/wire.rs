//! Values on the wire: parameters as texts of whatever type the server infers, columns as bytes.

use std::error::Error as StdError;

use bytes::{BufMut, Bytes, BytesMut};
use postgres_types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A parameter: a text that the server reads as the type it infers, or null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param(Option<Bytes>);

impl Param {
    pub(crate) const NULL: Param = Param(None);

    /// Bytes of the text.
    pub(crate) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, Bytes::len)
    }
}

impl<T: Into<Bytes>> From<T> for Param {
    fn from(text: T) -> Self {
        Param(Some(text.into()))
    }
}

impl ToSql for Param {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(match &self.0 {
            None => IsNull::Yes,
            Some(text) => {
                out.put_slice(text);
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// The bytes of a column as the server sent them: the text itself for `text`, `json`, `xml`, the
/// bytes for `bytea`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
