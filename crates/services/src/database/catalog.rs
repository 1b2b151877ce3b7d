//! The portable schema: tables, columns, types, keys, indexes, policies, functions.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use truststream_kernel::Type;

use super::{
    Attribute, Cast, DefaultGrant, Domain, Partition, Partitioning, Relationship, Sequence, TableName,
};

/// The schema of a database as TrustStream sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Catalog {
    /// Tables and views by name.
    #[serde(with = "named_as_list")]
    pub tables: IndexMap<TableName, Table>,
    /// Enum types: labels in order.
    #[serde(with = "named_as_list")]
    pub enums: IndexMap<TableName, Vec<String>>,
    /// Functions; overloads stand beside one another.
    pub functions: Vec<Function>,
    /// Relationships that are not foreign keys of base tables: through views, or computed.
    pub relationships: Vec<Relationship>,
    /// Schemas that exist, with their comments.
    pub schemas: IndexMap<String, Option<String>>,
    /// Domains: types with rules of their own.
    #[serde(with = "named_as_list", skip_serializing_if = "IndexMap::is_empty")]
    pub domains: IndexMap<TableName, Domain>,
    /// How values of domains are shown and read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub casts: Vec<Cast>,
    /// Composite types, with their columns in order.
    #[serde(with = "named_as_list", skip_serializing_if = "IndexMap::is_empty")]
    pub composites: IndexMap<TableName, Vec<Attribute>>,
    /// Sequences that were made by name, or count otherwise than 1, 2, 3.
    #[serde(with = "named_as_list", skip_serializing_if = "IndexMap::is_empty")]
    pub sequences: IndexMap<TableName, Sequence>,
    /// Grants that tables and functions get when they are made (`alter default privileges`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_grants: Vec<DefaultGrant>,
}

impl Catalog {
    /// A table or view by name.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.get(name)
    }

    /// What a statement on rows names: a table or view, or a partition and the table that has its rows.
    pub fn relation(&self, name: &TableName) -> Option<(&TableName, &Table, Option<&Partition>)> {
        if let Some((name, table)) = self.tables.get_key_value(name) {
            return Some((name, table, None));
        }
        let (table, partition) = self.partition(name)?;
        Some((table, self.table(table)?, Some(partition)))
    }

    /// Whether a table, a view or a partition has this name.
    pub fn has_relation(&self, name: &TableName) -> bool {
        self.relation(name).is_some()
    }

    /// A partition by name, on whatever level, and the table that has its rows.
    pub fn partition(&self, name: &TableName) -> Option<(&TableName, &Partition)> {
        self.tables.iter().find_map(|(table, definition)| {
            let path = definition.partitioning.as_ref()?.path(name);
            path.last().map(|(_, found)| (table, *found))
        })
    }
}

/// A table or view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Whether it is a view, and what writes it takes.
    pub kind: TableKind,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Primary key columns in order; for views those inherited from their table.
    pub primary_key: Vec<String>,
    /// The primary key's constraint name, where it is not `table_pkey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key_name: Option<String>,
    /// Unique keys besides the primary key.
    pub unique_keys: Vec<UniqueKey>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints.
    pub checks: Vec<Check>,
    /// Indexes that are not keys.
    pub indexes: Vec<Index>,
    /// Whether row-level security is on.
    pub row_security: bool,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Explicit grants and revokes, in order.
    pub grants: Vec<Grant>,
    /// Comment.
    pub comment: Option<String>,
    /// Triggers that TrustStream fires itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// How its rows are divided, where TrustStream keeps them together itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<Partitioning>,
}

impl Table {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether it is a materialized view.
    pub fn is_materialized(&self) -> bool {
        matches!(self.kind, TableKind::View { materialized: true, .. })
    }

    /// The name of the primary key's constraint in a table of this name.
    pub fn primary_key_name(&self, table: &TableName) -> String {
        self.primary_key_name.clone().unwrap_or_else(|| format!("{}_pkey", table.name))
    }
}

/// What kind of relation a table is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table with rows of its own.
    #[default]
    Table,
    /// A view.
    View {
        /// Its query, as SQL.
        definition: String,
        /// Whether rows can be inserted.
        insertable: bool,
        /// Whether rows can be updated.
        updatable: bool,
        /// Whether rows can be deleted.
        deletable: bool,
        /// Whether it reads with the rights of who asks (`security_invoker`), not of its owner.
        #[serde(default)]
        invoker: bool,
        /// Whether its rows are kept as they were when it was last refreshed. PostgreSQL's own are
        /// not told apart here.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        materialized: bool,
    },
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type, as far as TrustStream tells types apart.
    pub ty: Type,
    /// The type's full name as the schema writes it, such as `character varying(20)`.
    pub type_name: String,
    /// Whether it takes nulls.
    pub nullable: bool,
    /// Default, as SQL.
    pub default: Option<String>,
    /// Identity or serial.
    pub identity: Option<Identity>,
    /// Expression of a stored generated column, as SQL.
    pub generated: Option<String>,
    /// Comment.
    pub comment: Option<String>,
}

