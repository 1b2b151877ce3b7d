//! What a schema defines besides tables and functions: domains, sequences, grants in advance, and
//! relationships.

use serde::{Deserialize, Serialize};

use super::{Check, Grant, Policy, TableName};

/// A type with rules of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// The type below, as SQL.
    pub base: String,
    /// Whether it takes no nulls.
    pub not_null: bool,
    /// What columns of it are by default, as SQL.
    pub default: Option<String>,
    /// Conditions on `value`.
    pub checks: Vec<Check>,
}

/// A column of a composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type, as SQL.
    pub type_name: String,
}

/// How the rows of a table, or of a partition, are divided among partitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partitioning {
    /// What decides.
    pub by: PartitionBy,
    /// The columns that it decides by.
    pub columns: Vec<String>,
    /// The partitions in the order they were made in.
    pub partitions: Vec<Partition>,
}

impl Partitioning {
    /// All partitions on all levels, each before its own ones, with the level that it is on.
    pub fn all(&self) -> Vec<(&Partitioning, &Partition)> {
        let mut all = Vec::new();
        for one in &self.partitions {
            all.push((self, one));
            all.extend(one.partitioning.iter().flat_map(Partitioning::all));
        }
        all
    }

    /// The partitions that rows of the named one are in, the outermost first and itself last, each with the
    /// level that it is on; empty if there is none of the name.
    pub fn path(&self, name: &TableName) -> Vec<(&Partitioning, &Partition)> {
        for one in &self.partitions {
            if one.name == *name {
                return vec![(self, one)];
            }
            let within = one.partitioning.as_ref().map(|known| known.path(name)).unwrap_or_default();
            if !within.is_empty() {
                return std::iter::once((self, one)).chain(within).collect();
            }
        }
        Vec::new()
    }

    /// A partition by name, on whatever level.
    pub fn find_mut(&mut self, name: &TableName) -> Option<&mut Partition> {
        self.partitions.iter_mut().find_map(|one| match one.name == *name {
            true => Some(one),
            false => one.partitioning.as_mut()?.find_mut(name),
        })
    }

    /// Does something with all partitions, on whatever level.
    pub fn each_mut(&mut self, work: &mut dyn FnMut(&mut Partition)) {
        for one in &mut self.partitions {
            work(one);
            if let Some(within) = &mut one.partitioning {
                within.each_mut(work);
            }
        }
    }

    /// Whether a column decides on some level.
    pub fn goes_by(&self, column: &str) -> bool {
        let within = self.partitions.iter().filter_map(|one| one.partitioning.as_ref());
        self.columns.iter().any(|one| one == column) || within.into_iter().any(|known| known.goes_by(column))
    }
}

/// What decides which partition a row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PartitionBy {
    Range,
    List,
    Hash,
}

/// A part of a table, which has a name of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub name: TableName,
    /// The rows that are in it.
    pub bound: PartitionBound,
    /// Grants on it by this name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Whether row-level security is on where it is read by this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub row_security: bool,
    /// Policies on its rows where they are called by this name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// How its own rows are divided among further partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<Partitioning>,
}

/// Which rows are in a partition; values are texts of the column's type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionBound {
    /// Those with one of these values, of which one may be null.
    In(Vec<Option<String>>),
    /// Those from the first value on, but below the second; without a value it is open there.
    Range {
        /// The least value.
        from: Option<String>,
        /// The value that is too large.
        to: Option<String>,
    },
    /// Those whose hash leaves a remainder.
    Hash {
        /// What it is divided by.
        modulus: u64,
        /// What is left.
        remainder: u64,
    },
    /// Those that are in no other.
    Default,
}

/// A sequence of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The first number.
    pub start: i64,
    /// From each number to the next.
    pub increment: i64,
    /// The last number there can be, if it is limited.
    pub limit: Option<i64>,
    /// The column it belongs to, and goes with.
    pub owner: Option<(TableName, String)>,
}

impl Default for Sequence {
    fn default() -> Self {
        Sequence { start: 1, increment: 1, limit: None, owner: None }
    }
}

/// A grant or revoke on what is not made yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultGrant {
    /// The schema it is for; every schema if absent.
    pub schema: Option<String>,
    /// On functions rather than tables and views.
    pub functions: bool,
    /// What is granted or revoked.
    pub grant: Grant,
}

/// How rows of one table belong to rows of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relationship {
    /// From this table.
    pub from: TableName,
    /// To this one.
    pub to: TableName,
    /// What links them.
    pub link: Link,
    /// Whether a row has at most one partner.
    pub to_one: bool,
}

/// What links the rows of a relationship.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Equal columns, by a foreign key.
    Key {
        /// Constraint name.
        constraint: String,
        /// Columns of `from` and of `to`, pairwise.
        columns: Vec<(String, String)>,
    },
    /// Rows of a third table that refer to both.
    Junction {
        /// The third table.
        table: TableName,
        /// Constraint from the third table to `from`, columns of `from` and of the third.
        source: (String, Vec<(String, String)>),
        /// Constraint from the third table to `to`, columns of the third and of `to`.
        target: (String, Vec<(String, String)>),
    },
    /// A function from a row of `from` to rows of `to`.
    Computed {
        /// The function.
        function: TableName,
    },
}
