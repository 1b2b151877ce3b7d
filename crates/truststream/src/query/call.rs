//! Calling functions of the database.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use truststream_kernel::Result;
use truststream_services::database::{
    Arguments, Database, Format, Invoke, Page, Step, TableName, Transaction,
};

use super::filters::json;
use super::request::{Request, send_step};
use crate::decode::decode;

/// A call that has not been sent yet. Filters, order and limit apply to the rows it returns.
pub type Call<'c> = Request<'c, Calling>;

/// What [`Call`] does.
#[derive(Debug)]
pub struct Calling {
    arguments: Bytes,
    read_only: bool,
}

impl<'c> Request<'c, Calling> {
    pub(crate) fn new_call(
        database: &'c Database,
        function: TableName,
        arguments: &(impl Serialize + ?Sized),
    ) -> Self {
        let (arguments, wrong) = match json(arguments) {
            Ok(text) => (Bytes::from(text), Ok(())),
            Err(error) => (Bytes::new(), Err(error)),
        };
        Request::new(database, function, Calling { arguments, read_only: false }).edit(|_| wrong)
    }

    /// Runs the function in a transaction that can't write; it is then not held back by a switch.
    pub fn read_only(mut self) -> Self {
        self.action.read_only = true;
        self
    }

    /// What to take of the rows that the function returns.
    pub fn select(self, items: &str) -> Self {
        self.selecting(items)
    }

    /// The rows of a function that returns several.
    ///
    /// # Errors
    /// `PGRST202` when there is no function with these parameters, and what it reports itself.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        decode(&self.send().await?.body)
    }

    /// The value of a function that returns one.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn value<T: DeserializeOwned>(self) -> Result<T> {
        let page = self.send().await?;
        // A function that returns nothing has no body: JSON's null.
        decode(if page.body.is_empty() { b"null" } else { &page.body })
    }

    /// What the function returns, as the JSON text that the engine made.
    ///
    /// # Errors
    /// As [`Request::fetch`].
    pub async fn json(self) -> Result<Bytes> {
        Ok(self.send().await?.body)
    }

    async fn send(self) -> Result<Page> {
        let database = self.database;
        send_step(database, self.into_step()?).await
    }

    /// The call as a step of several.
    pub(crate) fn into_step(mut self) -> Result<Step> {
        self.check()?;
        let invoke = Invoke {
            function: self.target,
            arguments: Arguments::Json(self.action.arguments.into()),
            query: self.query,
            read_only: self.action.read_only,
            count: None,
            format: Format::default(),
            transaction: Transaction::default(),
        };
        Ok(invoke.into())
    }
}
