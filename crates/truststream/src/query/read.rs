//! Reading rows.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{self, Count, Database, Media, Page, Step};

use super::request::{COUNTED, Request, total};
use super::version::Versioned;
use crate::decode::{one, rows};

/// A read that has not been sent yet.
pub type Select<'c> = Request<'c, Rows>;

/// What [`Select`] does: it reads rows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    with_deleted: bool,
    pub(super) after: Option<String>,
}

impl Request<'_, Rows> {
    /// Rows that were deleted softly are read as well.
    pub fn with_deleted(mut self) -> Self {
        self.action.with_deleted = true;
        self
    }

    /// The only row and its version, for [`Request::if_version`]. It has one if all columns and
    /// nothing else is selected.
    ///
    /// # Errors
    /// As [`Request::single`].
    pub async fn single_versioned<T: DeserializeOwned>(self) -> Result<Versioned<T>> {
        Versioned::of(self.send(Media::Object, None).await?)
    }
    /// The rows.
    ///
    /// # Errors
    /// What is wrong in the request or not allowed; a row that does not fit `T`, naming the column.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        rows(&self.send_for_values(Media::Json, None).await?)
    }

    /// The only row.
    ///
    /// # Errors
    /// `PGRST116` when there is none or more than one; as [`Request::fetch`] otherwise.
    pub async fn single<T: DeserializeOwned>(self) -> Result<T> {
        one(&self.send_for_values(Media::Object, None).await?)
    }

    /// The only row, or `None` if there is none.
    ///
    /// # Errors
    /// `PGRST116` when there is more than one; as [`Request::fetch`] otherwise.
    pub async fn maybe_single<T: DeserializeOwned>(mut self) -> Result<Option<T>> {
        // Two rows tell as much as all of them.
        self.query.limit = Some(self.query.limit.map_or(2, |limit| limit.min(2)));
        let mut rows = rows::<T>(&self.send_for_values(Media::Json, None).await?)?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(several()),
        }
    }

    /// How many rows there are, without reading them.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn count(mut self) -> Result<u64> {
        self.query.limit = Some(0);
        self.query.offset = 0;
        total(&self.send(Media::Json, COUNTED).await?)
    }

    /// The rows, and how many there would be without `limit` and `offset`.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn fetch_counted<T: DeserializeOwned>(self) -> Result<(Vec<T>, u64)> {
        let page = self.send_for_values(Media::Json, COUNTED).await?;
        Ok((rows(&page)?, total(&page)?))
    }

    /// The rows as the JSON text that the engine made.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn json(self) -> Result<Bytes> {
        Ok(self.send(Media::Json, None).await?.body)
    }

    /// The rows as CSV with a header line.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn csv(self) -> Result<Bytes> {
        Ok(self.send(Media::Csv, None).await?.body)
    }

    /// The same read on another handle, beginning after a cursor.
    pub(crate) fn again<'d>(&self, database: &'d Database, cursor: Option<&str>) -> Request<'d, Rows> {
        let action =
            Rows { after: cursor.map(str::to_owned).or_else(|| self.action.after.clone()), ..self.action };
        let query = self.query.clone();
        let again = Request::new(database, self.target.clone(), action);
        again.edit(|own| {
            *own = query;
            Ok(())
        })
    }

    /// The read as a step of several.
    pub(crate) fn into_step(self, media: Media, count: Option<Count>) -> Result<Step> {
        self.into_select(media, count).map(Step::from)
    }

    fn into_select(mut self, media: Media, count: Option<Count>) -> Result<database::Select> {
        self.check()?;
        let mut select = database::Select::new(self.target, self.query);
        select.format.media = media;
        select.count = count;
        select.transaction.include_deleted = self.action.with_deleted;
        Ok(select)
    }

    pub(super) async fn send(self, media: Media, count: Option<Count>) -> Result<Page> {
        let database = self.database;
        database.send(self.into_select(media, count)?).await
    }

    /// Sends what is read as typed rows, which need not become JSON on their way.
    async fn send_for_values(self, media: Media, count: Option<Count>) -> Result<Page> {
        let database = self.database;
        let select = self.into_select(media, count)?;
        database.send(database::Select { as_values: true, ..select }).await
    }
}

fn several() -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST116", "Cannot coerce the result to a single JSON object")
        .with_details("The result contains more than one row")
}
