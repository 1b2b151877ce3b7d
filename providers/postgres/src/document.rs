//! The body of a write or a call: a parameter of the statement, or, where it is too large to be held in
//! memory, a table that it is poured into before the statement reads it from there.

use std::collections::BTreeSet;

use truststream_kernel::{Body, Error, Result};
use truststream_sql::callable::keys_of;
use truststream_sql::payload::{Payload, Scanned};

use crate::driver::PostgresDriver;
use crate::install::flag;
use crate::sql::Sql;

/// A body, and what was found in it where it is read only once.
pub(crate) struct Document {
    body: Body,
    scanned: Option<Scanned>,
}

impl PostgresDriver {
    /// Reads what a JSON body holds, as far as the statement depends on it.
    ///
    /// # Errors
    /// PGRST102 for a large body that is not JSON.
    pub(crate) async fn document(&self, body: &Body) -> Result<Document> {
        let document = self.raw_document(body).await?;
        if document.body.in_memory().is_some() {
            return Ok(document);
        }
        let reading = body.clone();
        let scanned = tokio::task::spawn_blocking(move || Payload::scan(reading.reader())).await;
        let scanned =
            scanned.map_err(|error| Error::internal("reading a body stopped").with_source(error))?;
        Ok(Document { scanned: Some(scanned?), ..document })
    }

    /// The same for a body that is no JSON.
    pub(crate) async fn raw_document(&self, body: &Body) -> Result<Document> {
        if body.in_memory().is_some() || !self.may_pour().await? {
            return Document::in_memory(body).await;
        }
        Ok(Document { body: body.clone(), scanned: None })
    }

    /// Whether temporary tables may be made here.
    async fn may_pour(&self) -> Result<bool> {
        let asked = self.shared.may_pour.get_or_try_init(async || {
            let connection = self.shared.transactions.connections().lease().await?;
            let may = "select pg_catalog.has_database_privilege(pg_catalog.current_database(), 'temp')";
            let may = flag(&connection, may).await?;
            connection.give_back();
            Ok::<_, Error>(may)
        });
        asked.await.copied()
    }
}

impl Document {
    /// A body that is bound as a parameter, however large.
    pub(crate) async fn in_memory(body: &Body) -> Result<Self> {
        Ok(Document { body: body.collect(usize::MAX).await?.into(), scanned: None })
    }

    /// The columns of its rows: those wanted, or else those that all of them have.
    ///
    /// # Errors
    /// PGRST102 if it is not JSON, or its rows don't have the same keys.
    pub(crate) fn columns(&self, wanted: Option<&[String]>) -> Result<Vec<String>> {
        match (wanted, &self.scanned) {
            (Some(names), Some(_)) => Ok(names.to_vec()),
            (Some(names), None) => Payload::check(&self.body.read()?).map(|()| names.to_vec()),
            (None, Some(scanned)) => Ok(scanned.clone().alike()?.columns),
            (None, None) => Ok(Payload::read(&self.body.read()?)?.columns),
        }
    }

    /// The keys of an object; none if it is something else.
    ///
    /// # Errors
    /// PGRST102 for what is not JSON.
    pub(crate) fn keys(&self) -> Result<BTreeSet<String>> {
        match &self.scanned {
            Some(scanned) => {
                let alike = scanned.clone().alike();
                Ok(alike.map(|payload| payload.columns.into_iter().collect()).unwrap_or_default())
            }
            None => keys_of(&self.body),
        }
    }

    /// Whether it is one object.
    pub(crate) fn is_object(&self) -> bool {
        match (&self.scanned, self.body.in_memory()) {
            (Some(scanned), _) => scanned.payload.object,
            (None, body) => body.is_some_and(|body| Payload::is_object(body)),
        }
    }

    /// Whether it is not in memory.
    pub(crate) fn is_large(&self) -> bool {
        self.body.in_memory().is_none()
    }

    /// Appends it as a text of a type that the statement tells.
    pub(crate) fn text<'s>(&self, sql: &'s mut Sql) -> &'s mut Sql {
        match self.body.in_memory() {
            Some(bytes) => sql.bind(bytes.clone()),
            None => sql.pour(&self.body).push("pg_catalog.convert_from(").push(PIECES).push(", 'UTF8')"),
        }
    }

    /// Appends it as bytes.
    pub(crate) fn bytes<'s>(&self, sql: &'s mut Sql) -> &'s mut Sql {
        let Some(bytes) = self.body.in_memory() else { return sql.pour(&self.body).push(PIECES) };
        let mut text = String::with_capacity(2 + bytes.len() * 2);
        text.push_str("\\x");
        for byte in bytes {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        sql.bind(text).push("::bytea")
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The pieces of what was poured, together.
const PIECES: &str =
    "(SELECT pg_catalog.string_agg(piece, ''::bytea ORDER BY at) FROM pg_temp.truststream_body)";
