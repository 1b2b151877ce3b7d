//! Writing rows.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    self, Media, OnConflict, Page, Query, Returning, Step, TableName, WriteOptions,
};

use super::request::{Request, send_step};
use super::version::Versioned;
use crate::decode::decode;

/// An insert (or upsert) that has not been sent yet.
pub type Insert<'c> = Request<'c, Insertion>;
/// An update that has not been sent yet.
pub type Update<'c> = Request<'c, Updating>;
/// A delete that has not been sent yet.
pub type Delete<'c> = Request<'c, Deletion>;

/// What a write does. Implemented by the actions of this crate only.
pub trait Write: Sized + Send + sealed::Apply {}

mod sealed {
    use super::*;

    pub trait Apply {
        fn options(&mut self) -> &mut WriteOptions;

        fn step(self, table: TableName, query: Query) -> Step;
    }
}

use sealed::Apply;

/// What [`Insert`] does.
#[derive(Debug)]
pub struct Insertion {
    rows: Bytes,
    missing_default: bool,
    on_conflict: Option<OnConflict>,
    options: WriteOptions,
}

/// What [`Update`] does.
#[derive(Debug)]
pub struct Updating {
    values: Bytes,
    options: WriteOptions,
}

/// What [`Delete`] does.
#[derive(Debug, Default)]
pub struct Deletion {
    options: WriteOptions,
}

impl Insertion {
    pub(super) fn new(rows: &(impl Serialize + ?Sized), upsert: bool) -> (Self, Result<()>) {
        let (rows, wrong) = document(rows);
        let on_conflict = upsert.then_some(OnConflict { columns: None, merge: true });
        let insertion =
            Insertion { rows, missing_default: false, on_conflict, options: WriteOptions::default() };
        (insertion, wrong)
    }
}

impl Updating {
    pub(super) fn new(values: &(impl Serialize + ?Sized)) -> (Self, Result<()>) {
        let (values, wrong) = document(values);
        (Updating { values, options: WriteOptions::default() }, wrong)
    }
}

impl Write for Insertion {}
impl Write for Updating {}
impl Write for Deletion {}

impl Apply for Insertion {
    fn options(&mut self) -> &mut WriteOptions {
        &mut self.options
    }

    fn step(self, table: TableName, query: Query) -> Step {
        let Insertion { rows, missing_default, on_conflict, options } = self;
        let columns = if missing_default { named(&rows) } else { None };
        let rows = rows.into();
        database::Insert { table, rows, columns, missing_default, on_conflict, query, options }.into()
    }
}

/// The columns that any of several rows names; the database says what is wrong with anything else.
fn named(rows: &[u8]) -> Option<Vec<String>> {
    let rows: Vec<HashMap<String, IgnoredAny>> = serde_json::from_slice(rows).ok()?;
    let names: BTreeSet<String> = rows.into_iter().flat_map(HashMap::into_keys).collect();
    Some(names.into_iter().collect())
}

impl Apply for Updating {
    fn options(&mut self) -> &mut WriteOptions {
        &mut self.options
    }

    fn step(self, table: TableName, query: Query) -> Step {
        let update = database::Update::new(table, self.values, query);
        database::Update { options: self.options, ..update }.into()
    }
}

impl Apply for Deletion {
    fn options(&mut self) -> &mut WriteOptions {
        &mut self.options
    }

    fn step(self, table: TableName, query: Query) -> Step {
        database::Delete { table, query, options: self.options }.into()
    }
}

impl Request<'_, Insertion> {
    /// Decides by these columns (`"tenant,name"`) whether a row exists, instead of the primary key.
    pub fn on_conflict(mut self, columns: &str) -> Self {
        let columns = columns.split(',').map(|column| column.trim().to_owned()).collect();
        let merge = self.action.on_conflict.as_ref().is_none_or(|conflict| conflict.merge);
        self.action.on_conflict = Some(OnConflict { columns: Some(columns), merge });
        self
    }

    /// Keeps rows whose key exists as they are and skips the new ones.
    pub fn ignore_duplicates(mut self) -> Self {
        self.action.on_conflict.get_or_insert(OnConflict { columns: None, merge: false }).merge = false;
        self
    }

    /// Rows need not have the same columns: one that a row does not have takes its default.
    pub fn default_for_missing(mut self) -> Self {
        self.action.missing_default = true;
        self
    }
}

impl<'c, A: Write> Request<'c, A> {
    /// What [`Request::returning`] takes of the rows written; all columns unless said.
    pub fn select(self, items: &str) -> Self {
        self.selecting(items)
    }

    /// Undoes the write and fails (`PGRST124`) if it would touch more rows.
    pub fn max_affected(mut self, rows: u64) -> Self {
        self.action.options().transaction.max_affected = Some(rows);
        self
    }

    /// Writes only if the row is still of the version that was read ([`Versioned`](super::Versioned));
    /// otherwise nothing is written and the error is `BACKEND_016`.
    pub fn if_version(mut self, version: &str) -> Self {
        self.action.options().if_version = Some(version.to_owned());
        self
    }

    /// Rows that were deleted softly take part as well; a delete then removes them for good.
    pub fn with_deleted(mut self) -> Self {
        self.action.options().transaction.include_deleted = true;
        self
    }

    /// Writes, and returns the rows written.
    ///
    /// # Errors
    /// What is wrong in the request, not allowed, or against a rule of the table.
    pub async fn returning<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        decode(&self.send(Returning::Representation, Media::Json).await?.body)
    }

    /// Writes exactly one row, and returns it.
    ///
    /// # Errors
    /// `PGRST116`, and nothing is written, if it is not one; as [`Request::returning`] otherwise.
    pub async fn returning_one<T: DeserializeOwned>(self) -> Result<T> {
        decode(&self.send(Returning::Representation, Media::Object).await?.body)
    }

    /// Writes exactly one row, and returns it with the version it has now.
    ///
    /// # Errors
    /// As [`Request::returning_one`].
    pub async fn returning_versioned<T: DeserializeOwned>(self) -> Result<Versioned<T>> {
        Versioned::of(self.send(Returning::Representation, Media::Object).await?)
    }

    /// The write as a step of several.
    pub(crate) fn into_step(mut self, returning: Returning, media: Media) -> Result<Step> {
        self.check()?;
        let options = self.action.options();
        options.returning = returning;
        options.format.media = media;
        Ok(self.action.step(self.target, self.query))
    }

    async fn send(self, returning: Returning, media: Media) -> Result<Page> {
        let database = self.database;
        send_step(database, self.into_step(returning, media)?).await
    }
}

/// Awaiting a write sends it and gives the number of rows written.
impl<'c, A: Write + 'c> IntoFuture for Request<'c, A> {
    type Output = Result<u64>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<u64>> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.send(Returning::Minimal, Media::Json).await?.rows) })
    }
}

fn document(value: &(impl Serialize + ?Sized)) -> (Bytes, Result<()>) {
    match serde_json::to_vec(value) {
        Ok(json) => (json.into(), Ok(())),
        Err(error) => {
            let message = format!("the rows can't be written as JSON: {error}");
            (Bytes::new(), Err(Error::invalid_input(message).with_source(error)))
        }
    }
}
