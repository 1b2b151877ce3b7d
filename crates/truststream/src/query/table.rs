//! A table, before it is said what to do with it.

use serde::Serialize;
use truststream_services::database::{Database, TableName};

use super::read::{Rows, Select};
use super::request::Request;
use super::write::{Delete, Deletion, Insert, Insertion, Update, Updating};

/// A table or view of the project.
#[must_use = "a table does nothing until something is asked of it"]
pub struct Table<'c> {
    database: &'c Database,
    name: TableName,
}

impl<'c> Table<'c> {
    pub(crate) fn new(database: &'c Database, name: TableName) -> Self {
        Table { database, name }
    }

    /// Reads columns, JSON paths, aggregates and related rows: `title, artist(name)`; `*` is all
    /// columns.
    pub fn select(self, items: &str) -> Select<'c> {
        Request::new(self.database, self.name, Rows::default()).selecting(items)
    }

    /// Inserts a row (a struct, a map) or many (a slice, a `Vec`).
    pub fn insert(self, rows: &(impl Serialize + ?Sized)) -> Insert<'c> {
        let (insertion, wrong) = Insertion::new(rows, false);
        Request::new(self.database, self.name, insertion).edit(|_| wrong)
    }

    /// Inserts rows, or updates those whose key exists: the primary key, unless
    /// [`Request::on_conflict`] names another.
    pub fn upsert(self, rows: &(impl Serialize + ?Sized)) -> Insert<'c> {
        let (insertion, wrong) = Insertion::new(rows, true);
        Request::new(self.database, self.name, insertion).edit(|_| wrong)
    }

    /// Sets columns of the rows that the filters match; of all rows without a filter.
    pub fn update(self, values: &(impl Serialize + ?Sized)) -> Update<'c> {
        let (updating, wrong) = Updating::new(values);
        Request::new(self.database, self.name, updating).edit(|_| wrong)
    }

    /// Deletes the rows that the filters match; all rows without a filter.
    pub fn delete(self) -> Delete<'c> {
        Request::new(self.database, self.name, Deletion::default())
    }
}
