//! Whether a filter can match one row at most.

use super::{Comparison, Filter, Operator, Table};

impl Table {
    /// Whether a filter gives all columns of a unique key their values.
    pub fn is_keyed_by(&self, filter: &Filter) -> bool {
        let covers = |key: &[String]| !key.is_empty() && key.iter().all(|column| gives(filter, column));
        covers(&self.primary_key) || self.unique_keys.iter().any(|key| covers(&key.columns))
    }
}

/// Whether a filter gives a column its value.
fn gives(filter: &Filter, column: &str) -> bool {
    match filter {
        Filter::And(all) => all.iter().any(|one| gives(one, column)),
        Filter::Compare(Comparison { field, operator: Operator::Eq, quantifier: None, .. }) => {
            field.path.is_empty() && field.name == column
        }
        _ => false,
    }
}
