//! Queries in the database's own SQL.

use serde::Serialize;
use serde::de::DeserializeOwned;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Database, Page, Raw, Step};

use super::request::send_step;
use crate::decode::decode;

/// A statement in the database's own SQL that has not been sent yet. No policy stands between it and
/// the rows, so only TrustStream itself and the service role may send it.
#[must_use = "a statement does nothing until it is sent"]
pub struct RawQuery<'c> {
    database: &'c Database,
    raw: Raw,
    wrong: Option<Error>,
}

impl<'c> RawQuery<'c> {
    pub(crate) fn new(database: &'c Database, sql: &str) -> Self {
        RawQuery { database, raw: Raw::new(sql), wrong: None }
    }

    /// The value of the next parameter: `$1` for the first. Structs, maps and lists are bound as JSON
    /// documents.
    pub fn bind(mut self, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.raw.parameters.push(value),
            Err(error) => {
                let message = format!("the parameter can't be written as JSON: {error}");
                self.wrong.get_or_insert(Error::invalid_input(message).with_source(error));
            }
        }
        self
    }

    /// Runs it in a transaction that can't write; it is then not held back by a switch.
    pub fn read_only(mut self) -> Self {
        self.raw.read_only = true;
        self
    }

    /// The rows.
    ///
    /// # Errors
    /// What the database reports; `0A000` where it takes no SQL, 42501 for other callers.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        decode(&self.send().await?.body)
    }

    /// Runs it, and tells how many rows it returned or touched.
    ///
    /// # Errors
    /// As [`RawQuery::fetch`].
    pub async fn execute(self) -> Result<u64> {
        Ok(self.send().await?.rows)
    }

    pub(crate) fn into_step(self) -> Result<Step> {
        self.wrong.map_or(Ok(self.raw.into()), Err)
    }

    async fn send(self) -> Result<Page> {
        let database = self.database;
        send_step(database, self.into_step()?).await
    }
}
