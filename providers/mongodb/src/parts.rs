//! The parts of the documents that the server sends, read where they lie.

use mongodb::bson::raw::{RawBsonRef, RawDocument, RawElement, RawIter};
use truststream_kernel::Result;

use crate::error::unreadable;
use crate::plan::Shape;

/// A part of a document; none where it has none of the name.
pub(crate) type Found<'d> = Option<RawBsonRef<'d>>;

/// The rows of a spread embed, or those of each row around it.
pub(crate) enum Rows<'d> {
    /// There is no row that they would be embedded in.
    Nowhere,
    Of(Vec<&'d RawDocument>),
    Each(Vec<Rows<'d>>),
}

impl<'d> Rows<'d> {
    pub(crate) fn of(found: Found<'d>, shape: &Shape) -> Result<Self> {
        Ok(documents(found, shape)?.map_or(Rows::Nowhere, Rows::Of))
    }

    pub(crate) fn within(&self, key: &str, shape: &Shape) -> Result<Self> {
        let inner = |row: &&'d RawDocument| Rows::of(row.get(key).map_err(unreadable)?, shape);
        Ok(match self {
            Rows::Nowhere => Rows::Nowhere,
            Rows::Of(rows) => Rows::Each(rows.iter().map(inner).collect::<Result<_>>()?),
            Rows::Each(groups) => {
                Rows::Each(groups.iter().map(|one| one.within(key, shape)).collect::<Result<_>>()?)
            }
        })
    }
}

/// The parts of a document, taken in the order in which a shape has them. They lie in that order, so that
/// none is looked for unless one before it is missing.
pub(crate) struct Parts<'d> {
    document: &'d RawDocument,
    rest: RawIter<'d>,
    next: Option<RawElement<'d>>,
}

impl<'d> Parts<'d> {
    pub(crate) fn of(document: &'d RawDocument) -> Result<Self> {
        let mut rest = document.iter_elements();
        let next = rest.next().transpose().map_err(unreadable)?;
        Ok(Parts { document, rest, next })
    }

    pub(crate) fn take(&mut self, key: &str) -> Result<Found<'d>> {
        let found = match &self.next {
            Some(element) if element.key().as_str() == key => element.value().map_err(unreadable)?,
            _ => return self.document.get(key).map_err(unreadable),
        };
        self.next = self.rest.next().transpose().map_err(unreadable)?;
        Ok(Some(found))
    }
}

/// A document without parts, as the server would send it.
const EMPTY: &[u8] = b"\x05\0\0\0\0";

/// The rows of an embed, of which an aggregate of none has one too; `None` where there is no row that they
/// would be embedded in.
pub(crate) fn documents<'d>(found: Found<'d>, shape: &Shape) -> Result<Option<Vec<&'d RawDocument>>> {
    let mut rows = Vec::new();
    match found {
        Some(RawBsonRef::Null) => return Ok(None),
        Some(RawBsonRef::Array(elements)) => {
            for element in elements {
                rows.extend(element.map_err(unreadable)?.as_document());
            }
        }
        _ => {}
    }
    if rows.is_empty() && shape.single_group {
        rows.push(RawDocument::from_bytes(EMPTY).map_err(unreadable)?);
    }
    Ok(Some(rows))
}
