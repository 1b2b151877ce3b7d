//! A row and the version it was read in.

use serde::de::DeserializeOwned;
use truststream_kernel::{Error, Result};
use truststream_services::database::Page;

use crate::decode::decode;

/// A row and its version: a digest of what its reader sees of it, the same on every backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The row.
    pub row: T,
    /// Its version, to be given to [`Request::if_version`](super::Request::if_version).
    pub version: String,
}

impl<T: DeserializeOwned> Versioned<T> {
    pub(super) fn of(page: Page) -> Result<Self> {
        let Some(version) = page.version else {
            return Err(Error::invalid_input("only a whole row has a version: select `*` and nothing else"));
        };
        Ok(Versioned { row: decode(&page.body)?, version })
    }
}
