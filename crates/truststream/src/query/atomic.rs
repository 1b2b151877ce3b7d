//! Several requests in one call, all or none.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Batch, Database, Isolation, Media, Page, Returning, Step};

use super::call::Calling;
use super::raw::RawQuery;
use super::read::Rows;
use super::request::Request;
use super::write::Write;
use crate::decode::decode;

/// A request that can be one of several.
pub trait IntoStep {
    /// The request as a value; a write returns the rows it wrote if `returning` says so.
    ///
    /// # Errors
    /// What is wrong in it.
    fn into_step(self, returning: Returning) -> Result<Step>;
}

impl<A: Write> IntoStep for Request<'_, A> {
    fn into_step(self, returning: Returning) -> Result<Step> {
        self.into_step(returning, Media::Json)
    }
}

impl IntoStep for Request<'_, Rows> {
    fn into_step(self, _: Returning) -> Result<Step> {
        self.into_step(Media::Json, None)
    }
}

impl IntoStep for Request<'_, Calling> {
    fn into_step(self, _: Returning) -> Result<Step> {
        self.into_step()
    }
}

impl IntoStep for RawQuery<'_> {
    fn into_step(self, _: Returning) -> Result<Step> {
        self.into_step()
    }
}

/// Several requests that have not been sent yet. They are done in order, in one transaction: all of
/// them or none. The error of one that fails says which it was ([`Error::step`]).
#[must_use = "requests do nothing until they are sent"]
pub struct Atomic<'c> {
    database: &'c Database,
    batch: Batch,
    wrong: Option<Error>,
}

impl<'c> Atomic<'c> {
    pub(crate) fn new(database: &'c Database) -> Self {
        Atomic { database, batch: Batch::default(), wrong: None }
    }

    /// One more request.
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, request: impl IntoStep) -> Self {
        self.push(request.into_step(Returning::Minimal))
    }

    /// One more write, whose rows are returned.
    pub fn add_returning(self, request: impl IntoStep) -> Self {
        self.push(request.into_step(Returning::Representation))
    }

    /// Nothing is done at all unless the request before this touched exactly so many rows: 40001.
    pub fn expect(self, rows: u64) -> Self {
        self.push(Ok(Step::Expect(rows)))
    }

    /// What the requests see of others who write at the same moment.
    pub fn isolation(mut self, level: Isolation) -> Self {
        self.batch.isolation = Some(level);
        self
    }

    fn push(mut self, step: Result<Step>) -> Self {
        match step {
            Ok(step) => self.batch.steps.push(step),
            Err(error) if self.wrong.is_none() => {
                self.wrong = Some(error.at_step(self.batch.steps.len()));
            }
            Err(_) => {}
        }
        self
    }
}

impl<'c> IntoFuture for Atomic<'c> {
    type Output = Result<Replies>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Replies>> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if let Some(error) = self.wrong {
                return Err(error);
            }
            let has_page: Vec<bool> =
                self.batch.steps.iter().map(|step| !matches!(step, Step::Expect(_))).collect();
            let mut pages = self.database.send(self.batch).await?.into_iter();
            Ok(Replies(has_page.into_iter().map(|has| if has { pages.next() } else { None }).collect()))
        })
    }
}

/// What the requests of an [`Atomic`] answered, by their place in it from 0.
#[derive(Debug)]
pub struct Replies(Vec<Option<Page>>);

impl Replies {
    /// Rows that a request returned or touched.
    pub fn rows(&self, index: usize) -> u64 {
        self.page(index).map_or(0, |page| page.rows)
    }

    /// The rows that a request returned.
    ///
    /// # Errors
    /// When it returned none, or one does not fit `T`.
    pub fn decode<T: DeserializeOwned>(&self, index: usize) -> Result<Vec<T>> {
        self.value(index)
    }

    /// What a function that was called returned.
    ///
    /// # Errors
    /// As [`Replies::decode`].
    pub fn value<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        let page = self.page(index).ok_or_else(|| Error::invalid_input(format!("no reply {index}")))?;
        decode(&page.body)
    }

    /// What a request returned, as the JSON text that the engine made.
    pub fn json(&self, index: usize) -> Bytes {
        self.page(index).map(|page| page.body.clone()).unwrap_or_default()
    }

    fn page(&self, index: usize) -> Option<&Page> {
        self.0.get(index)?.as_ref()
    }
}
