//! A statement under construction: text and the values it binds.

use std::fmt::Write;

use bytes::Bytes;
use truststream_kernel::Body;
use truststream_services::database::TableName;
use truststream_sql::quote;

use crate::wire::Param;

/// A statement with its parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    /// A large body that it reads from a table.
    pub(crate) poured: Option<Body>,
    /// Where a column can be added to what it gives, if it gives at least one row of what there is to say of
    /// a reply.
    pub(crate) answers_at: Option<usize>,
    /// Whether embeds are `jsonb`, as handlers of the database get them from PostgREST; for all else their
    /// text passes untouched.
    pub(crate) documents: bool,
}

/// Bytes that most texts have room in, and how many parameters.
const ROOM: (usize, usize) = (1024, 12);

impl Sql {
    /// A statement of fixed text.
    pub(crate) fn new(begin: impl AsRef<str>) -> Self {
        let mut text = String::with_capacity(begin.as_ref().len() + ROOM.0);
        text.push_str(begin.as_ref());
        Sql { text, params: Vec::with_capacity(ROOM.1), ..Sql::default() }
    }

    /// Bytes of text and values.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.params.iter().map(Param::size).sum::<usize>()
    }

    /// Appends SQL text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a quoted identifier.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        quote::push_name(&mut self.text, name);
        self
    }

    /// Appends a qualified name.
    pub(crate) fn table(&mut self, name: &TableName) -> &mut Self {
        quote::push_qualified(&mut self.text, name);
        self
    }

    /// Binds a value and appends its placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<Bytes>) -> &mut Self {
        self.param(Param::from(value))
    }

    /// Binds a parameter and appends its placeholder.
    pub(crate) fn param(&mut self, param: Param) -> &mut Self {
        self.params.push(param);
        self.text.push('$');
        // Writing to a text never fails.
        let _ = write!(self.text, "{}", self.params.len());
        self
    }

    /// Has a body poured into a table before the statement runs.
    pub(crate) fn pour(&mut self, body: &Body) -> &mut Self {
        self.poured = Some(body.clone());
        self
    }

    /// Appends each item, with `separator` between them.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        separator: &str,
        mut each: impl FnMut(&mut Sql, T),
    ) -> &mut Self {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            each(self, item);
        }
        self
    }
}