/// Where values of an identity column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// `generated always as identity`: a given value is refused.
    Always,
    /// `generated by default as identity`.
    ByDefault,
    /// `serial`: a default from a sequence.
    Serial,
}

/// A unique key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UniqueKey {
    /// Constraint name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<String>,
    /// Nulls count as equal.
    #[serde(default)]
    pub nulls_not_distinct: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Constraint name.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<String>,
    /// Referenced table.
    pub references: TableName,
    /// Referenced columns.
    pub referenced_columns: Vec<String>,
    /// What happens on delete.
    pub on_delete: ReferentialAction,
    /// What happens on update of the key.
    pub on_update: ReferentialAction,
    /// Checked at commit by default (`initially deferred`).
    #[serde(default)]
    pub deferred: bool,
}

/// What a foreign key does when the referenced row goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// A check constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Constraint name.
    pub name: String,
    /// Condition, as SQL.
    pub expression: String,
    /// The partition that it is of, where it concerns the rows of that one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<TableName>,
}

/// An index that is no constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Name.
    pub name: String,
    /// Columns or expressions with their order, as SQL.
    pub terms: Vec<String>,
    /// Whether it makes keys unique.
    pub unique: bool,
    /// Condition of a partial index, as SQL.
    pub predicate: Option<String>,
    /// Method, `btree` by default.
    pub method: String,
}

/// A row-level policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Any permissive policy that holds admits a row; every restrictive one must hold.
    pub permissive: bool,
    /// The command it is for.
    pub command: PolicyCommand,
    /// Roles it is for; empty means `public`, every role.
    pub roles: Vec<String>,
    /// Which existing rows, as SQL.
    pub using: Option<String>,
    /// Which new rows, as SQL; `using` if absent.
    pub check: Option<String>,
}

/// The command a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PolicyCommand {
    All,
    Select,
    Insert,
    Update,
    Delete,
}

/// A grant or revoke on a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Grantee.
    pub role: String,
    /// `select`, `insert`, `update`, `delete`, …, lower case; `all` means all of them.
    pub privileges: Vec<String>,
    /// Columns, if it is limited to some.
    pub columns: Vec<String>,
    /// It takes the privileges away.
    pub revoke: bool,
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Name.
    pub name: TableName,
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: Returns,
    /// Whether it only reads (`stable`, `immutable`).
    pub reads_only: bool,
    /// Whether the last parameter is variadic.
    pub variadic: bool,
    /// `language`, lower case.
    pub language: String,
    /// Body, as SQL, where it is known.
    pub body: Option<String>,
    /// Runs with the rights of its owner.
    pub security_definer: bool,
    /// Isolation level it asks for (`set default_transaction_isolation`).
    pub isolation: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// It is null where an argument is (`strict`).
    #[serde(default)]
    pub strict: bool,
    /// Explicit grants and revokes of `execute`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// A trigger for each row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Name, unique within its table.
    pub name: String,
    /// Before the row is written rather than after.
    pub before: bool,
    /// `insert`, `update`, `delete`, lower case.
    pub events: Vec<String>,
    /// Columns that an update must name; any if empty.
    pub columns: Vec<String>,
    /// Condition on `old` and `new`, as SQL.
    pub condition: Option<String>,
    /// The function called.
    pub function: TableName,
    /// Its arguments, as texts.
    pub arguments: Vec<String>,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name; empty if unnamed.
    pub name: String,
    /// Type name as SQL.
    pub type_name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it takes the remaining arguments.
    pub variadic: bool,
    /// What it is if it is not given, as SQL, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What a function returns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// Type name as SQL.
    pub type_name: String,
    /// A set of rows rather than one.
    pub set: bool,
    /// A composite (row) type or `table(…)`.
    pub composite: bool,
    /// The table whose row type it is.
    pub table: Option<TableName>,
    /// Nothing.
    pub void: bool,
    /// A set that is said to be of one row (`rows 1`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_row: bool,
}

mod named_as_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{IndexMap, TableName};

    pub fn serialize<V: Serialize, S: Serializer>(
        named: &IndexMap<TableName, V>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        named.iter().collect::<Vec<_>>().serialize(out)
    }

    pub fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<IndexMap<TableName, V>, D::Error> {
        Ok(Vec::<(TableName, V)>::deserialize(from)?.into_iter().collect())
    }
}
