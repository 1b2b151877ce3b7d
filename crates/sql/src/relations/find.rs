//! Which of the known relationships a name and a hint mean.

use truststream_services::database::{Link, TableName};

use super::{Cardinality, Relation};

type Rank = (TableName, Cardinality, String, String, Vec<(String, String)>);

impl Relation {
    /// Requests reach only what is in the schema they start in.
    pub(super) fn is_reachable(&self) -> bool {
        let schema = &self.relationship.from.schema;
        match &self.relationship.link {
            Link::Key { .. } => self.relationship.to.schema == *schema,
            Link::Junction { table, .. } => self.relationship.to.schema == *schema && table.schema == *schema,
            Link::Computed { function } => function.schema == *schema,
        }
    }

    /// Whether `target`, with or without a hint, means this relationship.
    pub(super) fn is_meant(&self, target: &str, hint: Option<&str>) -> bool {
        if let Link::Computed { function } = &self.relationship.link {
            return function.name == target;
        }
        let by_table = self.relationship.to.name == target;
        if self.relationship.from == self.relationship.to {
            return self.is_meant_of_itself(target, by_table, hint);
        }
        match hint {
            None => by_table || (!self.to_view && (self.is_named(target) || self.starts_at(target))),
            Some(hint) => {
                by_table
                    && (self.is_named(hint)
                        || self.starts_at(hint)
                        || self.ends_at(hint)
                        || self.goes_through(hint))
            }
        }
    }

    /// One key makes two relationships of a table with itself: the table's name means the many,
    /// the column's name the one.
    fn is_meant_of_itself(&self, target: &str, by_table: bool, hint: Option<&str>) -> bool {
        let many = by_table && self.cardinality == Cardinality::OneToMany;
        match hint {
            None => many || (self.cardinality == Cardinality::ManyToOne && self.starts_at(target)),
            Some(hint) => many && self.ends_at(hint),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        matches!(&self.relationship.link, Link::Key { constraint, .. } if constraint == name)
    }

    fn starts_at(&self, column: &str) -> bool {
        matches!(self.key_columns(), [(own, _)] if own == column)
    }

    fn ends_at(&self, column: &str) -> bool {
        matches!(self.key_columns(), [(_, other)] if other == column)
    }

    fn goes_through(&self, name: &str) -> bool {
        matches!(&self.relationship.link, Link::Junction { table, .. } if table.name == name)
    }

    fn key_columns(&self) -> &[(String, String)] {
        match &self.relationship.link {
            Link::Key { columns, .. } => columns,
            _ => &[],
        }
    }

    /// Orders the relationships of a table as candidates are listed.
    pub(super) fn rank(&self) -> Rank {
        let (first, second, columns) = match &self.relationship.link {
            Link::Key { constraint, columns } => (constraint.clone(), String::new(), columns.clone()),
            Link::Junction { table, source, target } => {
                (format!("{table} {}", source.0), target.0.clone(), source.1.clone())
            }
            Link::Computed { function } => (function.to_string(), String::new(), Vec::new()),
        };
        (self.relationship.to.clone(), self.cardinality, first, second, columns)
    }
}
