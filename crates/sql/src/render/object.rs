//! What a schema consists of.

use truststream_services::database::TableName;

use super::name::relation;

/// A kind of object; those that come first are made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Schema,
    Extension,
    Enum,
    Domain,
    Type,
    Sequence,
    Function,
    Table,
    View,
    Key,
    Check,
    Partition,
    ForeignKey,
    Index,
    Owner,
    Trigger,
    Rule,
    RowSecurity,
    Policy,
    Grants,
    Comment,
    DefaultGrants,
    Right,
    Publication,
}

/// An object of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Kind and full name: two schemas have the same object if it has the same key in both.
    pub key: String,
    /// The schema it is in.
    pub schema: String,
    /// The table it is or belongs to.
    pub table: Option<TableName>,
    /// A table that it refers to, or the partition that it goes with.
    pub refers: Option<TableName>,
    /// The statement that makes it.
    pub create: String,
    /// The same as a line of its table's `create table`.
    pub inline: Option<String>,
    /// The statement that takes it away; empty if it goes with what it belongs to.
    pub drop: String,
    /// What has to stay the same for `create` to replace it; `None` if it is made anew when it
    /// changes.
    pub head: Option<String>,
}

impl Object {
    pub(super) fn new(kind: Kind, schema: &str, key: String, create: String, drop: String) -> Self {
        let (schema, table, refers) = (schema.to_owned(), None, None);
        Object { kind, key, schema, table, refers, create, inline: None, drop, head: None }
    }

    /// Takes the engine's own statement.
    pub(super) fn say_exactly(&mut self, create: &str) {
        create.clone_into(&mut self.create);
        // Checks may call what is made after the table.
        let table = self.table.as_ref().filter(|_| self.kind == Kind::Key).map(relation);
        let line = table.and_then(|table| create.strip_prefix(&format!("alter table {table} add ")));
        self.inline = line.map(str::to_owned);
        // To a catalog it is a view like any other.
        if self.kind == Kind::View && create.starts_with("create materialized") {
            self.drop = self.drop.replacen("drop view", "drop materialized view", 1);
        }
    }

    pub(super) fn of(self, table: &TableName) -> Self {
        Object { table: Some(table.clone()), ..self }
    }
}
