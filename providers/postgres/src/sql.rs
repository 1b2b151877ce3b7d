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
}

impl Sql {
    /// A statement of fixed text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Sql { text: text.into(), ..Sql::default() }
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
        self.text.push_str(&quote::quote(name));
        self
    }

    /// Appends a qualified name.
    pub(crate) fn table(&mut self, name: &TableName) -> &mut Self {
        self.text.push_str(&quote::qualified(name));
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
